use std::f64::consts::PI;

use crate::{
    DftError,
    properties::ground_state::GroundState,
    terms::{
        hartree::hartree_energy,
        strain::{add_diagonal, add_outer},
    },
    vector::Matrix3,
};

/// `∂E/∂ε_ab = −E δ_ab + Ω Σ_{G≠0} 4π |ρ|² G_a G_b / G⁴`, the electrons Ωρ(G) held.
pub(super) fn hartree(state: &GroundState<'_>) -> Result<Matrix3, DftError> {
    let grid = &state.basis.density_grid;
    let density = &state.result.density.field;
    state.cancellation.check()?;
    let mut sum = [[0.0; 3]; 3];
    for ((rho, &g), g2) in density.iter().zip(&grid.g_cart).zip(&grid.g2).skip(1) {
        let factor = 4.0 * PI * grid.cell.volume() * rho.norm_sqr() / (g2 * g2);
        add_outer(&mut sum, factor, g, g);
    }
    add_diagonal(&mut sum, -hartree_energy(grid, density));
    Ok(sum)
}
