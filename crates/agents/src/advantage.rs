//! Generalised advantage estimation.

/// Generalised advantage estimates of one complete episode (Schulman et al. 2016, equation 16).
///
/// `A_t = Σ_l (γλ)^l δ_{t+l}` with `δ_t = r_t + γ V(s_{t+1}) − V(s_t)` and `V = 0` after the last
/// step. All lists are as long as the episode.
pub fn generalized_advantages(
    rewards: &[f64],
    values: &[f64],
    discount: f64,
    lambda: f64,
) -> Vec<f64> {
    let mut advantages = vec![0.0; rewards.len()];
    let (mut next_value, mut next_advantage) = (0.0, 0.0);
    for step in (0..rewards.len()).rev() {
        let delta = rewards[step] + discount * next_value - values[step];
        next_advantage = delta + discount * lambda * next_advantage;
        next_value = values[step];
        advantages[step] = next_advantage;
    }
    advantages
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Closed form: with one reward at the end and no values, `A_t = (γλ)^(N−1−t) r`.
    #[test]
    fn one_late_reward_fades_backwards() {
        let found = generalized_advantages(&[0.0, 0.0, 0.0, 2.0], &[0.0; 4], 0.9, 0.5);
        for (advantage, expected) in found.iter().zip([0.182_25, 0.405, 0.9, 2.0]) {
            assert!((advantage - expected).abs() < 1e-12);
        }
    }

    proptest! {
        /// Identities: λ = 1 gives return minus value, λ = 0 the one-step error; and the sum of
        /// the definition for any λ.
        #[test]
        fn limits_and_definition(
            steps in prop::collection::vec((-1.0..1.0_f64, -1.0..1.0_f64), 1..9),
            discount in 0.0..1.0_f64,
            lambda in 0.0..1.0_f64,
        ) {
            let (rewards, values): (Vec<f64>, Vec<f64>) = steps.into_iter().unzip();
            let n = rewards.len();
            let value = |t: usize| values.get(t).copied().unwrap_or(0.0);
            let delta = |t: usize| rewards[t] + discount * value(t + 1) - value(t);
            let close = |a: f64, b: f64| (a - b).abs() < 1e-12;
            let whole = generalized_advantages(&rewards, &values, discount, 1.0);
            let single = generalized_advantages(&rewards, &values, discount, 0.0);
            let between = generalized_advantages(&rewards, &values, discount, lambda);
            for t in 0..n {
                let ret: f64 = (t..n).map(|k| discount.powi((k - t) as i32) * rewards[k]).sum();
                prop_assert!(close(whole[t], ret - value(t)));
                prop_assert!(close(single[t], delta(t)));
                let sum: f64 = (t..n)
                    .map(|k| (discount * lambda).powi((k - t) as i32) * delta(k))
                    .sum();
                prop_assert!(close(between[t], sum));
            }
        }
    }
}
