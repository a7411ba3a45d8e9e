//! Losses of discrete SAC and their derivatives.

use crate::{CriticCombination, MaskedCategorical};

/// `Σ_a π_a (q_a − α ln π_a)` with α = 0 for a value without entropy (Christodoulou 2019, equation
/// 10).
pub(super) fn soft_value(policy: &MaskedCategorical, q: &[f64], temperature: f64) -> f64 {
    policy.expectation(|a| q[a] - temperature * policy.log_probabilities()[a])
}

/// `Σ_a π_a (α ln π_a − q_a)`, the actor's loss in one state (Christodoulou 2019, equation 12);
/// adds its gradient, times `scale`.
pub(super) fn actor_loss(
    policy: &MaskedCategorical,
    q: &[f64],
    temperature: f64,
    scale: f64,
    grad: &mut [f32],
) -> f64 {
    let term = |a: usize| temperature * policy.log_probabilities()[a] - q[a];
    policy.add_expectation_gradient(term, scale, grad);
    policy.expectation(term)
}

/// `(Q − y)²`, or with a clip the larger of that and `(Q̄ + clip(Q − Q̄) − y)²` where Q̄ is the target
/// critic's value of the same action (Zhou et al. 2022, equation 12); with the derivative.
pub(super) fn critic_loss(q: f64, q_target: f64, y: f64, clip: Option<f64>) -> (f64, f64) {
    let plain = ((q - y).powi(2), 2.0 * (q - y));
    let Some(clip) = clip else { return plain };
    let clipped = (q_target + (q - q_target).clamp(-clip, clip) - y).powi(2);
    if plain.0 >= clipped {
        plain
    } else {
        // Beyond the limit, where the clipped value does not move with Q.
        (clipped, 0.0)
    }
}

/// The two critics' values taken together.
pub(super) fn combine(how: CriticCombination, first: &[f32], second: &[f32]) -> Vec<f64> {
    let pairs = first.iter().zip(second);
    pairs
        .map(|(a, b)| match how {
            CriticCombination::Min => f64::from(a.min(*b)),
            CriticCombination::Mean => 0.5 * (f64::from(*a) + f64::from(*b)),
        })
        .collect()
}

/// The derivative with respect to `ln α` of `J = α (H − H_target)`, the temperature's loss
/// (Christodoulou 2019, equation 11, whose loss falls as α grows while the entropy is too small).
pub(super) fn temperature_slope(temperature: f64, entropy: f64, target_entropy: f64) -> f64 {
    temperature * (entropy - target_entropy)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Closed form: for the policy `π ∝ exp(q/α)` the soft value is `α ln Σ exp(q/α)`, and the
    /// actor's loss is at its minimum, minus that.
    #[test]
    fn the_boltzmann_policy_is_the_soft_optimum() {
        let q = [0.3, -0.2, 0.9, 4.0];
        let allowed = [true, true, true, false];
        let alpha = 0.4;
        let best = |scale: f64| {
            let logits = q.map(|q| scale * q / alpha);
            MaskedCategorical::from_values(&logits, &allowed).unwrap()
        };
        let expected = alpha * q[..3].iter().map(|q| (q / alpha).exp()).sum::<f64>().ln();
        assert!((soft_value(&best(1.0), &q, alpha) - expected).abs() < 1e-12);
        let mut grad = [0.0; 4];
        let loss = actor_loss(&best(1.0), &q, alpha, 1.0, &mut grad);
        assert!((loss + expected).abs() < 1e-12);
        assert!(grad.iter().all(|g| g.abs() < 1e-7), "{grad:?}");
        for scale in [0.5, 2.0] {
            assert!(actor_loss(&best(scale), &q, alpha, 1.0, &mut [0.0; 4]) > loss);
        }
        // Without entropy: the plain mean.
        let uniform = best(0.0);
        assert!((soft_value(&uniform, &q, 0.0) - 1.0 / 3.0).abs() < 1e-12);
    }

    #[test]
    fn clipped_critics_by_hand() {
        assert_eq!(critic_loss(1.0, 0.0, 2.0, None), (1.0, -2.0));
        assert_eq!(critic_loss(1.0, 0.0, 2.0, Some(0.5)), (2.25, 0.0));
        assert_eq!(critic_loss(1.0, 0.0, -2.0, Some(0.5)), (9.0, 6.0));
        assert_eq!(critic_loss(0.25, 0.0, 2.0, Some(0.5)), (3.0625, -3.5));
    }

    #[test]
    fn critics_are_combined() {
        let (first, second) = ([1.0, -2.0], [0.5, 0.0]);
        assert_eq!(
            combine(CriticCombination::Min, &first, &second),
            [0.5, -2.0]
        );
        assert_eq!(
            combine(CriticCombination::Mean, &first, &second),
            [0.75, -1.0]
        );
    }

    /// Oracle: the sign by what it is for: too little entropy must raise α when one goes down the
    /// slope, too much must lower it.
    #[test]
    fn the_temperature_follows_the_entropy() {
        assert!(temperature_slope(0.2, 1.0, 1.5) < 0.0);
        assert!(temperature_slope(0.2, 2.0, 1.5) > 0.0);
        let h = 1e-6_f64;
        let loss = |log_alpha: f64| log_alpha.exp() * (2.0 - 1.5);
        let slope = (loss(0.2_f64.ln() + h) - loss(0.2_f64.ln() - h)) / (2.0 * h);
        assert!((slope - temperature_slope(0.2, 2.0, 1.5)).abs() < 1e-9);
    }

    proptest! {
        /// Oracle: central differences.
        #[test]
        fn the_actor_gradient_is_that_of_finite_differences(
            logits in prop::collection::vec(-2.0..2.0_f64, 4),
            q in prop::collection::vec(-1.0..1.0_f64, 4),
            alpha in 0.0..1.0_f64,
        ) {
            let allowed = [true, false, true, true];
            let loss = |logits: &[f64], grad: &mut [f32]| {
                let policy = MaskedCategorical::from_values(logits, &allowed).unwrap();
                actor_loss(&policy, &q, alpha, 1.0, grad)
            };
            let mut grad = [0.0; 4];
            loss(&logits, &mut grad);
            let h = 1e-5;
            for k in 0..4 {
                let (mut above, mut below) = (logits.clone(), logits.clone());
                above[k] += h;
                below[k] -= h;
                let slope = (loss(&above, &mut [0.0; 4]) - loss(&below, &mut [0.0; 4])) / (2.0 * h);
                prop_assert!((slope - f64::from(grad[k])).abs() < 1e-6);
            }
        }
    }
}
