//! What is read off a converged calculation, one file each.

mod band_edges;
mod band_energies;
mod charge_density;
mod density_of_states;
mod forces;
mod ground_state;
mod mesh_bands;
mod stress;
mod tetrahedra;
mod variable_cell_step;

use std::num::NonZeroUsize;

use crate::{
    DftError,
    basis::PlaneWaveBasis,
    cancellation::Cancellation,
    scf::ScfResult,
    vector::{Matrix3, Vector3},
};

pub use band_edges::BandEdges;
pub use band_energies::{BandOptions, band_energies};
pub use charge_density::ChargeDensity;
pub use density_of_states::{Broadening, DensityOfStates};
pub use forces::forces;
pub use mesh_bands::MeshBands;
pub use stress::{pressure, stress, stress_unless};
pub use variable_cell_step::{MovedCrystal, first_variable_cell_step};

pub(crate) use ground_state::ground_state_of;

/// [`forces`] and [`stress`] with what they share computed once.
///
/// # Errors
/// [`DftError::NoBands`] for a loop that was cancelled or broke down.
pub fn forces_and_stress(
    basis: &PlaneWaveBasis,
    result: &ScfResult,
    threads: NonZeroUsize,
) -> Result<(Vec<Vector3>, Matrix3), DftError> {
    forces_and_stress_unless(Cancellation::NEVER, basis, result, threads)
}

/// As [`forces_and_stress`], unless it is cancelled.
///
/// # Errors
/// [`DftError::NoBands`] and [`DftError::Cancelled`].
pub fn forces_and_stress_unless(
    cancellation: Cancellation<'_>,
    basis: &PlaneWaveBasis,
    result: &ScfResult,
    threads: NonZeroUsize,
) -> Result<(Vec<Vector3>, Matrix3), DftError> {
    let state = ground_state_of(basis, result, threads, cancellation)?;
    Ok((forces::forces_of(&state)?, stress::stress_of(&state)?))
}

#[cfg(test)]
mod tests;
