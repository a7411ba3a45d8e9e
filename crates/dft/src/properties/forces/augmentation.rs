//! Forces of the augmentation charges.

use crate::{
    DftError,
    properties::{augmentation_moments::AugmentationMoments, ground_state::GroundState},
    pseudo::real_spherical_harmonics,
    vector::Vector3,
};

/// Steps of the charge of one atom at one plane wave.
const STEPS_PER_WAVE: usize = 16;

/// `F = −Σ_G Re V* (−iG) e^{−iG·τ} Σ_ij ρ_ij Q_ij(G)`: the augmentation charge moved along, its
/// electrons held. The change of ρ_ij belongs to the non-local term.
pub(super) fn augmentation(state: &GroundState<'_>) -> Result<Vec<Vector3>, DftError> {
    let (model, grid) = (&state.basis.model, &state.basis.density_grid);
    let mut forces = vec![[0.0; 3]; model.atoms.len()];
    let occupations = &state.result.density.projector_occupations;
    let mut pace = state.cancellation.pace();
    let mut atoms = AugmentationMoments::of_atoms(model, grid, occupations);
    let Some(l_max) = atoms.iter().map(|atom| atom.l_max).max() else {
        return Ok(forces);
    };
    let potential = &state.kohn_sham.potential;
    // G = 0 comes first and pulls nowhere.
    for (index, _) in grid.opposite_pairs().into_iter().skip(1) {
        pace.spend(STEPS_PER_WAVE * atoms.len())?;
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
