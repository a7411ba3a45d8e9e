//! The optimiser.

use crystalgym_kernels::{self as kernels, Buffer};
use pulp::Arch;
use serde::{Deserialize, Serialize};

use crate::{Gradients, NetworkError, Parameters};

/// Constants of [`Adam`].
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AdamConfig {
    /// Decay of the mean of the gradient.
    pub beta1: f64,
    /// Decay of the mean of its square.
    pub beta2: f64,
    /// Added to the root of the corrected second moment.
    pub epsilon: f64,
}

impl Default for AdamConfig {
    fn default() -> Self {
        Self {
            beta1: 0.9,
            beta2: 0.999,
            epsilon: 1e-8,
        }
    }
}

/// Adam with the semantics of `torch.optim.Adam`.
///
/// `m ← β₁ m + (1−β₁) g`, `v ← β₂ v + (1−β₂) g²`,
/// `θ ← θ − lr/(1−β₁ᵗ) · m / (√v/√(1−β₂ᵗ) + ε)`; Kingma and Ba (2015), algorithm 1.
#[derive(Debug, Clone)]
pub struct Adam {
    config: AdamConfig,
    pub(crate) first_moment: Buffer,
    pub(crate) second_moment: Buffer,
    pub(crate) steps: u64,
}

impl Adam {
    /// An optimiser that has made no step yet.
    pub fn new(config: AdamConfig, parameters: &Parameters) -> Self {
        Self {
            config,
            first_moment: Buffer::zeros(parameters.len()),
            second_moment: Buffer::zeros(parameters.len()),
            steps: 0,
        }
    }

    /// Constants.
    pub fn config(&self) -> AdamConfig {
        self.config
    }

    /// Steps made so far.
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// One step with this learning rate.
    ///
    /// # Errors
    /// [`NetworkError::Length`] if parameters or gradients belong to another network.
    pub fn step(
        &mut self,
        learning_rate: f64,
        gradients: &Gradients,
        parameters: &mut Parameters,
    ) -> Result<(), NetworkError> {
        let expected = self.first_moment.len();
        for (what, found) in [
            ("gradient", gradients.values().len()),
            ("parameter vector", parameters.len()),
        ] {
            if found != expected {
                return Err(NetworkError::Length {
                    what,
                    found,
                    expected,
                });
            }
        }
        self.steps += 1;
        let AdamConfig {
            beta1,
            beta2,
            epsilon,
        } = self.config;
        let power = self.steps as f64;
        let step = kernels::AdamStep {
            beta1: beta1 as f32,
            beta2: beta2 as f32,
            step_size: (learning_rate / (1.0 - beta1.powf(power))) as f32,
            inverse_root_correction: (1.0 / (1.0 - beta2.powf(power)).sqrt()) as f32,
            epsilon: epsilon as f32,
        };
        kernels::adam_update(
            Arch::new(),
            step,
            gradients.values(),
            &mut self.first_moment,
            &mut self.second_moment,
            parameters.values_mut(),
        );
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use rand::SeedableRng;
    use rand_pcg::Pcg64;

    use super::*;
    use crate::parameters::{Initial, ParameterInfo};

    /// Oracle: the update formula in f64 with the bias corrections written as in the paper
    /// (`m̂ = m/(1−β₁ᵗ)`, `v̂ = v/(1−β₂ᵗ)`).
    #[test]
    fn steps_follow_the_paper() {
        let info = ParameterInfo {
            name: "x".into(),
            shape: vec![37],
            offset: 0,
            transposed: false,
            initial: Initial::Normal,
        };
        let mut parameters =
            Parameters::random(Arc::from(vec![info]), &mut Pcg64::seed_from_u64(1)).unwrap();
        let config = AdamConfig {
            epsilon: 1e-3,
            ..AdamConfig::default()
        };
        let mut adam = Adam::new(config, &parameters);
        let mut gradients = parameters.zeros_like();
        let mut x: Vec<f64> = parameters.values().iter().map(|&x| f64::from(x)).collect();
        let (mut m, mut v) = (vec![0.0; 37], vec![0.0; 37]);
        for t in 1..=5 {
            let rate = 0.01 / f64::from(t);
            for (i, g) in gradients.values_mut().iter_mut().enumerate() {
                *g = (i as f32 - 18.0) * 0.03 * t as f32;
            }
            adam.step(rate, &gradients, &mut parameters).unwrap();
            for (i, &g) in gradients.values().iter().enumerate() {
                let g = f64::from(g);
                m[i] = 0.9 * m[i] + 0.1 * g;
                v[i] = 0.999 * v[i] + 0.001 * g * g;
                let m_hat: f64 = m[i] / (1.0 - 0.9_f64.powi(t));
                let v_hat: f64 = v[i] / (1.0 - 0.999_f64.powi(t));
                x[i] -= rate * m_hat / (v_hat.sqrt() + 1e-3);
            }
        }
        for (&a, &b) in parameters.values().iter().zip(&x) {
            assert!((f64::from(a) - b).abs() < 2e-6);
        }
    }
}
