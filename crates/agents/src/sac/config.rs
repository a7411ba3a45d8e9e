//! Settings of discrete SAC.

use crystalgym_evaluation::Property;
use crystalgym_networks::NetworkConfig;
use serde::{Deserialize, Serialize};

use crate::{AgentError, FindsConfig, LinearSchedule, RelabelConfig, check, finds::Returns};

/// What becomes of the two critics' values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CriticCombination {
    /// The smaller one (Fujimoto et al. 2018), as in the original form.
    #[default]
    Min,
    /// Their mean (Zhou et al. 2022, "revisiting discrete SAC").
    Mean,
}

/// Settings of [`Sac`](crate::Sac); the default is [`SacConfig::standard`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SacConfig {
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
    /// Learning rate of the actor at the start.
    pub actor_learning_rate: f64,
    /// Learning rate of the critics at the start.
    pub critic_learning_rate: f64,
    /// Share of both that is left in the end; it goes there linearly over the whole run.
    pub learning_rate_end_share: f64,
    /// Adam's ε.
    pub adam_epsilon: f64,
    /// Largest norm of a network's gradient; absent: not clipped.
    pub max_gradient_norm: Option<f64>,
    /// γ.
    pub discount: f64,
    /// Transitions in a batch.
    pub batch_size: usize,
    /// Transitions in the replay buffer.
    pub replay_capacity: usize,
    /// What else each finished episode teaches.
    pub relabel: RelabelConfig,
    /// Environment steps, taken at random, before the first gradient step.
    pub learning_starts: u64,
    /// Environment steps between gradient steps.
    pub train_every: u64,
    /// Gradient steps each time; over `train_every`, the replay ratio.
    pub gradient_steps: u64,
    /// Environment steps between updates of the target critics.
    pub target_every: u64,
    /// How far such an update goes: 1 copies, less blends.
    pub target_rate: f64,
    /// Steps of the return before the value of the next state takes over.
    pub n_step: usize,
    /// Whether the critics' targets hold the entropy of the next state, as in the original form;
    /// without, entropy only drives the actor (Asad, Babanezhad and Vaswani 2025).
    pub critic_entropy: bool,
    /// What becomes of the two critics' values.
    pub critics: CriticCombination,
    /// How far a critic may move from its target before the larger loss counts (Zhou et al. 2022);
    /// absent: the plain squared error.
    pub q_clip: Option<f64>,
    /// α, the weight of the entropy, at the start.
    pub temperature: f64,
    /// α in the end; it goes there linearly in the share `temperature_fraction` of the run.
    pub temperature_end: f64,
    /// Share of the run in which it goes there.
    pub temperature_fraction: f64,
    /// Whether α is learned instead, so that the entropy meets a target (Christodoulou 2019); it
    /// then starts at `temperature`.
    pub tune_temperature: bool,
    /// Learning rate of ln α.
    pub temperature_learning_rate: f64,
    /// Target of the entropy at the start, as a share of that of the uniform distribution.
    pub target_entropy: f64,
    /// That share in the end; it goes there linearly over the whole run.
    pub target_entropy_end: f64,
    /// Whether the actor's loss is divided by the number of actions, as in the published agents
    /// (a mean over actions where the sum is meant).
    pub divide_by_actions: bool,
    /// What is done with what was found.
    #[serde(default)]
    pub finds: FindsConfig,
    /// Shape of the networks.
    pub network: NetworkConfig,
}

impl Default for SacConfig {
    fn default() -> Self {
        Self::standard()
    }
}

impl SacConfig {
    /// The settings of the published runs (CrystalGym, launch scripts): the original form with a
    /// fixed temperature, and the actor's loss divided by the number of actions.
    ///
    /// What stays different is what was an error: the observation tells which site is filled next.
    /// An episode enters the replay buffer as a whole, when its reward is known.
    pub fn paper(_property: Property) -> Self {
        Self {
            total_steps: 500_000,
            seed: 1,
            environments: 1,
            in_flight: 0,
            threads: 1,
            actor_learning_rate: 3e-4,
            critic_learning_rate: 3e-4,
            learning_rate_end_share: 1.0,
            adam_epsilon: 1e-4,
            max_gradient_norm: None,
            discount: 0.99,
            batch_size: 64,
            replay_capacity: 2000,
            relabel: RelabelConfig::default(),
            learning_starts: 1000,
            train_every: 4,
            gradient_steps: 1,
            target_every: 100,
            target_rate: 1.0,
            n_step: 1,
            critic_entropy: true,
            critics: CriticCombination::Min,
            q_clip: None,
            temperature: 0.2,
            temperature_end: 0.2,
            temperature_fraction: 1.0,
            tune_temperature: false,
            temperature_learning_rate: 3e-4,
            target_entropy: 0.89,
            target_entropy_end: 0.89,
            divide_by_actions: true,
            finds: FindsConfig::default(),
            network: NetworkConfig::published(),
        }
    }

    /// Our own settings, for rewards that cost a calculation each: an entropy-free critic on
    /// one-step targets, the mean of two critics, soft targets, a temperature that goes down, and
    /// every crystal learned from in two more orders.
    ///
    /// Three-step returns, which keep what the policy did long ago, left one seed in five at 0.2 of
    /// the optimum on C2 (rigid density 5 g/cm³) after 800 episodes, and without other orders one
    /// of two below 0.95 on C6 after 1000; one-step targets none of fifteen runs on three tasks.
    pub fn standard() -> Self {
        Self {
            total_steps: 4000,
            environments: 4,
            in_flight: 8,
            actor_learning_rate: 1e-3,
            critic_learning_rate: 1e-3,
            learning_rate_end_share: 0.05,
            adam_epsilon: 1e-8,
            max_gradient_norm: Some(10.0),
            discount: 1.0,
            batch_size: 32,
            replay_capacity: 100_000,
            relabel: RelabelConfig::other_orders(2),
            learning_starts: 200,
            train_every: 2,
            target_every: 2,
            target_rate: 0.02,
            n_step: 1,
            critic_entropy: false,
            critics: CriticCombination::Mean,
            temperature: 0.1,
            temperature_end: 0.005,
            temperature_fraction: 0.5,
            divide_by_actions: false,
            finds: FindsConfig::standard(),
            network: NetworkConfig::default(),
            ..Self::paper(Property::Density)
        }
    }

    fn schedule(&self, start: f64, end: f64, fraction: f64) -> LinearSchedule {
        LinearSchedule {
            start,
            end,
            steps: fraction * self.total_steps as f64,
        }
    }

    /// What the learning rates are multiplied by, by environment step.
    pub fn learning_rate_shares(&self) -> LinearSchedule {
        self.schedule(1.0, self.learning_rate_end_share, 1.0)
    }

    /// α by environment step, unless it is learned.
    pub fn temperatures(&self) -> LinearSchedule {
        self.schedule(
            self.temperature,
            self.temperature_end,
            self.temperature_fraction,
        )
    }

    /// Target of the entropy by environment step, as a share of the largest.
    pub fn target_entropies(&self) -> LinearSchedule {
        self.schedule(self.target_entropy, self.target_entropy_end, 1.0)
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
        ])?;
        check::fractions(&[
            ("discount", self.discount),
            ("target_rate", self.target_rate),
            ("learning_rate_end_share", self.learning_rate_end_share),
            ("temperature_fraction", self.temperature_fraction),
            ("target_entropy", self.target_entropy),
            ("target_entropy_end", self.target_entropy_end),
        ])?;
        check::positive(&[
            ("actor_learning_rate", self.actor_learning_rate),
            ("critic_learning_rate", self.critic_learning_rate),
            ("temperature_learning_rate", self.temperature_learning_rate),
            ("adam_epsilon", self.adam_epsilon),
            ("max_gradient_norm", self.max_gradient_norm.unwrap_or(1.0)),
            ("q_clip", self.q_clip.unwrap_or(1.0)),
        ])?;
        if self.tune_temperature {
            check::positive(&[("temperature", self.temperature)])?;
        }
        check::not_negative(&[
            ("temperature", self.temperature),
            ("temperature_end", self.temperature_end),
        ])
    }
}
