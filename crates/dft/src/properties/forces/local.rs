use rustfft::num_complex::Complex64;

use crate::{
    basis::DensityGrid, model::Model, properties::ground_state::GroundState,
    structure_factor::StructurePhases, vector::Vector3,
};

/// `F = −Ω Σ_G Re (−iG V_κ)* ρ` with the potential V_κ of one atom.
pub(super) fn local(state: &GroundState<'_>) -> Vec<Vector3> {
    let (model, grid) = (&state.basis.model, &state.basis.density_grid);
    let density = &state.result.density.field;
    form_factor_forces(model, grid, density, |species, g| {
        model.species[species].local(g)
    })
}

/// The same of the core density in the potential of exchange and correlation.
pub(super) fn core_correction(state: &GroundState<'_>) -> Vec<Vector3> {
    let (model, grid) = (&state.basis.model, &state.basis.density_grid);
    if state.terms.core.is_none() {
        return vec![[0.0; 3]; model.atoms.len()];
    }
    let potential = &state.kohn_sham.xc_potential;
    form_factor_forces(model, grid, potential, |species, g| {
        model.species[species].core_density(g)
    })
}

/// `−∂/∂τ Σ_G Re f* h(|G|) e^{−iG·τ}` for each atom, h the form factor of its species.
fn form_factor_forces(
    model: &Model,
    grid: &DensityGrid,
    f: &[Complex64],
    form_factor: impl Fn(usize, f64) -> f64,
) -> Vec<Vector3> {
    let by_shell: Vec<Option<Vec<f64>>> = (0..model.species.len())
        .map(|species| {
            let occurs = model.atoms.iter().any(|atom| atom.species == species);
            let form = || grid.shell_g.iter().map(|&g| form_factor(species, g));
            occurs.then(|| form().collect())
        })
        .collect();
    let of_atom = |atom: &crate::model::Atom| {
        let mut force = [0.0; 3];
        let Some(form) = &by_shell[atom.species] else {
            return force;
        };
        let phases = StructurePhases::new(atom.frac, &grid.miller);
        for (index, f) in f.iter().enumerate() {
            // Re f* (−iG) h = G Im(f* h)
            let h = phases.phase(grid.miller[index]) * form[grid.shell[index] as usize];
            let factor = (f.conj() * h).im;
            for (force, g) in force.iter_mut().zip(grid.g_cart[index]) {
                *force -= g * factor;
            }
        }
        force
    };
    model.atoms.iter().map(of_atom).collect()
}
