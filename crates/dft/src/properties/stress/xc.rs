//! Stress of exchange and correlation.

use super::local::form_factor_strain;
use crate::{
    DftError,
    properties::ground_state::GroundState,
    terms::{
        local::sum_over_atoms,
        strain::{add_diagonal, add_outer},
        xc::{OrbitValues, gradient},
    },
    vector::Matrix3,
};

/// `∂E/∂ε_ab = (E − ∫ V ρ) δ_ab − 2 ∫ ∂f/∂σ ∂_aρ ∂_bρ − Ω Σ_G Re V* (dρ_core/d|G|) G_a G_b / |G|`,
/// ρ with the core density, the electrons Ωρ(G) held.
pub(super) fn exchange_correlation(state: &GroundState<'_>) -> Result<Matrix3, DftError> {
    let (model, grid) = (&state.basis.model, &state.basis.density_grid);
    let potential = &state.kohn_sham.xc_potential;
    let mut density = state.result.density.field.clone();
    let mut sum = [[0.0; 3]; 3];
    if let Some(core) = &state.terms.core {
        for (rho, core) in density.iter_mut().zip(core) {
            *rho += core;
        }
        let derivative = sum_over_atoms(state.cancellation, model, grid, |species, g| {
            model.species[species].core_density_derivative(g)
        })?;
        sum = form_factor_strain(grid, potential, &derivative);
    }
    add_diagonal(
        &mut sum,
        state.kohn_sham.xc_ha - grid.integrate_product(potential, &density),
    );
    if model.functional.needs_gradient() {
        state.cancellation.check()?;
        let values = grid.to_real(&density);
        state.cancellation.check()?;
        let slopes = gradient(grid, &density);
        let orbits = &state.basis.point_orbits;
        let gradient = Some(&slopes);
        let found = OrbitValues::of(
            model.functional,
            orbits,
            &values,
            gradient,
            state.threads,
            state.cancellation,
        )?;
        let share = grid.cell.volume() / values.len() as f64;
        for (r, &orbit) in orbits.orbit_of().iter().enumerate() {
            let slope = [0, 1, 2].map(|axis| slopes[axis][r]);
            let factor = -2.0 * share * found.v_sigma[orbit as usize];
            add_outer(&mut sum, factor, slope, slope);
        }
    }
    Ok(sum)
}
