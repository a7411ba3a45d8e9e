//! Forces of the ions among each other.

use std::f64::consts::PI;

use crate::{
    DftError,
    properties::ground_state::GroundState,
    terms::ewald::{Pair, PointCharges},
    vector::Vector3,
};

/// `F_i = Σ_j Z Z (df/dr) (r_j − r_i)/r − 4π/Ω Σ_{G≠0} g G Im(S* Zᵢ e^{−iG·τᵢ})`, with
/// `f = erfc(√η r)/r` and `g = e^{−G²/4η}/G²`.
pub(super) fn ewald(state: &GroundState<'_>) -> Result<Vec<Vector3>, DftError> {
    let (model, cancellation) = (&state.basis.model, state.cancellation);
    let charges = PointCharges::of(model);
    let mut forces = vec![[0.0; 3]; model.atoms.len()];
    charges.visit_pairs(
        cancellation,
        |Pair {
             home,
             apart,
             r,
             product,
         }| {
            let factor = product * charges.slope(r) / r;
            for (force, apart) in forces[home].iter_mut().zip(apart) {
                *force += factor * apart;
            }
        },
    )?;
    let scale = 4.0 * PI / model.cell.volume();
    charges.visit_reciprocal(cancellation, |m, g, _, damping, structure| {
        for (atom, force) in forces.iter_mut().enumerate() {
            let own = charges.phase(atom, m) * charges.charges[atom];
            let factor = scale * damping * (structure.conj() * own).im;
            for (force, g) in force.iter_mut().zip(g) {
                *force -= factor * g;
            }
        }
    })?;
    Ok(forces)
}
