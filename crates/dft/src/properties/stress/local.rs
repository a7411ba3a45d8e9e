//! Stress of the local potential.

use rustfft::num_complex::Complex64;

use crate::{
    DftError,
    basis::DensityGrid,
    properties::ground_state::GroundState,
    terms::{
        local::sum_over_atoms,
        strain::{add_diagonal, add_outer},
    },
    vector::Matrix3,
};

/// `∂E/∂ε_ab = −E δ_ab − Ω Σ_G Re ρ* (dV/d|G|) G_a G_b / |G|`, the electrons Ωρ(G) held.
pub(super) fn local(state: &GroundState<'_>) -> Result<Matrix3, DftError> {
    let (model, grid) = (&state.basis.model, &state.basis.density_grid);
    let density = &state.result.density.field;
    let derivative = sum_over_atoms(state.cancellation, model, grid, |species, g| {
        model.species[species].local_derivative(g)
    })?;
    let mut sum = form_factor_strain(grid, density, &derivative);
    add_diagonal(
        &mut sum,
        -grid.integrate_product(&state.terms.local, density),
    );
    Ok(sum)
}

/// `−Ω Σ_{G≠0} Re f* h G_a G_b / |G|`, where h is the derivative of a field by |G|.
pub(super) fn form_factor_strain(grid: &DensityGrid, f: &[Complex64], h: &[Complex64]) -> Matrix3 {
    let mut sum = [[0.0; 3]; 3];
    let waves = grid.g_cart.iter().zip(&grid.g2);
    for ((f, h), (&g, g2)) in f.iter().zip(h).zip(waves).skip(1) {
        let factor = -grid.cell.volume() * (f.re * h.re + f.im * h.im) / g2.sqrt();
        add_outer(&mut sum, factor, g, g);
    }
    sum
}
