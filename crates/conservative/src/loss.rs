//! The losses of a conservative objective model with their gradients.
//!
//! For known crystals `x⁺` with values y and what an ascent made of them, `x⁻`:
//!
//! ```text
//! L = mean (z(x⁺) − (y − μ)/σ)² + mean H(s(x)) + α · mean (J(x⁻) − J(x⁺))          dual
//! L = …                                         + w · mean max(J(x⁻) − J(x⁺), 0)    fixed
//! ```
//!
//! z is the network's first output, `f = μ + σ z` the property, J = z or the reward r(f); H is the cross
//! entropy of whether a calculation fails, of which the second output s is the logit. `log α` follows the
//! gradient of `α (τ − mean gap)`, so that α grows while the gap is above τ.

use crystalgym_environment::Reward;
use serde::{Deserialize, Serialize};

use crate::{Climb, Truth, Weighting};

/// Mean and standard deviation of the values in the data.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Scale {
    /// Mean, in the property's unit.
    pub mean: f64,
    /// Standard deviation, in the same unit.
    pub spread: f64,
}

impl Scale {
    /// That of values; a spread of 1 where there are none to tell it from.
    pub fn of(values: &[f64]) -> Self {
        let count = values.len().max(1) as f64;
        let mean = values.iter().sum::<f64>() / count;
        let variance = values.iter().map(|y| (y - mean).powi(2)).sum::<f64>() / count;
        let spread = match variance.sqrt() {
            spread if spread > 1e-6 => spread,
            _ => 1.0,
        };
        Self { mean, spread }
    }

    /// A value out of a network's output.
    pub fn value(self, output: f64) -> f64 {
        self.mean + self.spread * output
    }
}

/// What an ascent climbs on: a function of a network's first output.
#[derive(Debug, Clone)]
pub struct Objective {
    /// The predicted property or the reward for it.
    pub climb: Climb,
    /// The reward.
    pub reward: Reward,
    /// Its target, in the property's unit.
    pub target: f64,
    /// How outputs become values.
    pub scale: Scale,
}

impl Objective {
    /// J and dJ/dz at an output z.
    pub fn at(&self, output: f64) -> (f64, f64) {
        match self.climb {
            Climb::Value => (output, 1.0),
            Climb::Reward => {
                let value = self.scale.value(output);
                let slope = self.reward.slope_of_value(self.target, value);
                let height = self.reward.of_value(self.target, value);
                (height, self.scale.spread * slope)
            }
        }
    }
}

/// The weight of the conservative part.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Conservative {
    /// How it is weighed.
    pub weighting: Weighting,
    /// α or w.
    pub weight: f64,
    /// Adam's means of the gradient of `log α` and its square, and its steps.
    moments: (f64, f64, u64),
}

impl Conservative {
    /// One that starts at this weight.
    pub fn new(weighting: Weighting, weight: f64) -> Self {
        Self {
            weighting,
            weight,
            moments: (0.0, 0.0, 0),
        }
    }

    /// A step of Adam for `log α` on the loss `α (τ − gap)`; nothing where the weight is fixed.
    pub fn learn(&mut self, gap: f64, threshold: f64, rate: f64) {
        if self.weighting == Weighting::Fixed {
            return;
        }
        let gradient = self.weight * (threshold - gap);
        let (mean, square, steps) = &mut self.moments;
        *steps += 1;
        *mean = 0.9 * *mean + 0.1 * gradient;
        *square = 0.999 * *square + 0.001 * gradient * gradient;
        let correction = |decay: f64| 1.0 - decay.powf(*steps as f64);
        let (first, second) = (*mean / correction(0.9), *square / correction(0.999));
        // log α ← log α − …
        self.weight *= (-rate * first / (second.sqrt() + 1e-8)).exp();
    }

    /// Whether it can be what was saved.
    pub(crate) fn is_sane(&self) -> bool {
        let (mean, square, _) = self.moments;
        self.weight.is_finite()
            && self.weight >= 0.0
            && mean.is_finite()
            && square.is_finite()
            && square >= 0.0
    }
}

/// Parts of a loss, as means over what they are of.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Losses {
    /// Squared error of the standardised values.
    pub error: f64,
    /// Cross entropy of failures.
    pub failure: f64,
    /// Gap `J(x⁻) − J(x⁺)`, not clipped.
    pub gap: f64,
    /// All, weighed.
    pub total: f64,
}

/// The loss of a batch and its gradient with respect to the network's outputs.
///
/// `known` are the outputs for the known crystals, `width` numbers each (value, and logit of failure if
/// there are two); `attacked` those for what the ascent made of the crystals of `attacks`, indices into
/// `truths`. Both gradients are in the order of their outputs.
pub fn conservative_loss(
    width: usize,
    known: &[f32],
    truths: &[Truth],
    attacked: &[f32],
    attacks: &[usize],
    objective: &Objective,
    conservative: &Conservative,
) -> (Losses, Vec<f32>, Vec<f32>) {
    let mut losses = Losses::default();
    let mut grad_known = vec![0.0_f32; known.len()];
    let mut grad_attacked = vec![0.0_f32; attacked.len()];
    let is_value = |truth: &&Truth| matches!(truth, Truth::Value(_));
    let values = truths.iter().filter(is_value).count().max(1) as f64;
    let rows = known
        .chunks_exact(width)
        .zip(grad_known.chunks_exact_mut(width));
    for (truth, (row, grad)) in truths.iter().zip(rows) {
        if let Truth::Value(value) = truth {
            let standard = (value - objective.scale.mean) / objective.scale.spread;
            let error = f64::from(row[0]) - standard;
            losses.error += error * error / values;
            grad[0] = (2.0 * error / values) as f32;
        }
        if let (Some(&logit), Some(grad)) = (row.get(1), grad.get_mut(1)) {
            let logit = f64::from(logit);
            let fails = f64::from(u8::from(*truth == Truth::Failure));
            // ln(1 + e^s) without overflow.
            let softplus = logit.max(0.0) + (-logit.abs()).exp().ln_1p();
            let count = truths.len() as f64;
            losses.failure += (softplus - fails * logit) / count;
            *grad = ((1.0 / (1.0 + (-logit).exp()) - fails) / count) as f32;
        }
    }
    let weight = conservative.weight;
    let count = attacks.len().max(1) as f64;
    let mut penalty = 0.0;
    for (place, &index) in attacks.iter().enumerate() {
        let (high, high_slope) = objective.at(attacked[place * width].into());
        let (low, low_slope) = objective.at(known[index * width].into());
        let gap = high - low;
        losses.gap += gap / count;
        if conservative.weighting == Weighting::Dual || gap > 0.0 {
            penalty += gap / count;
            grad_attacked[place * width] += (weight * high_slope / count) as f32;
            grad_known[index * width] -= (weight * low_slope / count) as f32;
        }
    }
    losses.total = losses.error + losses.failure + weight * penalty;
    (losses, grad_known, grad_attacked)
}
