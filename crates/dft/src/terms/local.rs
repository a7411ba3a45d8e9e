//! Local part of the pseudopotentials: `E = ∫ V ρ`, `V(G) = Ω⁻¹ Σ_atoms v(|G|) e^{−iG·τ}`.

use rustfft::num_complex::Complex64;

use crate::{basis::DensityGrid, model::Model, structure_factor::StructurePhases};

/// V(G) in hartree.
pub(crate) fn local_potential(model: &Model, grid: &DensityGrid) -> Vec<Complex64> {
    sum_over_atoms(model, grid, |species, g| model.species[species].local(g))
}

/// Sum of the atoms' valence densities, in bohr⁻³, scaled to the number of electrons.
pub(crate) fn atomic_density(model: &Model, grid: &DensityGrid) -> Vec<Complex64> {
    let mut density = sum_over_atoms(model, grid, |species, g| {
        model.species[species].atomic_density(g)
    });
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
    density
}

/// Sum of the atoms' core densities for the non-linear core correction, in bohr⁻³; `None` where
/// no species has one.
pub(crate) fn core_density(model: &Model, grid: &DensityGrid) -> Option<Vec<Complex64>> {
    model
        .species
        .iter()
        .any(|species| species.has_core_charge())
        .then(|| {
            sum_over_atoms(model, grid, |species, g| {
                model.species[species].core_density(g)
            })
        })
}

/// `Ω⁻¹ Σ_species f(|G|) Σ_atoms e^{−iG·τ}`; f is evaluated once a shell.
pub(crate) fn sum_over_atoms(
    model: &Model,
    grid: &DensityGrid,
    form_factor: impl Fn(usize, f64) -> f64,
) -> Vec<Complex64> {
    let mut field = vec![Complex64::new(0.0, 0.0); grid.len()];
    for species in 0..model.species.len() {
        let atoms = || model.atoms.iter().filter(|atom| atom.species == species);
        if atoms().next().is_none() {
            continue;
        }
        let by_shell: Vec<f64> = grid
            .shell_g
            .iter()
            .map(|&g| form_factor(species, g) / model.cell.volume())
            .collect();
        for atom in atoms() {
            let phases = StructurePhases::new(atom.frac, &grid.miller);
            for (g, value) in field.iter_mut().enumerate() {
                *value += by_shell[grid.shell[g] as usize] * phases.phase(grid.miller[g]);
            }
        }
    }
    field
}
