//! The density of free atoms, one beside the other.

use rustfft::num_complex::Complex64;

use super::atomic_form_factors::sum_over_atoms;
use crate::{DftError, basis::DensityGrid, cancellation::Cancellation, model::Model};

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
