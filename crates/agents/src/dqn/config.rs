use crystalgym_evaluation::Property;
use serde::{Deserialize, Serialize};

use crate::{AgentError, LinearSchedule, NetworkConfig};

/// Settings of [`Dqn`](crate::Dqn); the default is [`DqnConfig::standard`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DqnConfig {
    /// Environment steps of the run, rounded up to a multiple of `environments`.
    pub total_steps: u64,
    /// Seed of everything random.
    pub seed: u64,
    /// Environments side by side.
    pub environments: usize,
    /// Finished episodes whose rewards may still be missing; 0 waits for each. Part of the
    /// algorithm: another number is another run, whatever the number of workers.
    pub in_flight: usize,
    /// Threads of the network; the results are the same for any number.
    pub threads: usize,
    /// Learning rate of Adam at the start.
    pub learning_rate: f64,
    /// Learning rate in the end; it goes there linearly over the whole run.
    pub learning_rate_end: f64,
    /// Adam's ε.
    pub adam_epsilon: f64,
    /// Largest norm of a gradient; absent: not clipped.
    pub max_gradient_norm: Option<f64>,
    /// γ.
    pub discount: f64,
    /// Transitions in a batch.
    pub batch_size: usize,
    /// Transitions in the replay buffer.
    pub replay_capacity: usize,
    /// Environment steps before the first gradient step.
    pub learning_starts: u64,
    /// Environment steps between gradient steps.
    pub train_every: u64,
    /// Environment steps between updates of the target network.
    pub target_every: u64,
    /// How far an update of the target network goes: 1 copies, less blends.
    pub target_rate: f64,
    /// Steps of the return before the value of the next state takes over.
    pub n_step: usize,
    /// Whether the online network chooses the action whose value the target network gives (double
    /// Q-learning, van Hasselt et al. 2016).
    pub double: bool,
    /// Share of random actions at the start.
    pub epsilon_start: f64,
    /// Share of random actions in the end.
    pub epsilon_end: f64,
    /// Share of the run in which it goes linearly from one to the other.
    pub exploration_fraction: f64,
    /// Shape of the network.
    pub network: NetworkConfig,
}

impl Default for DqnConfig {
    fn default() -> Self {
        Self::standard()
    }
}

impl DqnConfig {
    /// The settings of the published runs: 100 000 steps for density and bulk modulus, 200 000 for
    /// the band gap (CrystalGym, launch scripts).
    ///
    /// What stays different is what was an error: the observation tells which site is filled next.
    /// An episode enters the replay buffer as a whole, when its reward is known, and batches are
    /// drawn when they are used.
    pub fn paper(property: Property) -> Self {
        Self {
            total_steps: if property == Property::BandGap {
                200_000
            } else {
                100_000
            },
            seed: 1,
            environments: 1,
            in_flight: 0,
            threads: 1,
            learning_rate: 2.5e-4,
            learning_rate_end: 2.5e-4,
            adam_epsilon: 1e-8,
            max_gradient_norm: None,
            discount: 0.99,
            batch_size: 64,
            replay_capacity: 2000,
            learning_starts: 1000,
            train_every: 4,
            target_every: 100,
            target_rate: 1.0,
            n_step: 1,
            double: false,
            epsilon_start: 1.0,
            epsilon_end: 0.05,
            exploration_fraction: 0.2,
            network: NetworkConfig::published(),
        }
    }

    /// Our own settings, for rewards that cost a calculation each.
    ///
    /// Three-step double Q-learning over a buffer that forgets nothing, with a learning rate that
    /// goes down. On C2 with density 5 g/cm³ (rigid rewards, `examples/learning_curve`), single
    /// steps learn more slowly and whole returns, which keep what random actions earned, less well.
    pub fn standard() -> Self {
        Self {
            total_steps: 4000,
            environments: 4,
            in_flight: 8,
            learning_rate: 1e-3,
            learning_rate_end: 1e-5,
            max_gradient_norm: Some(10.0),
            discount: 1.0,
            batch_size: 32,
            replay_capacity: 100_000,
            learning_starts: 200,
            train_every: 2,
            n_step: 3,
            double: true,
            exploration_fraction: 0.3,
            network: NetworkConfig::default(),
            ..Self::paper(Property::Density)
        }
    }

    /// Share of random actions by environment step.
    pub fn epsilon(&self) -> LinearSchedule {
        LinearSchedule {
            start: self.epsilon_start,
            end: self.epsilon_end,
            steps: self.exploration_fraction * self.total_steps as f64,
        }
    }

    /// Learning rate by environment step.
    pub fn learning_rates(&self) -> LinearSchedule {
        LinearSchedule {
            start: self.learning_rate,
            end: self.learning_rate_end,
            steps: self.total_steps as f64,
        }
    }

    /// # Errors
    /// [`AgentError::Config`] names the first field that cannot be right.
    pub(crate) fn check(&self) -> Result<(), AgentError> {
        let error = |field, found: String, expected| {
            Err(AgentError::Config {
                field,
                found,
                expected,
            })
        };
        for (field, value) in [
            ("total_steps", self.total_steps),
            ("environments", self.environments as u64),
            ("threads", self.threads as u64),
            ("batch_size", self.batch_size as u64),
            ("replay_capacity", self.replay_capacity as u64),
            ("train_every", self.train_every),
            ("target_every", self.target_every),
            ("n_step", self.n_step as u64),
        ] {
            if value == 0 {
                return error(field, value.to_string(), "at least 1");
            }
        }
        for (field, value) in [
            ("discount", self.discount),
            ("target_rate", self.target_rate),
            ("epsilon_start", self.epsilon_start),
            ("epsilon_end", self.epsilon_end),
            ("exploration_fraction", self.exploration_fraction),
        ] {
            if !(0.0..=1.0).contains(&value) {
                return error(field, value.to_string(), "a number from 0 to 1");
            }
        }
        for (field, value) in [
            ("learning_rate", self.learning_rate),
            ("learning_rate_end", self.learning_rate_end),
            ("adam_epsilon", self.adam_epsilon),
            ("max_gradient_norm", self.max_gradient_norm.unwrap_or(1.0)),
        ] {
            if !(value.is_finite() && value > 0.0) {
                return error(field, value.to_string(), "a positive number");
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_paper_preset_explores_for_a_fifth_of_the_run() {
        let density = DqnConfig::paper(Property::Density).epsilon();
        assert_eq!((density.at(20_000), density.steps), (0.05, 20_000.0));
        assert_eq!(
            DqnConfig::paper(Property::BandGap).epsilon().steps,
            40_000.0
        );
    }

    #[test]
    fn impossible_settings_are_named() {
        DqnConfig::standard().check().unwrap();
        DqnConfig::paper(Property::BulkModulus).check().unwrap();
        let message = |config: DqnConfig| config.check().unwrap_err().to_string();
        let batch = DqnConfig {
            batch_size: 0,
            ..DqnConfig::default()
        };
        assert_eq!(
            message(batch),
            "agent configuration: batch_size is 0, expected at least 1"
        );
        let discount = DqnConfig {
            discount: 1.5,
            ..DqnConfig::default()
        };
        assert!(message(discount).contains("discount is 1.5"));
        let rate = DqnConfig {
            learning_rate: f64::NAN,
            ..DqnConfig::default()
        };
        assert!(message(rate).contains("learning_rate is NaN"));
    }
}
