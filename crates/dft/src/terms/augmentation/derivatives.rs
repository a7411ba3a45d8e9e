//! Forces and stress of the augmentation charges.

use rustfft::num_complex::Complex64;

use super::moments::AugmentationMoments;
use crate::{
    DftError,
    basis::DensityGrid,
    cancellation::Cancellation,
    model::Model,
    pseudo::{real_spherical_harmonics, real_spherical_harmonics_gradient},
    terms::{projector_matrices::ProjectorMatrices, strain::add_outer},
    vector::{Matrix3, Vector3, dot},
};

/// Steps of the charge of one atom at one plane wave, and of its change.
const FORCE_STEPS_PER_WAVE: usize = 16;
const STRAIN_STEPS_PER_WAVE: usize = 64;

/// `F = −Σ_G Re V* (−iG) e^{−iG·τ} Σ_ij ρ_ij Q_ij(G)`: the augmentation charge moved along, its
/// electrons held. The change of ρ_ij belongs to the non-local term.
///
/// # Errors
/// [`DftError::Cancelled`].
pub(crate) fn augmentation_forces(
    model: &Model,
    grid: &DensityGrid,
    potential: &[Complex64],
    occupations: &ProjectorMatrices,
    cancellation: Cancellation<'_>,
) -> Result<Vec<Vector3>, DftError> {
    let mut forces = vec![[0.0; 3]; model.atoms.len()];
    let mut pace = cancellation.pace();
    let mut atoms = AugmentationMoments::of_atoms(model, grid, occupations);
    let Some(l_max) = atoms.iter().map(|atom| atom.l_max).max() else {
        return Ok(forces);
    };
    // G = 0 comes first and pulls nowhere.
    for (index, _) in grid.opposite_pairs().into_iter().skip(1) {
        pace.spend(FORCE_STEPS_PER_WAVE * atoms.len())?;
        let index = index as usize;
        let g = grid.g_cart[index];
        let y = real_spherical_harmonics(l_max, g);
        let length = grid.shell_g[grid.shell[index] as usize];
        for atom in &mut atoms {
            let [charge] = atom.sums(length, [&y]);
            let charge = atom.phases.phase(grid.miller[index]) * charge;
            // Twice for the opposite wave.
            let factor = 2.0 * (potential[index].conj() * charge).im;
            for (force, g) in forces[atom.atom].iter_mut().zip(g) {
                *force -= g * factor;
            }
        }
    }
    Ok(forces)
}

/// `∂E/∂ε_ab = −Σ_G Re V* e^{−iG·τ} Σ_ij ρ_ij G_b ∂_a Q_ij(G)`: the change of the augmentation
/// charges' shape, their electrons held. That of ρ_ij belongs to the non-local term.
///
/// # Errors
/// [`DftError::Cancelled`].
pub(crate) fn augmentation_strain(
    model: &Model,
    grid: &DensityGrid,
    potential: &[Complex64],
    occupations: &ProjectorMatrices,
    cancellation: Cancellation<'_>,
) -> Result<Matrix3, DftError> {
    let mut pace = cancellation.pace();
    let mut atoms = AugmentationMoments::of_atoms(model, grid, occupations);
    let mut sum = [[0.0; 3]; 3];
    let Some(l_max) = atoms.iter().map(|atom| atom.l_max).max() else {
        return Ok(sum);
    };
    // G = 0 comes first and has no strain.
    for (index, _) in grid.opposite_pairs().into_iter().skip(1) {
        pace.spend(STRAIN_STEPS_PER_WAVE * atoms.len())?;
        let index = index as usize;
        let (g, shell) = (grid.g_cart[index], grid.shell[index]);
        let of_shell = grid.shell_g[shell as usize];
        let y = real_spherical_harmonics(l_max, g);
        let dy = real_spherical_harmonics_gradient(l_max, g);
        let length = dot(g, g).sqrt();
        let dy: [Vec<f64>; 3] = std::array::from_fn(|a| dy.iter().map(|dy| dy[a]).collect());
        for atom in &mut atoms {
            // Twice for the opposite wave.
            let z = potential[index].conj() * atom.phases.phase(grid.miller[index]) * 2.0;
            let radial = z * atom.sum_of_derivatives(of_shell, &y);
            let angular = atom.sums(of_shell, dy.each_ref().map(Vec::as_slice));
            let slope = std::array::from_fn(|a| radial.re * g[a] / length + (z * angular[a]).re);
            add_outer(&mut sum, -1.0, slope, g);
        }
    }
    Ok(sum)
}
