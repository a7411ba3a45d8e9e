//! Losses of PPO and their derivatives.

use crate::MaskedCategorical;

/// `max(−A r, −A clip(r, 1 ± ε))` with `r = π(a) / π_old(a)`, and its derivative with respect to
/// `ln π(a)` (Schulman et al. 2017, equation 7, with the sign of a loss); where there is a largest
/// ratio c, no more than `−A c` of a bad action (D. Ye et al., AAAI 2020, dual clip).
pub(super) fn clipped_policy_loss(
    log_ratio: f64,
    advantage: f64,
    clip: f64,
    largest_ratio: Option<f64>,
) -> (f64, f64) {
    let ratio = log_ratio.exp();
    if let Some(largest) = largest_ratio.filter(|largest| advantage < 0.0 && ratio > *largest) {
        return (-advantage * largest, 0.0);
    }
    let plain = -advantage * ratio;
    let clipped = -advantage * ratio.clamp(1.0 - clip, 1.0 + clip);
    if plain >= clipped {
        (plain, plain)
    } else {
        (clipped, 0.0)
    }
}

/// `½ (V − R)²`, or the larger of that and the same with `V` kept within `clip` of what it was,
/// and the derivative with respect to `V` (as in the reference code of Schulman et al. 2017).
pub(super) fn value_loss(value: f64, old: f64, value_target: f64, clip: Option<f64>) -> (f64, f64) {
    let plain = (0.5 * (value - value_target).powi(2), value - value_target);
    let Some(clip) = clip else { return plain };
    // Within the limit both are the same but for rounding, which must not choose the derivative.
    if (value - old).abs() <= clip {
        return plain;
    }
    let kept = old + (value - old).clamp(-clip, clip);
    let clipped = 0.5 * (kept - value_target).powi(2);
    if plain.0 >= clipped {
        plain
    } else {
        // Beyond the limit, where the kept value does not move with V.
        (clipped, 0.0)
    }
}

/// Adds `−scale · ∂H/∂z`, the gradient of an entropy bonus, and returns `H`.
pub(super) fn entropy_bonus(policy: &MaskedCategorical, scale: f64, grad: &mut [f32]) -> f64 {
    policy.add_expectation_gradient(|a| policy.log_probabilities()[a], scale, grad);
    policy.entropy()
}

/// Brings numbers to mean 0 and deviation 1 (`n − 1` in the variance, `1e-8` added to the
/// deviation, as in CleanRL); a single number stays.
pub(super) fn normalize(numbers: &mut [f64]) {
    let n = numbers.len() as f64;
    if numbers.len() < 2 {
        return;
    }
    let mean = numbers.iter().sum::<f64>() / n;
    let variance = numbers.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / (n - 1.0);
    let scale = 1.0 / (variance.sqrt() + 1e-8);
    numbers.iter_mut().for_each(|x| *x = (*x - mean) * scale);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Closed form: the four corners of figure 1 of Schulman et al. (2017).
    #[test]
    fn the_ratio_is_clipped_on_the_side_that_would_gain() {
        let loss = |ratio: f64, advantage| clipped_policy_loss(ratio.ln(), advantage, 0.2, None);
        let close = |a: (f64, f64), b: (f64, f64)| {
            assert!(
                (a.0 - b.0).abs() < 1e-12 && (a.1 - b.1).abs() < 1e-12,
                "{a:?} {b:?}"
            );
        };
        close(loss(1.5, 2.0), (-2.4, 0.0));
        close(loss(0.5, 2.0), (-1.0, -1.0));
        close(loss(1.5, -2.0), (3.0, 3.0));
        close(loss(0.5, -2.0), (1.6, 0.0));
        close(loss(1.0, 2.0), (-2.0, -2.0));
    }

    /// Closed form. Without the limit, an action that has become e⁸⁰⁰ times as
    /// probable has an infinite loss.
    #[test]
    fn the_ratio_of_a_bad_action_has_a_limit() {
        let loss = |log_ratio: f64, advantage, largest| {
            clipped_policy_loss(log_ratio, advantage, 0.2, largest)
        };
        assert_eq!(loss(800.0, -2.0, Some(3.0)), (6.0, 0.0));
        assert_eq!(loss(800.0, -2.0, None), (f64::INFINITY, f64::INFINITY));
        assert_eq!(loss(1.0, -2.0, Some(3.0)), loss(1.0, -2.0, None));
        assert_eq!(loss(2.0, 2.0, Some(3.0)), loss(2.0, 2.0, None));
    }

    #[test]
    fn values_are_clipped_when_they_moved_too_far() {
        assert_eq!(value_loss(1.0, 0.0, 3.0, None), (2.0, -2.0));
        // Moving to 1 is further than 0.5, and 0.5 is worse than 1: the clipped loss counts.
        assert_eq!(value_loss(1.0, 0.0, 3.0, Some(0.5)), (3.125, 0.0));
        assert_eq!(value_loss(1.0, 0.0, -3.0, Some(0.5)), (8.0, 4.0));
        assert_eq!(value_loss(0.25, 0.0, 1.0, Some(0.5)), (0.28125, -0.75));
    }

    proptest! {
        /// Oracle: central differences away from the corners.
        #[test]
        fn derivatives_are_those_of_finite_differences(
            log_ratio in -0.5..0.5_f64,
            advantage in -2.0..2.0_f64,
            value in -1.0..1.0_f64,
            old in -1.0..1.0_f64,
            value_target in -1.0..1.0_f64,
        ) {
            let h = 1e-6;
            let slope = |f: &dyn Fn(f64) -> (f64, f64), x: f64| {
                let (above, at, below) = (f(x + h), f(x), f(x - h));
                // Next to a corner the two sides have different derivatives.
                let smooth = (above.1 - below.1).abs() < 1e-4;
                (smooth, (above.0 - below.0) / (2.0 * h), at.1)
            };
            let policy = |x: f64| clipped_policy_loss(x, advantage, 0.2, None);
            let (smooth, numeric, found) = slope(&policy, log_ratio);
            prop_assert!(!smooth || (numeric - found).abs() < 1e-6);
            let critic = |x: f64| value_loss(x, old, value_target, Some(0.3));
            let (smooth, numeric, found) = slope(&critic, value);
            prop_assert!(!smooth || (numeric - found).abs() < 1e-6);
        }

        #[test]
        fn normalized_numbers_have_mean_0_and_deviation_1(
            mut numbers in prop::collection::vec(-5.0..5.0_f64, 3..20),
        ) {
            numbers[0] = 7.0;
            normalize(&mut numbers);
            let n = numbers.len() as f64;
            prop_assert!(numbers.iter().sum::<f64>().abs() < 1e-9);
            let squares: f64 = numbers.iter().map(|x| x * x).sum();
            prop_assert!((squares / (n - 1.0) - 1.0).abs() < 1e-6);
        }
    }
}
