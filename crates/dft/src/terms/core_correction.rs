//! The core's density in exchange and correlation (S. G. Louie, S. Froyen and M. L. Cohen, Phys. Rev. B 26,
//! 1738 (1982)).

use rustfft::num_complex::Complex64;

use super::atomic_form_factors::{form_factor_forces, form_factor_strain, sum_over_atoms};
use crate::{
    DftError,
    basis::DensityGrid,
    cancellation::Cancellation,
    model::Model,
    vector::{Matrix3, Vector3},
};

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

/// `F = −Ω Σ_G Re (−iG ρ_core,κ)* V` with the core ρ_core,κ of one atom in the potential V of exchange and
/// correlation, in hartree/bohr.
///
/// # Errors
/// [`DftError::Cancelled`].
pub(crate) fn core_forces(
    model: &Model,
    grid: &DensityGrid,
    potential: &[Complex64],
    cancellation: Cancellation<'_>,
) -> Result<Vec<Vector3>, DftError> {
    form_factor_forces(cancellation, model, grid, potential, |species, g| {
        model.species[species].core_density(g)
    })
}

/// `−Ω Σ_G Re V* (dρ_core/d|G|) G_a G_b / |G|` in hartree: the core's part of the strain derivative of exchange and
/// correlation.
///
/// # Errors
/// [`DftError::Cancelled`].
pub(crate) fn core_strain(
    model: &Model,
    grid: &DensityGrid,
    potential: &[Complex64],
    cancellation: Cancellation<'_>,
) -> Result<Matrix3, DftError> {
    let derivative = sum_over_atoms(cancellation, model, grid, |species, g| {
        model.species[species].core_density_derivative(g)
    })?;
    Ok(form_factor_strain(grid, potential, &derivative))
}
