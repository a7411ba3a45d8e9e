//! Settings of DQN and Rainbow.

use crystalgym_environment::{Task, published_steps};
use crystalgym_evaluation::Property;
use crystalgym_networks::NetworkConfig;
use serde::{Deserialize, Serialize};

use crate::{AgentError, FindsConfig, LinearSchedule, RelabelConfig, check, finds::Returns};

/// What the mean of the advantages runs over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AdvantageMean {
    /// The actions of a state (Wang et al. 2016, equation 9).
    #[default]
    Actions,
    /// The actions of all states in the batch, as in the published agents: a state's value then
    /// depends on what it is asked together with.
    Batch,
}

/// Settings of [`Dqn`](crate::Dqn); the default is [`DqnConfig::standard`].
///
/// The options from `double` to `noisy` are the six of Rainbow (Hessel et al. 2018), each on its
/// own.
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
    /// Gradient steps each time; over `train_every`, the replay ratio.
    pub gradient_steps: u64,
    /// Environment steps between updates of the target network.
    pub target_every: u64,
    /// How far an update of the target network goes: 1 copies, less blends.
    pub target_rate: f64,
    /// What else each finished episode teaches.
    pub relabel: RelabelConfig,
    /// Steps of the return before the value of the next state takes over.
    pub n_step: usize,
    /// Whether the online network chooses the action whose value the target network gives (double
    /// Q-learning, van Hasselt et al. 2016).
    pub double: bool,
    /// Whether values are a state's value plus advantages, `Q = V + A − mean A` (Wang et al. 2016).
    pub dueling: bool,
    /// What that mean runs over.
    pub dueling_mean: AdvantageMean,
    /// Whether transitions are drawn by their error (Schaul et al. 2016).
    pub prioritized: bool,
    /// α: 0 draws uniformly, 1 in proportion to the error.
    pub priority_exponent: f64,
    /// β, the exponent of the importance weights, at the start; it goes to 1 over the run.
    pub importance_start: f64,
    /// Number of returns on which a distribution is learned, spread over the range of the reward
    /// (C51, Bellemare et al. 2017); 1 learns the mean alone.
    pub atoms: usize,
    /// Whether the last layers have noisy weights, which explore beside the random actions
    /// (Fortunato et al. 2018).
    pub noisy: bool,
    /// σ₀ of the noisy weights at the start.
    pub noisy_sigma: f64,
    /// Share of random actions at the start.
    pub epsilon_start: f64,
    /// Share of random actions in the end.
    pub epsilon_end: f64,
    /// Share of the run in which it goes linearly from one to the other.
    pub exploration_fraction: f64,
    /// What is done with what was found.
    #[serde(default)]
    pub finds: FindsConfig,
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
            total_steps: published_steps(property),
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
            gradient_steps: 1,
            target_every: 100,
            target_rate: 1.0,
            relabel: RelabelConfig::default(),
            n_step: 1,
            double: false,
            dueling: false,
            dueling_mean: AdvantageMean::Actions,
            prioritized: false,
            priority_exponent: 0.5,
            importance_start: 0.4,
            atoms: 1,
            noisy: false,
            noisy_sigma: 0.5,
            epsilon_start: 1.0,
            epsilon_end: 0.05,
            exploration_fraction: 0.2,
            finds: FindsConfig::default(),
            network: NetworkConfig::published(),
        }
    }

    /// Our own settings, for rewards that cost a calculation each.
    ///
    /// Three-step double Q-learning over a buffer that forgets nothing, with a learning rate that
    /// goes down. On C2 with density 5 g/cm³ (rigid rewards, `crystalgym bench agents`), single
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
            finds: FindsConfig::standard(),
            network: NetworkConfig::default(),
            ..Self::paper(Property::Density)
        }
    }

    /// What the published runs called Rainbow: double, dueling (with the mean over the batch) and
    /// three-step, without priorities, distributions or noise.
    ///
    /// Its heads were two perceptrons on top of the logits; here value and advantages are outputs
    /// of the network's own last layers.
    pub fn paper_rainbow(property: Property) -> Self {
        Self {
            n_step: 3,
            double: true,
            dueling: true,
            dueling_mean: AdvantageMean::Batch,
            ..Self::paper(property)
        }
    }

    /// All six options of Rainbow (Hessel et al. 2018), over our own settings.
    ///
    /// Its noisy weights alone did not find a good crystal in 800 episodes of one seed in five (C2,
    /// 3 g/cm³), so that random actions begin here too, and end after a fifth of the run. Every
    /// crystal is learned from in two more orders, and there is a gradient step for every step:
    /// with neither, one seed in five stayed below 0.95 of the optimum for 800 episodes (C2, 5 g/cm³).
    pub fn rainbow() -> Self {
        Self {
            train_every: 1,
            relabel: RelabelConfig::other_orders(2),
            n_step: 3,
            double: true,
            dueling: true,
            prioritized: true,
            atoms: 51,
            noisy: true,
            epsilon_end: 0.0,
            exploration_fraction: 0.2,
            ..Self::standard()
        }
    }

    /// β by environment step.
    pub fn importance(&self) -> LinearSchedule {
        LinearSchedule {
            start: self.importance_start,
            end: 1.0,
            steps: self.total_steps as f64,
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

    /// By how much the value of what leads to the best crystal is to exceed all others: a twentieth of
    /// the range of the rewards.
    pub(super) fn margin(&self, task: &Task) -> f64 {
        let (lowest, best) = task.objective().range();
        0.05 * (best - lowest)
    }

    pub(super) fn returns(&self) -> Returns {
        Returns {
            n_step: self.n_step,
            discount: self.discount,
        }
    }

    /// # Errors
    /// [`AgentError::Config`] names the first field that cannot be right.
    pub(crate) fn check(&self) -> Result<(), AgentError> {
        self.network.check()?;
        self.relabel.check()?;
        self.finds.check()?;
        check::counts(&[
            ("threads", (self.threads as u64, check::THREADS)),
            ("batch_size", (self.batch_size as u64, check::BATCH)),
            (
                "replay_capacity",
                (self.replay_capacity as u64, check::REPLAY),
            ),
            (
                "learning_starts",
                (self.learning_starts, 0..=*check::STEPS.end()),
            ),
            ("train_every", (self.train_every, check::STEPS)),
            ("gradient_steps", (self.gradient_steps, check::REPEATS)),
            ("target_every", (self.target_every, check::STEPS)),
            ("n_step", (self.n_step as u64, check::N_STEP)),
            ("atoms", (self.atoms as u64, 1..=1001)),
        ])?;
        check::fractions(&[
            ("discount", self.discount),
            ("target_rate", self.target_rate),
            ("priority_exponent", self.priority_exponent),
            ("importance_start", self.importance_start),
            ("epsilon_start", self.epsilon_start),
            ("epsilon_end", self.epsilon_end),
            ("exploration_fraction", self.exploration_fraction),
        ])?;
        check::positive(&[
            ("learning_rate", self.learning_rate),
            ("learning_rate_end", self.learning_rate_end),
            ("adam_epsilon", self.adam_epsilon),
            ("max_gradient_norm", self.max_gradient_norm.unwrap_or(1.0)),
            ("noisy_sigma", self.noisy_sigma),
        ])
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
            "agent configuration: batch_size is 0, expected 1 to 16384"
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
