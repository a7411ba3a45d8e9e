//! Plane waves and box of the wavefunctions.

use rustfft::num_complex::{Complex, Complex64};

use super::{
    by_length::sort_by_length,
    density_grid::{DensityGrid, box_sides, miller_limits},
    fft::{FftBox, OccupiedColumns, Precision, fast_fft_size},
    k_point::KPoint,
};
use crate::{
    DftError,
    cancellation::Cancellation,
    cell::Cell,
    vector::{Vector3, dot},
};

/// The plane waves of the wavefunctions at one k-point: all G with `|k+G|²/2 ≤ ecut`.
///
/// A block of bands is a column-major matrix, one column of [`Self::len`] coefficients a band;
/// `ψ(r) = Ω^{-1/2} Σ_G c(G) e^{i(k+G)r}`.
#[derive(Debug, Clone)]
pub(crate) struct WaveBasis {
    pub(crate) k_point: KPoint,
    /// Miller indices of each G.
    pub(crate) miller: Vec<[i32; 3]>,
    /// `|k+G|²/2` in hartree.
    pub(crate) kinetic: Vec<f64>,
    /// Position of each G in the wavefunction box.
    pub(crate) positions: Vec<u32>,
    pub(crate) occupied: OccupiedColumns,
}

impl WaveBasis {
    /// # Errors
    /// [`DftError::Cancelled`].
    pub(crate) fn new(
        cell: &Cell,
        k_point: KPoint,
        ecut: f64,
        fft: &FftBox,
        cancellation: Cancellation<'_>,
    ) -> Result<Self, DftError> {
        let mut pace = cancellation.pace();
        let k_cart = cell.wave_vector(k_point.frac);
        let reach = (2.0 * ecut).sqrt() + dot(k_cart, k_cart).sqrt();
        let limits = miller_limits(cell, reach);
        let mut waves = Vec::new();
        for i in -limits[0]..=limits[0] {
            for j in -limits[1]..=limits[1] {
                pace.spend(2 * limits[2] as usize + 1)?;
                for k in -limits[2]..=limits[2] {
                    let m = [i, j, k];
                    let q = wave_vector(cell, k_point, m);
                    let kinetic = 0.5 * dot(q, q);
                    if kinetic <= ecut {
                        waves.push((kinetic, m));
                    }
                }
            }
        }
        sort_by_length(&mut waves, cancellation)?;
        let miller: Vec<[i32; 3]> = waves.iter().map(|wave| wave.1).collect();
        // The box holds all differences of these waves, so every one has its place.
        let positions: Vec<u32> = miller
            .iter()
            .filter_map(|&m| fft.position(m))
            .map(|position| position as u32)
            .collect();
        debug_assert_eq!(positions.len(), miller.len());
        Ok(Self {
            k_point,
            kinetic: waves.iter().map(|wave| wave.0).collect(),
            occupied: OccupiedColumns::of_positions(fft.dims(), &positions),
            miller,
            positions,
        })
    }

    /// Number of plane waves.
    pub(crate) fn len(&self) -> usize {
        self.miller.len()
    }

    /// Cartesian k+G of each plane wave in bohr⁻¹, in the cell that the basis was made for.
    pub(crate) fn q_cart(&self, cell: &Cell) -> Vec<Vector3> {
        let vector = |&m| wave_vector(cell, self.k_point, m);
        self.miller.iter().map(vector).collect()
    }

    /// Largest |k+G| in bohr⁻¹.
    pub(crate) fn q_max(&self) -> f64 {
        let largest = self.kinetic.iter().copied().fold(0.0, f64::max);
        (2.0 * largest).sqrt()
    }

    /// Writes the coefficients of one band into the box, the rest zero.
    pub(crate) fn scatter<T: Precision>(
        &self,
        fft: &FftBox<T>,
        band: impl Iterator<Item = Complex64>,
        field: &mut [Complex<T>],
    ) {
        fft.clear(field, &self.occupied);
        for (&position, c) in self.positions.iter().zip(band) {
            field[position as usize] = Complex::new(T::rounded(c.re), T::rounded(c.im));
        }
    }
}

/// k+G in bohr⁻¹.
fn wave_vector(cell: &Cell, k_point: KPoint, miller: [i32; 3]) -> Vector3 {
    cell.wave_vector(std::array::from_fn(|axis| {
        f64::from(miller[axis]) + k_point.frac[axis]
    }))
}

/// The box of the wavefunctions, with the part of the density sphere that they can reach.
///
/// A product of two wavefunctions of cutoff E has no component beyond 4E, so a box that holds the
/// sphere of 4E loses nothing: densities in it are exact, and so is the local potential between
/// two wavefunctions.
#[derive(Debug, Clone)]
pub(crate) struct WaveGrid {
    pub(crate) fft: FftBox,
    fft_single: FftBox<f32>,
    /// Position in the box of each G of the density grid within 4E, which are its first ones.
    positions: Vec<u32>,
    occupied: OccupiedColumns,
}

impl WaveGrid {
    pub(crate) fn new(ecut: f64, density: &DensityGrid) -> Self {
        let limit2 = 8.0 * ecut * (1.0 + 1e-12);
        let g_count = density.g2.partition_point(|&g2| g2 <= limit2);
        let miller = &density.miller[..g_count];
        let dims = box_sides(miller).map(fast_fft_size);
        let fft = FftBox::new(dims);
        let positions: Vec<u32> = miller
            .iter()
            .filter_map(|&m| fft.position(m))
            .map(|position| position as u32)
            .collect();
        Self {
            occupied: OccupiedColumns::of_positions(fft.dims(), &positions),
            positions,
            fft_single: FftBox::new(dims),
            fft,
        }
    }

    /// The box for transforms in one precision or the other.
    pub(crate) fn fft_in<T: Precision>(&self) -> &FftBox<T> {
        T::choose(&self.fft, &self.fft_single)
    }

    /// A real field of the density grid at the points of this box, cut off at 4E.
    pub(crate) fn field_to_real(&self, field: &[Complex64]) -> Vec<f64> {
        let zero = Complex64::new(0.0, 0.0);
        let mut packed = vec![zero; self.fft.len()];
        for (&position, &value) in self.positions.iter().zip(field) {
            packed[position as usize] = value;
        }
        let mut real = vec![0.0; self.fft.len()];
        let mut scratch = self.fft.scratch();
        let visit = |first: usize, chunk: &mut [Complex64]| {
            for (to, from) in real[first..].iter_mut().zip(chunk.iter()) {
                *to = from.re;
            }
        };
        self.fft
            .visit_real_rows(&mut packed, &self.occupied, &mut scratch, visit);
        real
    }

    /// The coefficients, on the density grid's G, of a real field given at the points of this
    /// box; zero beyond 4E.
    pub(crate) fn field_to_reciprocal(
        &self,
        real: &[f64],
        density: &DensityGrid,
    ) -> Vec<Complex64> {
        let zero = Complex64::new(0.0, 0.0);
        let mut values: Vec<Complex64> = real.iter().map(|&x| Complex64::new(x, 0.0)).collect();
        let mut packed = vec![zero; self.fft.len()];
        let mut scratch = self.fft.scratch();
        self.fft
            .to_reciprocal(&mut values, &self.occupied, &mut scratch, &mut packed);
        let mut field = vec![zero; density.len()];
        for (to, &position) in field.iter_mut().zip(&self.positions) {
            *to = packed[position as usize];
        }
        field
    }
}
