//! Forces of the non-local potential.

use rustfft::num_complex::Complex64;

use super::sum::sum_of_forces;
use crate::{
    DftError,
    parallel::parallel_map,
    properties::{ground_state::GroundState, nonlocal_weights::coupled_projections},
    terms::nonlocal::Projectors,
    vector::Vector3,
};

/// `F = −Σ_n f_n 2 Re Σ_ij ⟨ψ|∂β_i/∂τ⟩ (D_ij − ε_n q_ij) ⟨β_j|ψ⟩`, `∂β/∂τ = −iq β`.
pub(super) fn nonlocal(state: &GroundState<'_>) -> Result<Vec<Vector3>, DftError> {
    let sides = state.kohn_sham.coupling.sides();
    let total: usize = sides.iter().sum();
    let by_k_point = parallel_map(state.threads, 0..state.basis.waves.len(), |k| {
        state.cancellation.check()?;
        let waves = &state.basis.waves[k];
        let coupled = coupled_projections(state, k).coupled;
        let mut forces = vec![[0.0; 3]; sides.len()];
        if total == 0 {
            return Ok(forces);
        }
        let mut spare = Projectors::NONE;
        let projectors = state.projectors.at(state.basis, k, &mut spare);
        let bands = state.bands_at(k);
        let q_cart = waves.q_cart(&state.basis.model.cell);
        for axis in 0..3 {
            state.cancellation.check()?;
            let weighted: Vec<Complex64> = bands
                .chunks_exact(waves.len())
                .flat_map(|band| band.iter().zip(&q_cart).map(|(c, q)| c * q[axis]))
                .collect();
            // ⟨−iq β|ψ⟩ = i ⟨β|q ψ⟩
            let moved = projectors.project(&weighted);
            let columns = moved.chunks_exact(total).zip(coupled.chunks_exact(total));
            for (moved, coupled) in columns {
                let mut first = 0;
                for (force, side) in forces.iter_mut().zip(sides) {
                    let range = first..first + side;
                    let pairs = moved[range.clone()].iter().zip(&coupled[range]);
                    // Re (i m)* c = Im m* c
                    let sum: f64 = pairs.map(|(m, c)| (m.conj() * c).im).sum();
                    force[axis] -= 2.0 * sum;
                    first += side;
                }
            }
        }
        Ok(forces)
    });
    let by_k_point: Vec<_> = by_k_point.into_iter().collect::<Result<_, DftError>>()?;
    Ok(sum_of_forces(sides.len(), by_k_point))
}
