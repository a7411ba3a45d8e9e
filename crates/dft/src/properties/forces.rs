//! Forces on the atoms.

use std::num::NonZeroUsize;

use super::ground_state_of;
use crate::{
    DftError,
    basis::PlaneWaveBasis,
    cancellation::Cancellation,
    scf::ScfResult,
    symmetry::symmetrized_forces,
    terms::{GroundState, forces_of_terms},
    vector::Vector3,
};

/// The forces on the atoms `F = −∂E/∂τ` in hartree/bohr, Cartesian, one per atom.
///
/// By the Hellmann–Feynman theorem, with the potentials that the atoms carry along: P. Giannozzi et
/// al., J. Phys.: Condens. Matter 29, 465901 (2017); for augmentation charges K. Laasonen et al.,
/// Phys. Rev. B 47, 10142 (1993), eq. (39). Symmetrised, and their mean, which is an error of the
/// mesh on which exchange and correlation are summed, taken off, as `pw.x` does.
///
/// The error is of first order in what is left of the density's residual: converge well.
///
/// # Errors
/// [`DftError::NoBands`] for a loop that was cancelled or broke down.
pub fn forces(
    basis: &PlaneWaveBasis,
    result: &ScfResult,
    threads: NonZeroUsize,
) -> Result<Vec<Vector3>, DftError> {
    let state = ground_state_of(basis, result, threads, Cancellation::NEVER)?;
    forces_of(&state)
}

/// # Errors
/// [`DftError::Cancelled`].
pub(super) fn forces_of(state: &GroundState<'_>) -> Result<Vec<Vector3>, DftError> {
    let total = forces_of_terms(state)?;
    let basis = state.basis;
    let mut forces = symmetrized_forces(&basis.model, &basis.operations, &total);
    let count = forces.len() as f64;
    let mean: Vector3 =
        std::array::from_fn(|axis| forces.iter().map(|f| f[axis]).sum::<f64>() / count);
    for force in &mut forces {
        for (force, mean) in force.iter_mut().zip(mean) {
            *force -= mean;
        }
    }
    Ok(forces)
}
