//! Stress of the ions among each other.

use std::f64::consts::PI;

use crate::{
    DftError,
    properties::ground_state::GroundState,
    terms::{
        ewald::{Pair, PointCharges},
        strain::{add_diagonal, add_outer},
    },
    vector::Matrix3,
};

/// `∂E/∂ε_ab = ½ Σ' Z Z (df/dr) r_a r_b / r + Ω⁻¹ Σ_{G≠0} 4π g |S|² (1/G² + 1/4η) G_a G_b
/// − (E_G + E_0) δ_ab` with `f = erfc(√η r)/r`, `g = e^{−G²/4η}/G²` and the energies E_G, E_0 of the
/// reciprocal sum and of the background.
pub(super) fn ewald(state: &GroundState<'_>) -> Result<Matrix3, DftError> {
    let (model, cancellation) = (&state.basis.model, state.cancellation);
    let charges = PointCharges::of(model);
    let (eta, volume) = (charges.eta, model.cell.volume());
    let mut sum = [[0.0; 3]; 3];
    let mut reciprocal_energy = 0.0;
    charges.visit_reciprocal(cancellation, |_, g, g2, damping, structure| {
        let energy = 2.0 * PI / volume * damping * structure.norm_sqr();
        reciprocal_energy += energy;
        add_outer(&mut sum, 2.0 * energy * (1.0 / g2 + 0.25 / eta), g, g);
    })?;
    charges.visit_pairs(
        cancellation,
        |Pair {
             apart, r, product, ..
         }| {
            add_outer(&mut sum, 0.5 * product * charges.slope(r) / r, apart, apart);
        },
    )?;
    let total: f64 = charges.charges.iter().sum();
    let background = -PI / (2.0 * volume * eta) * total * total;
    add_diagonal(&mut sum, -reciprocal_energy - background);
    Ok(sum)
}
