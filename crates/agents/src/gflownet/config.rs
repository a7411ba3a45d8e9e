//! Settings of the GFlowNet.

use crystalgym_networks::NetworkConfig;
use serde::{Deserialize, Serialize};

use crate::{AgentError, FindsConfig, RelabelConfig, check};

/// Settings of [`GFlowNet`](crate::GFlowNet).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GFlowNetConfig {
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
    /// Learning rate of Adam for the policy.
    pub learning_rate: f64,
    /// The same for `ln Z`.
    pub partition_learning_rate: f64,
    /// Adam's ε.
    pub adam_epsilon: f64,
    /// Largest norm of each network's gradient; absent: not clipped.
    pub max_gradient_norm: Option<f64>,
    /// Crystals are drawn in proportion to the reward to this power.
    pub power: f64,
    /// Weight of a crystal that earns nothing or less, a failure for one; no crystal has less.
    pub least_weight: f64,
    /// Trajectories of a gradient step.
    pub batch_trajectories: usize,
    /// Gradient steps for each finished episode.
    pub gradient_steps: usize,
    /// Episodes before the first gradient step.
    pub learning_starts: u64,
    /// Last trajectories that are learned from, copies counted.
    pub replay_trajectories: usize,
    /// Share of each batch that is drawn among the best of them.
    pub best_share: f64,
    /// Which share of them are the best.
    pub best_fraction: f64,
    /// Probability that an action is drawn evenly among the allowed ones.
    pub exploration: f64,
    /// Whether the last action leaves no odd number of electrons, where the property needs filled
    /// bands; for the policy too.
    pub parity_mask: bool,
    /// Whether no action is taken in training that ends in a crystal that was made before, while
    /// there is another.
    pub new_crystals: bool,
    /// What else one crystal teaches.
    pub relabel: RelabelConfig,
    /// Shape of the networks.
    pub network: NetworkConfig,
}

impl Default for GFlowNetConfig {
    fn default() -> Self {
        Self {
            total_steps: 4000,
            seed: 1,
            environments: 4,
            in_flight: 8,
            threads: 1,
            learning_rate: 1e-3,
            partition_learning_rate: 1e-2,
            adam_epsilon: 1e-8,
            max_gradient_norm: Some(10.0),
            power: 16.0,
            least_weight: 1e-4,
            batch_trajectories: 16,
            gradient_steps: 4,
            learning_starts: 10,
            replay_trajectories: 10_000,
            best_share: 0.5,
            best_fraction: 0.1,
            exploration: 0.05,
            parity_mask: true,
            new_crystals: true,
            relabel: RelabelConfig {
                symmetry: true,
                ..RelabelConfig::other_orders(2)
            },
            network: NetworkConfig::default(),
        }
    }
}

impl GFlowNetConfig {
    /// The masks alone: what is best is not imitated, but drawn as often as it should be.
    pub(super) fn finds(&self) -> FindsConfig {
        FindsConfig {
            parity_mask: self.parity_mask,
            new_crystals: self.new_crystals,
            ..FindsConfig::default()
        }
    }

    /// # Errors
    /// [`AgentError::Config`] names the first field that cannot be right.
    pub(crate) fn check(&self) -> Result<(), AgentError> {
        self.network.check()?;
        self.relabel.check()?;
        let (batch, replay) = (
            self.batch_trajectories as u64,
            self.replay_trajectories as u64,
        );
        check::counts(&[
            ("threads", (self.threads as u64, check::THREADS)),
            ("batch_trajectories", (batch, 1..=4096)),
            (
                "gradient_steps",
                (self.gradient_steps as u64, check::REPEATS),
            ),
            ("learning_starts", (self.learning_starts, 1..=1_000_000)),
            ("replay_trajectories", (replay, batch..=1_000_000)),
        ])?;
        check::fractions(&[
            ("best_share", self.best_share),
            ("best_fraction", self.best_fraction),
            ("exploration", self.exploration),
        ])?;
        check::positive(&[
            ("learning_rate", self.learning_rate),
            ("partition_learning_rate", self.partition_learning_rate),
            ("adam_epsilon", self.adam_epsilon),
            ("max_gradient_norm", self.max_gradient_norm.unwrap_or(1.0)),
            ("power", self.power),
            ("least_weight", self.least_weight),
        ])
    }
}
