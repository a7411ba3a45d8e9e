//! AdamW and its learning rate.

use crystalgym_kernels::{AdamStep, adam_update, scale, squared_norm};
use pulp::Arch;
use serde::{Deserialize, Serialize};

use crate::LanguageError;

/// Constants of [`AdamW`], with the defaults of PyTorch.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AdamWConfig {
    /// Decay of the mean of the gradient.
    pub beta1: f64,
    /// Decay of the mean of its square.
    pub beta2: f64,
    /// Added to the root of the second moment.
    pub epsilon: f64,
    /// Share of each number that a step of rate 1 takes away.
    pub weight_decay: f64,
    /// Largest norm of the gradient; absent: not clipped.
    pub max_gradient_norm: Option<f64>,
}

impl Default for AdamWConfig {
    fn default() -> Self {
        Self {
            beta1: 0.9,
            beta2: 0.999,
            epsilon: 1e-8,
            weight_decay: 0.0,
            max_gradient_norm: Some(1.0),
        }
    }
}

impl AdamWConfig {
    /// # Errors
    /// [`LanguageError::Setting`] names the first that cannot be.
    pub fn check(&self) -> Result<(), LanguageError> {
        let below_one = |x: f64| (0.0..1.0).contains(&x);
        let wrong = [
            ("beta1", self.beta1, below_one(self.beta1), "0 to below 1"),
            ("beta2", self.beta2, below_one(self.beta2), "0 to below 1"),
            (
                "epsilon",
                self.epsilon,
                self.epsilon > 0.0 && self.epsilon < 1.0,
                "above 0",
            ),
            (
                "weight_decay",
                self.weight_decay,
                (0.0..=10.0).contains(&self.weight_decay),
                "0 to 10",
            ),
            (
                "max_gradient_norm",
                self.max_gradient_norm.unwrap_or(1.0),
                self.max_gradient_norm
                    .is_none_or(|norm| norm > 0.0 && norm.is_finite()),
                "a number above 0",
            ),
        ];
        match wrong.into_iter().find(|(_, _, right, _)| !right) {
            None => Ok(()),
            Some((field, found, _, expected)) => Err(LanguageError::Setting {
                field,
                found: found.to_string(),
                expected: expected.to_owned(),
            }),
        }
    }
}

/// Adam with decoupled weight decay (Loshchilov and Hutter 2019), as `torch.optim.AdamW`.
#[derive(Debug, Clone, PartialEq)]
pub struct AdamW {
    config: AdamWConfig,
    first_moment: Vec<f32>,
    second_moment: Vec<f32>,
    steps: u64,
}

impl AdamW {
    /// An optimiser that has made no step yet.
    pub fn new(config: AdamWConfig, count: usize) -> Self {
        Self {
            config,
            first_moment: vec![0.0; count],
            second_moment: vec![0.0; count],
            steps: 0,
        }
    }

    /// Steps made so far.
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// Both moments.
    pub fn moments(&self) -> [&[f32]; 2] {
        [&self.first_moment, &self.second_moment]
    }

    /// Goes on from saved moments.
    ///
    /// # Errors
    /// [`LanguageError::Tokens`] if they are of another model.
    pub fn restore(&mut self, steps: u64, moments: [Vec<f32>; 2]) -> Result<(), LanguageError> {
        let [first, second] = moments;
        let fits = first.len() == self.first_moment.len() && second.len() == first.len();
        if !fits || second.iter().any(|moment| moment.is_nan() || *moment < 0.0) {
            let message = "the optimiser's moments are not of this model".to_owned();
            return Err(LanguageError::Tokens(message));
        }
        (self.steps, self.first_moment, self.second_moment) = (steps, first, second);
        Ok(())
    }

    /// One step; the gradient is clipped first. Returns the gradient's norm before.
    pub fn step(&mut self, learning_rate: f64, gradient: &mut [f32], values: &mut [f32]) -> f64 {
        let norm = squared_norm(Arch::new(), gradient).sqrt();
        if let Some(most) = self.config.max_gradient_norm {
            let factor = most / (norm + 1e-6);
            if factor < 1.0 {
                scale(Arch::new(), factor as f32, gradient);
            }
        }
        let AdamWConfig {
            beta1,
            beta2,
            epsilon,
            weight_decay,
            ..
        } = self.config;
        if weight_decay > 0.0 {
            let kept = 1.0 - learning_rate * weight_decay;
            scale(Arch::new(), kept as f32, values);
        }
        self.steps += 1;
        let power = self.steps as f64;
        let step = AdamStep {
            beta1: beta1 as f32,
            beta2: beta2 as f32,
            step_size: (learning_rate / (1.0 - beta1.powf(power))) as f32,
            inverse_root_correction: (1.0 / (1.0 - beta2.powf(power)).sqrt()) as f32,
            epsilon: epsilon as f32,
        };
        let (m, v) = (&mut self.first_moment, &mut self.second_moment);
        adam_update(Arch::new(), step, gradient, m, v, values);
        norm
    }
}

/// Learning rate that rises linearly and then falls as half a cosine, as
/// `transformers.get_cosine_schedule_with_warmup`: step 0 has rate 0 if there is a rise.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct CosineSchedule {
    /// Highest rate.
    pub rate: f64,
    /// Steps of the rise.
    pub warm_up: u64,
    /// Steps of the whole run.
    pub steps: u64,
}

impl CosineSchedule {
    /// The rate of a step, counted from 0.
    pub fn at(&self, step: u64) -> f64 {
        if step < self.warm_up {
            return self.rate * step as f64 / self.warm_up as f64;
        }
        let length = self.steps.saturating_sub(self.warm_up).max(1);
        let progress = ((step - self.warm_up) as f64 / length as f64).min(1.0);
        self.rate * 0.5 * (1.0 + (std::f64::consts::PI * progress).cos())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Oracle: the published update in f64.
    #[test]
    fn steps_follow_the_paper() {
        let config = AdamWConfig {
            weight_decay: 0.1,
            max_gradient_norm: None,
            ..AdamWConfig::default()
        };
        let mut adam = AdamW::new(config, 9);
        let mut values: Vec<f32> = (0..9).map(|i| i as f32 * 0.1 - 0.4).collect();
        let mut x: Vec<f64> = values.iter().map(|&x| x.into()).collect();
        let (mut m, mut v) = ([0.0; 9], [0.0; 9]);
        for t in 1..=4 {
            let mut g: Vec<f32> = (0..9).map(|i| (i - 4) as f32 * 0.3 / t as f32).collect();
            for (i, &g) in g.iter().enumerate() {
                let g = f64::from(g);
                m[i] = 0.9 * m[i] + 0.1 * g;
                v[i] = 0.999 * v[i] + 0.001 * g * g;
                let m_hat: f64 = m[i] / (1.0 - 0.9_f64.powi(t));
                let v_hat: f64 = v[i] / (1.0 - 0.999_f64.powi(t));
                x[i] -= 0.02 * (0.1 * x[i]) + 0.02 * m_hat / (v_hat.sqrt() + 1e-8);
            }
            adam.step(0.02, &mut g, &mut values);
        }
        for (a, b) in values.iter().zip(x) {
            assert!((f64::from(*a) - b).abs() < 1e-6);
        }
    }

    #[test]
    fn the_rate_rises_and_falls() {
        let schedule = CosineSchedule {
            rate: 2.0,
            warm_up: 4,
            steps: 12,
        };
        let rates: Vec<f64> = [0, 2, 4, 8, 12, 20].map(|step| schedule.at(step)).into();
        for (rate, expected) in rates.iter().zip([0.0, 1.0, 2.0, 1.0, 0.0, 0.0]) {
            assert!((rate - expected).abs() < 1e-12, "{rates:?}");
        }
    }
}
