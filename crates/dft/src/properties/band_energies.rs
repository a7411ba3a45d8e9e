//! Band energies at other k-points, in the potential of a converged density.

use std::num::NonZeroUsize;

use crate::{
    DftError,
    bands::energies_at_k_points,
    basis::{KPoint, PlaneWaveBasis},
    cancellation::Cancellation,
    scf::ScfResult,
    terms::Terms,
};

/// How band energies are computed.
#[derive(Clone, Copy)]
pub struct BandOptions<'a> {
    /// Number of bands; `None` for a fifth more than are filled, and at least four more.
    pub bands: Option<usize>,
    /// Threads that share the k-points; energies do not depend on their number.
    pub threads: NonZeroUsize,
    /// Asked now and again.
    pub cancellation: Cancellation<'a>,
}

impl Default for BandOptions<'_> {
    fn default() -> Self {
        Self {
            bands: None,
            threads: NonZeroUsize::MIN,
            cancellation: Cancellation::NEVER,
        }
    }
}

/// Band energies in hartree, ascending, shape (k-points, bands), in the Kohn–Sham potential of a
/// converged density, which stays as it is; `k_points_frac` in units of the reciprocal lattice vectors.
///
/// They are good to about 1e-8 hartree for that density.
///
/// # Errors
/// [`DftError::NoBands`] for a loop that did not converge, [`DftError::InvalidSetting`] for fewer bands
/// than are filled or more than half the plane waves, [`DftError::BandsNotFound`] where the eigensolver
/// breaks down, [`DftError::Cancelled`].
pub fn band_energies(
    basis: &PlaneWaveBasis,
    result: &ScfResult,
    k_points_frac: &[[f64; 3]],
    options: BandOptions<'_>,
) -> Result<Vec<Vec<f64>>, DftError> {
    let k_points: Vec<KPoint> = k_points_frac
        .iter()
        .map(|&frac| KPoint { frac, weight: 0.0 })
        .collect();
    at_k_points(basis, result, &k_points, options)
}

pub(super) fn at_k_points(
    basis: &PlaneWaveBasis,
    result: &ScfResult,
    k_points: &[KPoint],
    options: BandOptions<'_>,
) -> Result<Vec<Vec<f64>>, DftError> {
    if !result.is_converged() {
        return Err(DftError::NoBands { end: result.end });
    }
    let (threads, cancellation) = (options.threads, options.cancellation);
    let terms = Terms::new(basis, cancellation)?;
    let input = terms.evaluate(basis, &result.density, threads, cancellation)?;
    let problem = input.eigenproblem(basis, &terms);
    energies_at_k_points(&problem, k_points, options.bands, threads, cancellation)
}
