//! Forces on the atoms, one file per term of the energy, in hartree/bohr.

mod augmentation;
mod ewald;
mod local;

use std::num::NonZeroUsize;

use super::ground_state::GroundState;
use crate::{
    DftError,
    basis::PlaneWaveBasis,
    cancellation::Cancellation,
    scf::ScfResult,
    symmetry::image_of_atoms,
    terms::sum_of_forces::sum_of_forces,
    vector::{Vector3, dot},
};

/// The forces of one term of the energy.
pub(crate) type Term = fn(&GroundState<'_>) -> Result<Vec<Vector3>, DftError>;

/// All terms that forces come from.
pub(crate) const TERMS: [Term; 5] = [
    local::local,
    local::core_correction,
    nonlocal,
    augmentation::augmentation,
    ewald::ewald,
];

fn nonlocal(state: &GroundState<'_>) -> Result<Vec<Vector3>, DftError> {
    state
        .bands
        .nonlocal_forces(state.weights(), state.cancellation)
}

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
    let state = GroundState::new(basis, result, threads, Cancellation::NEVER)?;
    forces_of(&state)
}

/// # Errors
/// [`DftError::Cancelled`].
pub(super) fn forces_of(state: &GroundState<'_>) -> Result<Vec<Vector3>, DftError> {
    let total = raw_forces(state)?;
    let mut forces = symmetrized(state.basis, &total);
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

/// The forces as they are computed, neither symmetrised nor freed of their mean.
///
/// # Errors
/// [`DftError::Cancelled`].
pub(super) fn raw_forces(state: &GroundState<'_>) -> Result<Vec<Vector3>, DftError> {
    let of_terms = TERMS.iter().map(|term| term(state));
    let of_terms: Vec<Vec<Vector3>> = of_terms.collect::<Result<_, _>>()?;
    Ok(sum_of_forces(state.basis.model.atoms.len(), of_terms))
}

/// `F_b ← N⁻¹ Σ_ops R F_a`, a the atom that the operation moves to b.
fn symmetrized(basis: &PlaneWaveBasis, forces: &[Vector3]) -> Vec<Vector3> {
    let share = 1.0 / basis.operations.len() as f64;
    let mut mean = vec![[0.0; 3]; forces.len()];
    for operation in &basis.operations {
        let Some(image) = image_of_atoms(&basis.model, operation) else {
            continue;
        };
        let rotation = operation.cartesian_rotation(&basis.model.cell);
        for (&to, &force) in image.iter().zip(forces) {
            for (mean, row) in mean[to].iter_mut().zip(rotation) {
                *mean += share * dot(row, force);
            }
        }
    }
    mean
}
