//! Local part of the pseudopotentials: `E = ∫ V ρ`, `V(G) = Ω⁻¹ Σ_atoms v(|G|) e^{−iG·τ}`.

use rustfft::num_complex::Complex64;

use super::{
    atomic_form_factors::{form_factor_forces, form_factor_strain, sum_over_atoms},
    strain::add_diagonal,
};
use crate::{
    DftError,
    basis::DensityGrid,
    cancellation::Cancellation,
    model::Model,
    vector::{Matrix3, Vector3},
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

/// `F = −Ω Σ_G Re (−iG V_κ)* ρ` with the potential V_κ of one atom, in hartree/bohr.
///
/// # Errors
/// [`DftError::Cancelled`].
pub(crate) fn local_forces(
    model: &Model,
    grid: &DensityGrid,
    density: &[Complex64],
    cancellation: Cancellation<'_>,
) -> Result<Vec<Vector3>, DftError> {
    form_factor_forces(cancellation, model, grid, density, |species, g| {
        model.species[species].local(g)
    })
}

/// `∂E/∂ε_ab = −E δ_ab − Ω Σ_G Re ρ* (dV/d|G|) G_a G_b / |G|` in hartree, the electrons Ωρ(G) held.
///
/// # Errors
/// [`DftError::Cancelled`].
pub(crate) fn local_strain(
    model: &Model,
    grid: &DensityGrid,
    potential: &[Complex64],
    density: &[Complex64],
    cancellation: Cancellation<'_>,
) -> Result<Matrix3, DftError> {
    let derivative = sum_over_atoms(cancellation, model, grid, |species, g| {
        model.species[species].local_derivative(g)
    })?;
    let mut sum = form_factor_strain(grid, density, &derivative);
    add_diagonal(&mut sum, -grid.integrate_product(potential, density));
    Ok(sum)
}
