//! Distributions over the allowed actions.

use crystalgym_environment::random::uniform_unit;
use rand_pcg::Pcg64;

/// A distribution over the allowed actions, `π_a ∝ exp(z_a)`; forbidden ones have probability 0.
#[derive(Debug, Clone, PartialEq)]
pub struct MaskedCategorical {
    probabilities: Vec<f64>,
    /// `ln π_a`, −∞ where forbidden.
    log_probabilities: Vec<f64>,
}

impl MaskedCategorical {
    /// The distribution of logits; `None` if no action is allowed or an allowed logit is no
    /// finite number.
    pub fn new(logits: &[f32], allowed: &[bool]) -> Option<Self> {
        let scaled: Vec<f64> = logits.iter().map(|&logit| logit.into()).collect();
        Self::from_values(&scaled, allowed)
    }

    /// The same in double precision.
    pub fn from_values(values: &[f64], allowed: &[bool]) -> Option<Self> {
        let of_allowed = || values.iter().zip(allowed).filter(|(_, allowed)| **allowed);
        let largest = of_allowed()
            .map(|(value, _)| *value)
            .fold(f64::NEG_INFINITY, f64::max);
        if !of_allowed().all(|(value, _)| value.is_finite()) || largest == f64::NEG_INFINITY {
            return None;
        }
        let sum: f64 = of_allowed().map(|(value, _)| (value - largest).exp()).sum();
        let log_sum = largest + sum.ln();
        let log_probabilities: Vec<f64> = values
            .iter()
            .zip(allowed)
            .map(|(value, allowed)| {
                if *allowed {
                    value - log_sum
                } else {
                    f64::NEG_INFINITY
                }
            })
            .collect();
        Some(Self {
            probabilities: log_probabilities.iter().map(|log| log.exp()).collect(),
            log_probabilities,
        })
    }

    /// The same among some of the actions alone; `None` if none of them has a chance.
    pub(crate) fn among(&self, allowed: &[bool]) -> Option<Self> {
        let pairs = self.log_probabilities.iter().zip(allowed);
        let both: Vec<bool> = pairs
            .map(|(log, allowed)| *allowed && log.is_finite())
            .collect();
        Self::from_values(&self.log_probabilities, &both)
    }

    /// π by action.
    pub fn probabilities(&self) -> &[f64] {
        &self.probabilities
    }

    /// `ln π` by action, −∞ where forbidden.
    pub fn log_probabilities(&self) -> &[f64] {
        &self.log_probabilities
    }

    /// `H = −Σ π ln π` in nats.
    pub fn entropy(&self) -> f64 {
        -self.expectation(|action| self.log_probabilities[action])
    }

    /// `Σ_a π_a f(a)` over the actions that have a chance.
    pub fn expectation(&self, f: impl Fn(usize) -> f64) -> f64 {
        self.probabilities
            .iter()
            .enumerate()
            .filter(|(_, probability)| **probability > 0.0)
            .map(|(action, probability)| probability * f(action))
            .sum()
    }

    /// An action, drawn.
    pub fn sample(&self, rng: &mut Pcg64) -> usize {
        let mut left = uniform_unit(rng);
        let mut last = 0;
        for (action, &probability) in self.probabilities.iter().enumerate() {
            if probability > 0.0 {
                last = action;
                if left < probability {
                    break;
                }
                left -= probability;
            }
        }
        last
    }

    /// The most probable action, the first of equals.
    pub fn mode(&self) -> usize {
        let mut best = 0;
        for (action, log) in self.log_probabilities.iter().enumerate() {
            if *log > self.log_probabilities[best] {
                best = action;
            }
        }
        best
    }

    /// Adds `scale · ∂ ln π_action / ∂z` to a gradient of the logits: `δ_{ka} − π_k`.
    pub fn add_log_probability_gradient(&self, action: usize, scale: f64, gradient: &mut [f32]) {
        for (k, (gradient, probability)) in gradient.iter_mut().zip(&self.probabilities).enumerate()
        {
            let hit = f64::from(u8::from(k == action));
            *gradient += (scale * (hit - probability)) as f32;
        }
    }

    /// Adds `−scale · ∂ ln Σ_{a ∈ A} π_a / ∂z` to a gradient of the logits, `π_k − [k ∈ A] π_k / Σ_A π`,
    /// and returns `−ln Σ_A π`, for a set of actions that has a chance; 0 otherwise.
    pub(crate) fn add_set_gradient(
        &self,
        is_in: impl Fn(usize) -> bool,
        scale: f64,
        gradient: &mut [f32],
    ) -> f64 {
        let total: f64 = self.expectation(|action| f64::from(u8::from(is_in(action))));
        if total <= 0.0 {
            return 0.0;
        }
        for (k, (gradient, p)) in gradient.iter_mut().zip(&self.probabilities).enumerate() {
            let share = if is_in(k) { p / total } else { 0.0 };
            *gradient += (scale * (p - share)) as f32;
        }
        -total.ln()
    }

    /// Adds `scale · ∂ Σ_a π_a f_a / ∂z` to a gradient of the logits for values `f` that do not
    /// depend on them: `π_k (f_k − Σ_a π_a f_a)`.
    ///
    /// Also the gradient of `Σ_a π_a (f_a + c ln π_a)`, if `f` is given as `f_a + c ln π_a`, since
    /// `Σ_a π_a ∂ ln π_a = 0`; so of an entropy.
    pub fn add_expectation_gradient(
        &self,
        f: impl Fn(usize) -> f64,
        scale: f64,
        gradient: &mut [f32],
    ) {
        let mean = self.expectation(&f);
        for (action, (gradient, &probability)) in
            gradient.iter_mut().zip(&self.probabilities).enumerate()
        {
            if probability > 0.0 {
                *gradient += (scale * probability * (f(action) - mean)) as f32;
            }
        }
    }
}

/// The allowed action with the largest value, the first of equals; `None` if none is allowed or
/// every allowed value is NaN.
pub(crate) fn masked_argmax(values: &[f32], allowed: &[bool]) -> Option<usize> {
    let mut best: Option<usize> = None;
    for (action, (value, _)) in values
        .iter()
        .zip(allowed)
        .enumerate()
        .filter(|(_, (value, allowed))| **allowed && !value.is_nan())
    {
        if best.is_none_or(|best| *value > values[best]) {
            best = Some(action);
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rand::SeedableRng;

    use super::*;

    /// Oracle: central differences of `−ln` of the probability of a set.
    #[test]
    fn the_gradient_of_a_set() {
        let logits = [0.3, -0.7, 1.1, 0.2, 4.0];
        let allowed = [true, true, true, true, false];
        let is_in = |action: usize| action == 1 || action == 3 || action == 4;
        let loss = |logits: &[f64]| {
            let policy = MaskedCategorical::from_values(logits, &allowed).unwrap();
            let p = policy.probabilities();
            -(p[1] + p[3]).ln()
        };
        let policy = MaskedCategorical::from_values(&logits, &allowed).unwrap();
        let mut gradient = [0.0; 5];
        let found = policy.add_set_gradient(is_in, 2.0, &mut gradient);
        assert!((found - loss(&logits)).abs() < 1e-12);
        for k in 0..5 {
            let (mut above, mut below) = (logits, logits);
            above[k] += 1e-5;
            below[k] -= 1e-5;
            let slope = 2.0 * (loss(&above) - loss(&below)) / 2e-5;
            assert!((f64::from(gradient[k]) - slope).abs() < 1e-6, "{k}");
        }
        // None of the allowed actions is in the set: nothing to learn.
        let mut none = [0.0; 5];
        assert_eq!(
            policy.add_set_gradient(|action| action == 4, 1.0, &mut none),
            0.0
        );
        assert_eq!(none, [0.0; 5]);
        // Among some of them, in the same proportions.
        let among = policy.among(&[true, false, true, false, true]).unwrap();
        let (p, q) = (policy.probabilities(), among.probabilities());
        assert!((q[0] / q[2] - p[0] / p[2]).abs() < 1e-12 && q[4] == 0.0);
        assert!(policy.among(&[false, false, false, false, true]).is_none());
    }

    #[test]
    fn the_largest_allowed_value_wins() {
        let values = [1.0, 5.0, 3.0, 3.0];
        assert_eq!(masked_argmax(&values, &[true; 4]), Some(1));
        assert_eq!(masked_argmax(&values, &[true, false, true, true]), Some(2));
        assert_eq!(masked_argmax(&values, &[false; 4]), None);
        assert_eq!(masked_argmax(&[f32::NAN, -2.0], &[true; 2]), Some(1));
        assert_eq!(masked_argmax(&[f32::NAN; 2], &[true; 2]), None);
    }

    /// Oracle: odds worked out by hand. Logits ln 1, ln 3 with the largest forbidden.
    #[test]
    fn forbidden_actions_have_no_chance() {
        let logits = [0.0, 9.0, 3.0_f32.ln()];
        let policy = MaskedCategorical::new(&logits, &[true, false, true]).unwrap();
        let p = policy.probabilities();
        assert!((p[0] - 0.25).abs() < 1e-7 && p[1] == 0.0 && (p[2] - 0.75).abs() < 1e-7);
        let entropy = 0.25 * 4.0_f64.ln() + 0.75 * (4.0_f64 / 3.0).ln();
        assert!((policy.entropy() - entropy).abs() < 1e-7);
        assert_eq!(policy.mode(), 2);

        let mut rng = Pcg64::seed_from_u64(1);
        let mut counts = [0_u32; 3];
        for _ in 0..40_000 {
            counts[policy.sample(&mut rng)] += 1;
        }
        let five_errors = 5.0 * (40_000.0_f64 * 0.25 * 0.75).sqrt();
        assert_eq!(counts[1], 0);
        assert!((f64::from(counts[0]) - 10_000.0).abs() < five_errors);

        assert_eq!(MaskedCategorical::new(&logits, &[false; 3]), None);
        assert_eq!(MaskedCategorical::new(&[f32::NAN, 0.0], &[true; 2]), None);
        assert!(MaskedCategorical::new(&[f32::NAN, 0.0], &[false, true]).is_some());
    }

    proptest! {
        /// Oracle: central differences. A uniform distribution over n actions has entropy ln n.
        #[test]
        fn gradients_are_those_of_finite_differences(
            logits in prop::collection::vec(-3.0..3.0_f64, 4),
            values in prop::collection::vec(-1.0..1.0_f64, 4),
            forbidden in 0..4_usize,
            chosen in 0..4_usize,
        ) {
            prop_assume!(chosen != forbidden);
            let mut allowed = [true; 4];
            allowed[forbidden] = false;
            let at = |logits: &[f64]| MaskedCategorical::from_values(logits, &allowed).unwrap();
            let uniform = MaskedCategorical::from_values(&[7.0; 4], &allowed).unwrap();
            prop_assert!((uniform.entropy() - 3.0_f64.ln()).abs() < 1e-12);

            let policy = at(&logits);
            let mut of_log = [0.0; 4];
            policy.add_log_probability_gradient(chosen, 2.0, &mut of_log);
            let mut of_mean = [0.0; 4];
            policy.add_expectation_gradient(|a| values[a], 1.0, &mut of_mean);
            let mut of_entropy = [0.0; 4];
            policy.add_expectation_gradient(
                |a| policy.log_probabilities()[a], -1.0, &mut of_entropy);
            let h = 1e-5;
            for k in 0..4 {
                let (mut above, mut below) = (logits.clone(), logits.clone());
                above[k] += h;
                below[k] -= h;
                let (above, below) = (at(&above), at(&below));
                let slope = |f: &dyn Fn(&MaskedCategorical) -> f64| {
                    (f(&above) - f(&below)) / (2.0 * h)
                };
                let log = slope(&|p| 2.0 * p.log_probabilities()[chosen]);
                prop_assert!((log - f64::from(of_log[k])).abs() < 1e-6);
                let mean = slope(&|p| p.expectation(|a| values[a]));
                prop_assert!((mean - f64::from(of_mean[k])).abs() < 1e-6);
                let entropy = slope(&|p| p.entropy());
                prop_assert!((entropy - f64::from(of_entropy[k])).abs() < 1e-6);
            }
        }
    }
}
