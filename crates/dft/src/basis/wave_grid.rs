//! The boxes of the wavefunctions.

use rustfft::num_complex::{Complex, Complex64};

use super::{
    density_grid::{DensityGrid, box_sides},
    fft::{FftBox, Places, Precision, fast_fft_size},
};

/// The box of the wavefunctions, with the part of the density sphere that they can reach, and a
/// smaller one in which H acts on drafts of bands.
///
/// A product of two wavefunctions of cutoff E has no component beyond 4E, so a box that holds the
/// sphere of 4E loses nothing: densities in it are exact, and so is the local potential between
/// two wavefunctions. In the smaller box, whose sides are three quarters of it, the local potential
/// is right between two waves of which one is long; between two short ones it is another one.
#[derive(Debug, Clone)]
pub(crate) struct WaveGrid {
    pub(crate) fft: FftBox,
    fft_single: FftBox<f32>,
    field: FieldPlaces,
    draft: FftBox<f32>,
    draft_field: FieldPlaces,
}

/// The waves of a field on the density grid that a box holds.
#[derive(Debug, Clone)]
struct FieldPlaces {
    /// The index of each in the field.
    sources: Vec<u32>,
    places: Places,
}

impl FieldPlaces {
    fn new<T: Precision>(fft: &FftBox<T>, miller: &[[i32; 3]]) -> Self {
        let (sources, positions) = (0u32..)
            .zip(miller)
            .filter_map(|(index, &m)| Some((index, fft.position(m)? as u32)))
            .unzip();
        Self {
            sources,
            places: Places::of_positions(fft, positions),
        }
    }
}

impl WaveGrid {
    pub(crate) fn new(ecut: f64, density: &DensityGrid) -> Self {
        let limit2 = 8.0 * ecut * (1.0 + 1e-12);
        let g_count = density.g2.partition_point(|&g2| g2 <= limit2);
        let miller = &density.miller[..g_count];
        let sides = box_sides(miller);
        let fft = FftBox::new(sides.map(fast_fft_size));
        let draft = FftBox::new(sides.map(draft_side));
        Self {
            field: FieldPlaces::new(&fft, miller),
            fft_single: FftBox::new(fft.dims()),
            fft,
            draft_field: FieldPlaces::new(&draft, miller),
            draft,
        }
    }

    /// The box in which H acts in this precision.
    pub(crate) fn operator_fft<T: Precision>(&self) -> &FftBox<T> {
        T::choose(&self.fft, &self.draft)
    }

    /// The box that holds products of two bands.
    pub(crate) fn density_fft<T: Precision>(&self) -> &FftBox<T> {
        T::choose(&self.fft, &self.fft_single)
    }

    /// A real field of the density grid, cut off at 4E, at the points of the box in which H acts.
    pub(crate) fn field_to_real<T: Precision>(&self, field: &[Complex64]) -> Vec<T> {
        let fft = self.operator_fft::<T>();
        let FieldPlaces { sources, places } = match T::IS_DOUBLE {
            true => &self.field,
            false => &self.draft_field,
        };
        let mut packed = vec![Complex::new(T::zero(), T::zero()); fft.len()];
        for (&position, &source) in places.positions.iter().zip(sources) {
            let value = field[source as usize];
            packed[position as usize] = Complex::new(T::rounded(value.re), T::rounded(value.im));
        }
        let mut real = vec![T::zero(); fft.len()];
        let mut scratch = fft.scratch();
        let visit = |first: usize, chunk: &mut [Complex<T>]| {
            for (to, from) in real[first..].iter_mut().zip(chunk.iter()) {
                *to = from.re;
            }
        };
        fft.visit_real_rows(&mut packed, &places.occupied, &mut scratch, visit);
        real
    }

    /// The coefficients, on the density grid's G, of a real field given at the points of the box that
    /// holds products of two bands; zero beyond 4E.
    pub(crate) fn field_to_reciprocal(
        &self,
        real: &[f64],
        density: &DensityGrid,
    ) -> Vec<Complex64> {
        let zero = Complex64::new(0.0, 0.0);
        let mut values: Vec<Complex64> = real.iter().map(|&x| Complex64::new(x, 0.0)).collect();
        let mut packed = vec![zero; self.fft.len()];
        let mut scratch = self.fft.scratch();
        let FieldPlaces { sources, places } = &self.field;
        self.fft
            .to_reciprocal(&mut values, &places.occupied, &mut scratch, &mut packed);
        let mut field = vec![zero; density.len()];
        for (&source, &position) in sources.iter().zip(&places.positions) {
            field[source as usize] = packed[position as usize];
        }
        field
    }
}

/// The side of the smaller box, from that which holds all products: it has room for one and a half
/// spheres of the wavefunctions, and for at least one with a wave to spare on each side.
fn draft_side(side: usize) -> usize {
    fast_fft_size((3 * side).div_ceil(4).max(side.div_ceil(2) + 3))
}
