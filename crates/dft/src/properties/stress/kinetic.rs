//! Stress of the kinetic energy.

use crate::{
    DftError,
    parallel::parallel_map,
    properties::{
        ground_state::GroundState,
        strain::{add_outer, sum_of_tensors},
    },
    vector::Matrix3,
};

/// `∂E/∂ε_ab = −Σ f q_a q_b |c(G)|²`, q = k + G: a strain shortens the wave vectors.
pub(super) fn kinetic(state: &GroundState<'_>) -> Result<Matrix3, DftError> {
    let by_k_point = parallel_map(state.threads, 0..state.basis.waves.len(), |k| {
        state.cancellation.check()?;
        let waves = &state.basis.waves[k];
        let bands = state.bands_at(k);
        let occupations = &state.result.occupations[k];
        let mut charge = vec![0.0; waves.len()];
        for (band, occupation) in bands.chunks_exact(waves.len()).zip(occupations) {
            let weight = waves.k_point.weight * occupation;
            if weight == 0.0 {
                continue;
            }
            for (sum, c) in charge.iter_mut().zip(band) {
                *sum += weight * c.norm_sqr();
            }
        }
        let mut sum = [[0.0; 3]; 3];
        for (q, charge) in waves
            .q_cart(&state.basis.model.cell)
            .into_iter()
            .zip(charge)
        {
            add_outer(&mut sum, -charge, q, q);
        }
        Ok(sum)
    });
    let by_k_point: Vec<_> = by_k_point.into_iter().collect::<Result<_, DftError>>()?;
    Ok(sum_of_tensors(by_k_point))
}
