//! Stress of the augmentation charges.

use crate::{
    DftError,
    properties::{augmentation_moments::AugmentationMoments, ground_state::GroundState},
    pseudo::{real_spherical_harmonics, real_spherical_harmonics_gradient},
    terms::strain::add_outer,
    vector::{Matrix3, dot},
};

/// Steps of the change of one atom's charge at one plane wave.
const STEPS_PER_WAVE: usize = 64;

/// `∂E/∂ε_ab = −Σ_G Re V* e^{−iG·τ} Σ_ij ρ_ij G_b ∂_a Q_ij(G)`: the change of the augmentation
/// charges' shape, their electrons held. That of ρ_ij belongs to the non-local term.
pub(super) fn augmentation(state: &GroundState<'_>) -> Result<Matrix3, DftError> {
    let grid = &state.basis.density_grid;
    let occupations = &state.result.density.projector_occupations;
    let mut pace = state.cancellation.pace();
    let mut atoms = AugmentationMoments::of_atoms(&state.basis.model, grid, occupations);
    let mut sum = [[0.0; 3]; 3];
    let Some(l_max) = atoms.iter().map(|atom| atom.l_max).max() else {
        return Ok(sum);
    };
    let potential = &state.kohn_sham.potential;
    // G = 0 comes first and has no strain.
    for (index, _) in grid.opposite_pairs().into_iter().skip(1) {
        pace.spend(STEPS_PER_WAVE * atoms.len())?;
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
