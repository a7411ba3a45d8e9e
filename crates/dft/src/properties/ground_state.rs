//! The state that forces and stress are the derivatives of.

use std::num::NonZeroUsize;

use crate::{
    DftError,
    basis::PlaneWaveBasis,
    cancellation::Cancellation,
    scf::ScfResult,
    terms::{FilledLevels, GroundState},
};

/// The state that a calculation ended in.
///
/// # Errors
/// [`DftError::NoBands`] for a loop that was cancelled or broke down, [`DftError::Cancelled`].
pub(crate) fn ground_state_of<'a>(
    basis: &'a PlaneWaveBasis,
    result: &'a ScfResult,
    threads: NonZeroUsize,
    cancellation: Cancellation<'a>,
) -> Result<GroundState<'a>, DftError> {
    let Some(bands) = result.bands.as_deref() else {
        return Err(DftError::NoBands { end: result.end });
    };
    let levels = FilledLevels {
        bands,
        eigenvalues_ha: &result.eigenvalues_ha,
        occupations: &result.occupations,
        density: &result.density,
    };
    GroundState::new(basis, levels, threads, cancellation)
}
