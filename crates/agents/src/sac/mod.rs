//! Soft actor-critic for discrete actions.

mod config;
mod learner;
mod loss;
mod saved;
mod temperature;

use std::sync::Arc;

use crystalgym_environment::{
    Action, FinishedEpisode, Observation, State, Task, random::random_choice,
};
use crystalgym_networks::{GraphNetwork, Network, Outputs};
use rand::SeedableRng;
use rand_pcg::Pcg64;

pub use self::config::{CriticCombination, SacConfig};

use self::{
    learner::{Rates, SoftActorCritic},
    loss::temperature_slope,
    temperature::Temperature,
};
use crate::{
    AgentConfig, AgentError, Learner, Observer, Policy, PolicyMode, ReplayBuffer, agent_seed,
    categorical_policy::{CategoricalPolicy, modes},
    checkpoint::{CheckpointFile, Memory},
    finds::{Finds, with_masks},
    networks::{self, BuildNetwork},
    observer::report_update,
};

/// Soft actor-critic for discrete actions (Christodoulou 2019), with remedies for its known
/// troubles as options.
pub struct Sac<N: GraphNetwork = Network> {
    config: SacConfig,
    task: Arc<Task>,
    networks: SoftActorCritic<N>,
    replay: ReplayBuffer,
    finds: Finds,
    temperature: Temperature,
    rng: Pcg64,
    /// Environment step up to which learning is done.
    learned_until: u64,
    updates: u64,
}

impl Sac {
    /// A learner that knows nothing yet.
    ///
    /// # Errors
    /// [`AgentError::Config`] or [`AgentError::Network`] for settings that cannot be.
    pub fn new(config: SacConfig, task: Arc<Task>) -> Result<Self, AgentError> {
        let (shape, on) = (config.network.clone(), Arc::clone(&task));
        Self::with_networks(config, task, &mut |outputs, rng| {
            shape.build(&on, outputs, rng)
        })
    }
}

impl<N: GraphNetwork> Sac<N> {
    /// A learner on networks of any kind: the actor, then the two critics.
    ///
    /// # Errors
    /// As [`Sac::new`].
    pub fn with_networks(
        config: SacConfig,
        task: Arc<Task>,
        build: BuildNetwork<'_, N>,
    ) -> Result<Self, AgentError> {
        config.check()?;
        config.relabel.check_for(task.property())?;
        let mut rng = Pcg64::seed_from_u64(agent_seed(config.seed));
        let mut network = || build(Outputs::ACTIONS, &mut rng);
        let (actor, critics) = (network()?, [network()?, network()?]);
        networks::check_batches(
            &actor,
            &[
                ("batch_size", config.batch_size),
                ("environments", config.environments),
            ],
        )?;
        Ok(Self {
            networks: SoftActorCritic::new(actor, critics, &config)?,
            replay: ReplayBuffer::new(config.replay_capacity),
            finds: Finds::new(&config.finds),
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
    pub fn actor(&self) -> &N {
        &self.networks.actor.network
    }

    /// A gradient step, or one more that has the policy make the best crystals, which goes `astray` in
    /// these states.
    fn update(
        &mut self,
        step: u64,
        rehearsed: Option<&[(State, f64)]>,
        observer: &mut dyn Observer,
    ) -> Result<(), AgentError> {
        let config = &self.config;
        let share = match rehearsed {
            None => config.learning_rate_shares().at(step),
            Some(_) => 1.0,
        };
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
        let (size, finds) = (config.batch_size, &self.finds);
        let batch = match rehearsed {
            None => finds.batch(&self.replay, size, 0.0, &mut self.rng),
            Some(astray) => finds.rehearsed(&self.replay, size, 0.0, astray, &mut self.rng),
        };
        let (task, batch) = (&self.task, &batch.transitions);
        let losses = self.networks.update(task, batch, finds, config, rates)?;
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
        report_update(observer, step, self.updates, scalars)
    }

    /// Learns on until the policy makes the best crystals.
    fn rehearse(&mut self, step: u64, observer: &mut dyn Observer) -> Result<(), AgentError> {
        let ended_after = (step >= self.config.total_steps).then_some(step);
        if step <= self.config.learning_starts {
            return Ok(());
        }
        for _ in 0..self.finds.rehearsals(ended_after) {
            let (task, networks) = (&self.task, &mut self.networks);
            let act = |seen: &[Observation<'_>]| modes(networks.policies(seen)?);
            let astray = self.finds.astray(task, act)?;
            if astray.is_empty() {
                break;
            }
            self.update(step, Some(&astray), observer)?;
        }
        Ok(())
    }
}

impl<N: GraphNetwork> Learner for Sac<N> {
    fn settings(&self) -> AgentConfig {
        AgentConfig::Sac(self.config.clone())
    }

    fn remember(&mut self, episode: &FinishedEpisode) -> Result<(), AgentError> {
        let (task, config) = (&self.task, &self.config);
        self.finds.remember(task, episode, config.returns())?;
        self.replay.remember(
            task,
            episode,
            &config.relabel,
            config.n_step,
            config.discount,
            &mut self.rng,
        )
    }

    /// Learns for every environment step since the last time.
    fn learn(&mut self, until: u64, observer: &mut dyn Observer) -> Result<(), AgentError> {
        while self.learned_until < until {
            self.learned_until += 1;
            let step = self.learned_until;
            if step <= self.config.learning_starts || self.replay.is_empty() {
                continue;
            }
            if step.is_multiple_of(self.config.train_every) {
                for _ in 0..self.config.gradient_steps {
                    self.update(step, None, observer)?;
                }
            }
            if step.is_multiple_of(self.config.target_every) {
                self.networks.update_targets(self.config.target_rate)?;
            }
        }
        self.rehearse(until, observer)
    }

    /// Random actions until learning starts, then draws from the policy.
    fn act(&mut self, step: u64, seen: &[Observation<'_>]) -> Result<Vec<Action>, AgentError> {
        let (task, finds, rng) = (Arc::clone(&self.task), &mut self.finds, &mut self.rng);
        if step < self.config.learning_starts {
            let drawn = seen.iter().map(|seen| {
                let action = random_choice(&finds.explored(&task, seen), rng) as Action;
                finds.acted(&task, seen, action);
                action
            });
            return Ok(drawn.collect());
        }
        let masks = finds.masks(&task, seen);
        let policies = self.networks.policies(&with_masks(seen, &masks))?;
        let pairs = policies.into_iter().zip(seen);
        pairs
            .map(|(policy, seen)| {
                let policy = policy.ok_or(AgentError::no_logit(step))?;
                Ok(finds.drawn(&task, seen, &policy, rng))
            })
            .collect()
    }

    fn memory(&self) -> Result<Memory, AgentError> {
        self.saved()
    }

    fn restore(&mut self, file: &CheckpointFile) -> Result<(), AgentError> {
        self.restore_from(file)
    }

    fn policy(
        &self,
        task: &Arc<Task>,
        mode: PolicyMode,
        _step: u64,
    ) -> Result<Box<dyn Policy>, AgentError> {
        let (network, trained) = (self.actor(), &self.task);
        let (threads, parity_mask) = (self.config.threads, self.config.finds.parity_mask);
        CategoricalPolicy::of_trained(network, trained, task, mode, threads, parity_mask)
    }
}
