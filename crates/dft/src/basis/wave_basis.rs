//! Plane waves of the wavefunctions.

use rustfft::num_complex::{Complex, Complex64};

use super::{
    by_length::sort_by_length,
    density_grid::miller_limits,
    fft::{FftBox, Places, Precision},
    k_point::KPoint,
    time_reversal::TimeReversal,
    wave_grid::WaveGrid,
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
    /// Where each G lies in the wavefunction box, and in that of drafts.
    pub(crate) places: Places,
    draft_places: Places,
    /// What makes real bands of them, where nothing but time reversal does.
    pub(crate) reversal: Option<TimeReversal>,
}

impl WaveBasis {
    /// # Errors
    /// [`DftError::Cancelled`].
    pub(crate) fn new(
        cell: &Cell,
        k_point: KPoint,
        ecut: f64,
        grid: &WaveGrid,
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
        Ok(Self {
            k_point,
            kinetic: waves.iter().map(|wave| wave.0).collect(),
            places: Places::wrapped(&grid.fft, &miller),
            draft_places: Places::wrapped(grid.operator_fft::<f32>(), &miller),
            reversal: None,
            miller,
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

    /// All of them in the box in which H acts in this precision.
    pub(crate) fn operator_box<'a, T: Precision>(&'a self, grid: &'a WaveGrid) -> WaveBox<'a, T> {
        WaveBox {
            fft: grid.operator_fft(),
            places: match T::IS_DOUBLE {
                true => &self.places,
                false => &self.draft_places,
            },
            reversal: self.reversal.as_ref(),
        }
    }

    /// All of them in the box that holds products of two bands.
    pub(crate) fn density_box<'a, T: Precision>(&'a self, grid: &'a WaveGrid) -> WaveBox<'a, T> {
        WaveBox {
            fft: grid.density_fft(),
            places: &self.places,
            reversal: self.reversal.as_ref(),
        }
    }
}

/// A box with the places of one k-point's plane waves in it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct WaveBox<'a, T> {
    pub(crate) fft: &'a FftBox<T>,
    pub(crate) places: &'a Places,
    pub(crate) reversal: Option<&'a TimeReversal>,
}

impl<T: Precision> WaveBox<'_, T> {
    /// Number of plane waves.
    pub(crate) fn len(&self) -> usize {
        self.places.positions.len()
    }

    /// Writes the coefficients of one band into the box, the rest zero.
    pub(crate) fn scatter(&self, band: impl Iterator<Item = Complex64>, field: &mut [Complex<T>]) {
        self.fft.clear(field, &self.places.occupied);
        for (&position, c) in self.places.positions.iter().zip(band) {
            field[position as usize] = Complex::new(T::rounded(c.re), T::rounded(c.im));
        }
    }

    /// What a field in the box holds for a wave.
    #[inline(always)]
    pub(crate) fn coefficient(&self, wave: usize, field: &[Complex<T>]) -> Complex64 {
        let value = field[self.places.positions[wave] as usize];
        Complex64::new(value.re.widened(), value.im.widened())
    }
}

/// k+G in bohr⁻¹.
fn wave_vector(cell: &Cell, k_point: KPoint, miller: [i32; 3]) -> Vector3 {
    cell.wave_vector(std::array::from_fn(|axis| {
        f64::from(miller[axis]) + k_point.frac[axis]
    }))
}
