//! Local part of the pseudopotentials: `E = ∫ V ρ`, `V(G) = Ω⁻¹ Σ_atoms v(|G|) e^{−iG·τ}`.

use rustfft::num_complex::Complex64;

use crate::{
    DftError, basis::DensityGrid, cancellation::Cancellation, model::Model,
    structure_factor::StructurePhases,
};

/// V(G) in hartree.
pub(crate) fn local_potential(
    model: &Model,
    grid: &DensityGrid,
    cancellation: Cancellation<'_>,
) -> Result<Vec<Complex64>, DftError> {
    sum_over_atoms(cancellation, model, grid, |species, g| {
        model.species[species].local(g)
    })
}

/// Sum of the atoms' valence densities, in bohr⁻³, scaled to the number of electrons.
pub(crate) fn atomic_density(model: &Model, grid: &DensityGrid) -> Vec<Complex64> {
    atomic_density_unless(Cancellation::NEVER, model, grid).unwrap_or_default()
}

/// As [`atomic_density`], unless it is cancelled.
pub(crate) fn atomic_density_unless(
    cancellation: Cancellation<'_>,
    model: &Model,
    grid: &DensityGrid,
) -> Result<Vec<Complex64>, DftError> {
    let mut density = sum_over_atoms(cancellation, model, grid, |species, g| {
        model.species[species].atomic_density(g)
    })?;
    let found = density[0].re * model.cell.volume();
    let scale = if found > 1e-8 {
        model.electron_count() / found
    } else {
        1.0
    };
    for value in &mut density {
        *value *= scale;
    }
    density[0] = Complex64::new(model.electron_count() / model.cell.volume(), 0.0);
    Ok(density)
}

/// Sum of the atoms' core densities for the non-linear core correction, in bohr⁻³; `None` where
/// no species has one.
pub(crate) fn core_density(
    model: &Model,
    grid: &DensityGrid,
    cancellation: Cancellation<'_>,
) -> Result<Option<Vec<Complex64>>, DftError> {
    model
        .species
        .iter()
        .any(|species| species.has_core_charge())
        .then(|| {
            sum_over_atoms(cancellation, model, grid, |species, g| {
                model.species[species].core_density(g)
            })
        })
        .transpose()
}

/// `Ω⁻¹ Σ_species f(|G|) Σ_atoms e^{−iG·τ}`; f is evaluated once a shell.
///
/// # Errors
/// [`DftError::Cancelled`].
pub(crate) fn sum_over_atoms(
    cancellation: Cancellation<'_>,
    model: &Model,
    grid: &DensityGrid,
    form_factor: impl Fn(usize, f64) -> f64,
) -> Result<Vec<Complex64>, DftError> {
    /// Steps of a form factor that is integrated over a radial mesh.
    const STEPS_PER_SHELL: usize = 4096;
    let mut pace = cancellation.pace();
    let mut field = vec![Complex64::new(0.0, 0.0); grid.len()];
    for species in 0..model.species.len() {
        let atoms = || model.atoms.iter().filter(|atom| atom.species == species);
        if atoms().next().is_none() {
            continue;
        }
        let mut by_shell: Vec<f64> = Vec::with_capacity(grid.shell_g.len());
        for &g in &grid.shell_g {
            pace.spend(STEPS_PER_SHELL)?;
            by_shell.push(form_factor(species, g) / model.cell.volume());
        }
        for atom in atoms() {
            let phases = StructurePhases::new(atom.frac, &grid.miller);
            for (g, value) in field.iter_mut().enumerate() {
                pace.spend(1)?;
                *value += by_shell[grid.shell[g] as usize] * phases.phase(grid.miller[g]);
            }
        }
    }
    Ok(field)
}
