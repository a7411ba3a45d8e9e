//! Soft actor-critic for discrete actions.

mod config;
mod learner;
mod loss;
mod saved;
mod temperature;

use std::{path::Path, sync::Arc};

use crystalgym_environment::{FinishedEpisode, Task};
use crystalgym_networks::Megnet;
use rand::SeedableRng;
use rand_pcg::Pcg64;

pub use self::config::{CriticCombination, SacConfig};

use self::{
    learner::{Learner, Rates},
    loss::temperature_slope,
    temperature::Temperature,
};
use crate::{
    Agent, AgentConfig, AgentError, Evaluator, Observer, Policy, PolicyMode, Progress,
    ReplayBuffer, Update, agent_seed,
    categorical_policy::CategoricalPolicy,
    collect::{self, Collector, Cycle},
    search::random_action,
};

/// Soft actor-critic for discrete actions (Christodoulou 2019), with remedies for its known
/// troubles as options.
pub struct Sac {
    config: SacConfig,
    task: Arc<Task>,
    collector: Collector,
    learner: Learner<Megnet>,
    replay: ReplayBuffer,
    temperature: Temperature,
    rng: Pcg64,
    /// Environment step up to which learning is done.
    learned_until: u64,
    updates: u64,
}

impl Sac {
    /// An agent at the start of its run.
    ///
    /// # Errors
    /// [`AgentError::Config`] or [`AgentError::Network`] for settings that cannot be.
    pub fn new(
        config: SacConfig,
        task: Arc<Task>,
        evaluator: &Evaluator,
    ) -> Result<Self, AgentError> {
        config.check()?;
        for (field, states) in [
            ("batch_size", config.batch_size),
            ("environments", config.environments),
        ] {
            config.network.check_batch(&task, field, states)?;
        }
        let mut rng = Pcg64::seed_from_u64(agent_seed(config.seed));
        let actions = task.actions().len();
        let mut network = || config.network.build(&task, actions, &mut rng);
        let (actor, critics) = (network()?, [network()?, network()?]);
        Ok(Self {
            collector: Collector::new(config.collect(), &task, evaluator),
            learner: Learner::new(actor, critics, &config)?,
            replay: ReplayBuffer::new(config.replay_capacity),
            temperature: Temperature::new(config.temperature),
            rng,
            learned_until: 0,
            updates: 0,
            config,
            task,
        })
    }

    /// The settings.
    pub fn config(&self) -> &SacConfig {
        &self.config
    }

    /// The network whose outputs are the logits of the policy.
    pub fn actor(&self) -> &Megnet {
        &self.learner.actor.network
    }

    fn update(&mut self, step: u64, observer: &mut dyn Observer) -> Result<(), AgentError> {
        let config = &self.config;
        let share = config.learning_rate_shares().at(step);
        let rates = Rates {
            actor: share * config.actor_learning_rate,
            critic: share * config.critic_learning_rate,
            temperature: if config.tune_temperature {
                self.temperature.alpha()
            } else {
                config.temperatures().at(step)
            },
            target_entropy: config.target_entropies().at(step),
        };
        let batch = self.replay.sample(config.batch_size, 0.0, &mut self.rng);
        let losses = self
            .learner
            .update(&self.task, &batch.transitions, config, rates)?;
        if config.tune_temperature {
            let slope = temperature_slope(rates.temperature, losses.entropy, losses.target_entropy);
            self.temperature
                .descend(slope, config.temperature_learning_rate);
        }
        self.updates += 1;
        let scalars = vec![
            ("losses/qf_loss", losses.critic_loss),
            ("losses/qf_values", losses.q_values),
            ("losses/actor_loss", losses.actor_loss),
            ("losses/entropy", losses.entropy),
            ("losses/alpha", rates.temperature),
            ("losses/gradient_norm", losses.gradient_norm),
            ("charts/learning_rate", rates.actor),
        ];
        if let Some((what, found)) = scalars.iter().find(|(_, value)| !value.is_finite()) {
            return Err(AgentError::Diverged {
                step,
                what,
                found: *found,
            });
        }
        observer.updated(&Update {
            step,
            updates: self.updates,
            scalars,
        });
        Ok(())
    }
}

impl Cycle for Sac {
    fn collector(&mut self) -> &mut Collector {
        &mut self.collector
    }

    fn remember(&mut self, episode: &FinishedEpisode) -> Result<(), AgentError> {
        let config = &self.config;
        self.replay.remember(
            &self.task,
            episode,
            &config.relabel,
            config.n_step,
            config.discount,
            &mut self.rng,
        );
        Ok(())
    }

    /// Learns for every environment step since the last time.
    fn learn(&mut self, observer: &mut dyn Observer) -> Result<(), AgentError> {
        while self.learned_until < self.collector.steps() {
            self.learned_until += 1;
            let step = self.learned_until;
            if step <= self.config.learning_starts || self.replay.is_empty() {
                continue;
            }
            if step.is_multiple_of(self.config.train_every) {
                for _ in 0..self.config.gradient_steps {
                    self.update(step, observer)?;
                }
            }
            if step.is_multiple_of(self.config.target_every) {
                self.learner.update_targets(self.config.target_rate)?;
            }
        }
        Ok(())
    }

    /// Random actions until learning starts, then draws from the policy.
    fn act(&mut self) -> Result<Vec<u8>, AgentError> {
        let step = self.collector.steps();
        let states = self.collector.states();
        if step < self.config.learning_starts {
            let masks = states.iter().map(|state| state.action_mask(&self.task));
            return Ok(masks
                .map(|mask| random_action(mask, &mut self.rng))
                .collect());
        }
        let target = self.task.target();
        let policies = self.learner.policies(&self.task, &states, target)?;
        policies
            .into_iter()
            .map(|policy| {
                let policy = policy.ok_or(AgentError::Diverged {
                    step,
                    what: "a logit of the policy",
                    found: f64::NAN,
                })?;
                Ok(policy.sample(&mut self.rng) as u8)
            })
            .collect()
    }
}

impl Agent for Sac {
    fn name(&self) -> &'static str {
        "sac"
    }

    fn settings(&self) -> AgentConfig {
        AgentConfig::Sac(self.config.clone())
    }

    fn step(&mut self, observer: &mut dyn Observer) -> Result<Progress, AgentError> {
        collect::step(self, observer)
    }

    fn steps(&self) -> u64 {
        self.collector.steps()
    }

    fn total_steps(&self) -> u64 {
        self.collector.total_steps()
    }

    fn save(&self, folder: &Path) -> Result<(), AgentError> {
        self.save_to(folder)
    }

    fn policy(&self, task: &Arc<Task>, mode: PolicyMode) -> Result<Box<dyn Policy>, AgentError> {
        let threads = self.config.threads;
        let policy = CategoricalPolicy::new(self.actor(), &self.task, task, mode, threads)?;
        Ok(Box::new(policy))
    }
}
