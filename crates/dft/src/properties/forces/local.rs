//! Forces of the local potential, and of the core charges in that of exchange and correlation.

use rustfft::num_complex::Complex64;

use crate::{
    DftError,
    basis::DensityGrid,
    cancellation::Cancellation,
    model::{Atom, Model},
    properties::ground_state::GroundState,
    structure_factor::StructurePhases,
    vector::Vector3,
};

/// `F = −Ω Σ_G Re (−iG V_κ)* ρ` with the potential V_κ of one atom.
pub(super) fn local(state: &GroundState<'_>) -> Result<Vec<Vector3>, DftError> {
    let (model, grid) = (&state.basis.model, &state.basis.density_grid);
    let density = &state.result.density.field;
    form_factor_forces(state.cancellation, model, grid, density, |species, g| {
        model.species[species].local(g)
    })
}

/// The same of the core density in the potential of exchange and correlation.
pub(super) fn core_correction(state: &GroundState<'_>) -> Result<Vec<Vector3>, DftError> {
    let (model, grid) = (&state.basis.model, &state.basis.density_grid);
    if state.terms.core.is_none() {
        return Ok(vec![[0.0; 3]; model.atoms.len()]);
    }
    let potential = &state.kohn_sham.xc_potential;
    form_factor_forces(state.cancellation, model, grid, potential, |species, g| {
        model.species[species].core_density(g)
    })
}

/// `−∂/∂τ Σ_G Re f* h(|G|) e^{−iG·τ}` for each atom, h the form factor of its species.
fn form_factor_forces(
    cancellation: Cancellation<'_>,
    model: &Model,
    grid: &DensityGrid,
    f: &[Complex64],
    form_factor: impl Fn(usize, f64) -> f64,
) -> Result<Vec<Vector3>, DftError> {
    /// Steps of a form factor that is integrated over a radial mesh.
    const STEPS_PER_SHELL: usize = 4096;
    let mut pace = cancellation.pace();
    let mut by_shell: Vec<Vec<f64>> = Vec::with_capacity(model.species.len());
    for species in 0..model.species.len() {
        let occurs = model.atoms.iter().any(|atom| atom.species == species);
        let mut form = Vec::new();
        for &g in grid.shell_g.iter().filter(|_| occurs) {
            pace.spend(STEPS_PER_SHELL)?;
            form.push(form_factor(species, g));
        }
        by_shell.push(form);
    }
    let of_atom = |atom: &Atom| {
        let mut force = [0.0; 3];
        let form = &by_shell[atom.species];
        let phases = StructurePhases::new(atom.frac, &grid.miller);
        for (index, f) in f.iter().enumerate() {
            pace.spend(1)?;
            // Re f* (−iG) h = G Im(f* h)
            let h = phases.phase(grid.miller[index]) * form[grid.shell[index] as usize];
            let factor = (f.conj() * h).im;
            for (force, g) in force.iter_mut().zip(grid.g_cart[index]) {
                *force -= g * factor;
            }
        }
        Ok(force)
    };
    model.atoms.iter().map(of_atom).collect()
}
