//! Settings of PPO.

use crystalgym_evaluation::Property;
use crystalgym_networks::NetworkConfig;
use serde::{Deserialize, Serialize};

use crate::{AgentError, FindsConfig, LinearSchedule, check, finds::Returns};

/// Settings of [`Ppo`](crate::Ppo); the default is [`PpoConfig::standard`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PpoConfig {
    /// Environment steps of the run, rounded up to a multiple of `environments`.
    pub total_steps: u64,
    /// Seed of everything random.
    pub seed: u64,
    /// Environments side by side.
    pub environments: usize,
    /// Finished episodes whose rewards may still be missing; 0 waits for each. Part of the
    /// algorithm: another number is another run, whatever the number of workers.
    pub in_flight: usize,
    /// Threads of the networks; the results are the same for any number.
    pub threads: usize,
    /// Learning rate of Adam at the start.
    pub learning_rate: f64,
    /// Learning rate in the end; it goes there linearly over the whole run.
    pub learning_rate_end: f64,
    /// Adam's ε.
    pub adam_epsilon: f64,
    /// Largest norm of the gradient of actor and critic together; absent: not clipped.
    pub max_gradient_norm: Option<f64>,
    /// γ.
    pub discount: f64,
    /// λ of the advantages.
    pub gae_lambda: f64,
    /// Steps that are learned from at a time, out of complete episodes.
    pub rollout_steps: usize,
    /// Parts that each pass over them is cut into.
    pub minibatches: usize,
    /// Passes over them.
    pub epochs: usize,
    /// How far the ratio of probabilities counts, `1 ± clip`.
    pub clip: f64,
    /// Largest ratio that counts where the advantage is negative; absent: none, as in PPO. An action
    /// that was drawn because it leads to something new may have had next to no probability.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub largest_ratio: Option<f64>,
    /// Whether a value may not move further than `clip` from what it was.
    pub clip_value: bool,
    /// Weight of the entropy at the start.
    pub entropy_coefficient: f64,
    /// Weight of the entropy in the end; it goes there linearly over the whole run.
    pub entropy_coefficient_end: f64,
    /// Weight of the value loss.
    pub value_coefficient: f64,
    /// Whether advantages are brought to mean 0 and deviation 1 in each minibatch.
    pub normalize_advantages: bool,
    /// Whether every minibatch shows the networks the observations of the run's first rollout,
    /// whatever was done since, as the published agents did: their list of observations was never
    /// cleared, while actions and advantages were current.
    pub first_observations_only: bool,
    /// What is done with what was found.
    #[serde(default)]
    pub finds: FindsConfig,
    /// Shape of the networks.
    pub network: NetworkConfig,
}

impl Default for PpoConfig {
    fn default() -> Self {
        Self::standard()
    }
}

impl PpoConfig {
    /// The settings of the published runs (CrystalGym, `ppo.yaml`), but for one error: the
    /// observation tells which site is filled next. With
    /// [`first_observations_only`](Self::first_observations_only), which the published runs had
    /// too.
    ///
    /// Rollouts of 32 steps are filled up with complete episodes and what is over is kept for the
    /// next one; the published ones cut episodes off and bootstrapped.
    pub fn paper(_property: Property) -> Self {
        Self {
            total_steps: 500_000,
            seed: 1,
            environments: 1,
            in_flight: 0,
            threads: 1,
            learning_rate: 2.5e-4,
            learning_rate_end: 0.0,
            adam_epsilon: 1e-5,
            max_gradient_norm: Some(0.5),
            discount: 0.99,
            gae_lambda: 0.95,
            rollout_steps: 32,
            minibatches: 2,
            epochs: 4,
            clip: 0.2,
            largest_ratio: None,
            clip_value: true,
            entropy_coefficient: 0.01,
            entropy_coefficient_end: 0.01,
            value_coefficient: 0.5,
            normalize_advantages: true,
            first_observations_only: true,
            finds: FindsConfig::default(),
            network: NetworkConfig::published(),
        }
    }

    /// Our own settings, for rewards that cost a calculation each.
    pub fn standard() -> Self {
        Self {
            total_steps: 8000,
            environments: 8,
            in_flight: 8,
            learning_rate: 1e-3,
            discount: 1.0,
            gae_lambda: 0.95,
            rollout_steps: 80,
            minibatches: 4,
            epochs: 8,
            largest_ratio: Some(3.0),
            clip_value: false,
            entropy_coefficient: 0.02,
            entropy_coefficient_end: 0.0,
            first_observations_only: false,
            finds: FindsConfig::standard(),
            network: NetworkConfig::default(),
            ..Self::paper(Property::Density)
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

    /// Weight of the entropy by environment step.
    pub fn entropy_coefficients(&self) -> LinearSchedule {
        LinearSchedule {
            start: self.entropy_coefficient,
            end: self.entropy_coefficient_end,
            steps: self.total_steps as f64,
        }
    }

    /// What is imitated is whole.
    pub(super) fn returns(&self) -> Returns {
        Returns {
            n_step: usize::MAX,
            discount: self.discount,
        }
    }

    /// # Errors
    /// [`AgentError::Config`] names the first field that cannot be right.
    pub(crate) fn check(&self) -> Result<(), AgentError> {
        self.network.check()?;
        self.finds.check()?;
        check::counts(&[
            ("threads", (self.threads as u64, check::THREADS)),
            ("rollout_steps", (self.rollout_steps as u64, 1..=65_536)),
            (
                "minibatches",
                (self.minibatches as u64, 1..=self.rollout_steps as u64),
            ),
            ("epochs", (self.epochs as u64, check::REPEATS)),
        ])?;
        check::fractions(&[("discount", self.discount), ("gae_lambda", self.gae_lambda)])?;
        check::positive(&[
            ("learning_rate", self.learning_rate),
            ("adam_epsilon", self.adam_epsilon),
            ("clip", self.clip),
            ("largest_ratio", self.largest_ratio.unwrap_or(1.0)),
            ("max_gradient_norm", self.max_gradient_norm.unwrap_or(1.0)),
        ])?;
        check::not_negative(&[
            ("learning_rate_end", self.learning_rate_end),
            ("entropy_coefficient", self.entropy_coefficient),
            ("entropy_coefficient_end", self.entropy_coefficient_end),
            ("value_coefficient", self.value_coefficient),
        ])
    }
}
