//! Proximal policy optimisation over complete episodes.

mod config;
mod learner;
mod loss;
mod sample;
mod saved;

use std::{collections::VecDeque, sync::Arc};

use crystalgym_environment::{
    Action, FinishedEpisode, Observation, State, Task, VectorEnvironment, random::uniform_below,
};
use crystalgym_networks::{GraphNetwork, Network, Outputs};
use rand::SeedableRng;
use rand_pcg::Pcg64;
use serde::{Deserialize, Serialize};

pub use self::config::PpoConfig;

use self::{learner::ActorCritic, sample::Sample};
use crate::{
    AgentConfig, AgentError, Learner, Observer, Policy, PolicyMode, agent_seed,
    categorical_policy::{CategoricalPolicy, modes},
    checkpoint::{CheckpointFile, Memory},
    finds::{Finds, with_masks},
    generalized_advantages,
    networks::{self, BuildNetwork},
    observer::report_update,
    replay::first_reward,
};

/// `ln π(a)` of the actions of episodes that have no reward yet.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
struct Traces {
    /// Of each environment's episode under way.
    current: Vec<Vec<f64>>,
    /// Of those that have ended, in that order, in which their rewards arrive.
    ended: VecDeque<Vec<f64>>,
}

/// Proximal policy optimisation (Schulman et al. 2017) with separate actor and critic.
///
/// Rewards come late and at once, so whole episodes are collected. Those that were still being
/// calculated when the policy changed are learned from all the same: the ratio is taken with the
/// probabilities of the policy that acted.
pub struct Ppo<N: GraphNetwork = Network> {
    config: PpoConfig,
    task: Arc<Task>,
    networks: ActorCritic<N>,
    traces: Traces,
    /// What arrived since the last update.
    samples: VecDeque<Sample>,
    /// Observations of the first rollout, if only they are ever learned from.
    first_observations: Vec<(State, f64)>,
    finds: Finds,
    rng: Pcg64,
    updates: u64,
}

impl Ppo {
    /// A learner that knows nothing yet.
    ///
    /// # Errors
    /// [`AgentError::Config`] or [`AgentError::Network`] for settings that cannot be.
    pub fn new(config: PpoConfig, task: Arc<Task>) -> Result<Self, AgentError> {
        let (shape, on) = (config.network.clone(), Arc::clone(&task));
        Self::with_networks(config, task, &mut |outputs, rng| {
            shape.build(&on, outputs, rng)
        })
    }
}

impl<N: GraphNetwork> Ppo<N> {
    /// A learner on networks of any kind: the actor, then the critic.
    ///
    /// # Errors
    /// As [`Ppo::new`].
    pub fn with_networks(
        config: PpoConfig,
        task: Arc<Task>,
        build: BuildNetwork<'_, N>,
    ) -> Result<Self, AgentError> {
        config.check()?;
        let mut rng = Pcg64::seed_from_u64(agent_seed(config.seed));
        let actor = build(Outputs::ACTIONS, &mut rng)?;
        let critic = build(Outputs::VALUE, &mut rng)?;
        networks::check_batches(
            &actor,
            &[
                (
                    "rollout_steps",
                    config.rollout_steps.div_ceil(config.minibatches),
                ),
                ("environments", config.environments),
            ],
        )?;
        Ok(Self {
            networks: ActorCritic::new(actor, critic, &config)?,
            traces: Traces {
                current: vec![Vec::new(); config.environments],
                ended: VecDeque::new(),
            },
            samples: VecDeque::new(),
            first_observations: Vec::new(),
            finds: Finds::new(&config.finds),
            rng,
            updates: 0,
            config,
            task,
        })
    }

    /// The settings.
    pub fn config(&self) -> &PpoConfig {
        &self.config
    }

    /// The network whose outputs are the logits of the policy.
    pub fn actor(&self) -> &N {
        &self.networks.actor
    }

    /// One gradient step on the samples at these places, which are number `start` and on of the
    /// shuffled rollout.
    fn update(
        &mut self,
        rollout: &[Sample],
        places: &[usize],
        start: usize,
        step: u64,
        observer: &mut dyn Observer,
    ) -> Result<(), AgentError> {
        let minibatch: Vec<&Sample> = places.iter().map(|&place| &rollout[place]).collect();
        // The published minibatches took the observations in the order of the run, not shuffled.
        let stale = self.first_observations.get(start..start + minibatch.len());
        let rates = (
            self.config.learning_rates().at(step),
            self.config.entropy_coefficients().at(step),
        );
        let (task, finds, config) = (&self.task, &self.finds, &self.config);
        let networks = &mut self.networks;
        let mut losses = networks.update(task, &minibatch, stale, finds, config, rates)?;
        let imitated = finds.imitated(minibatch.len(), &mut self.rng);
        if !imitated.is_empty() {
            let loss = networks.imitate(task, &imitated, finds, config, rates.0)?;
            losses.push(("losses/imitation_loss", loss));
        }
        self.updates += 1;
        report_update(observer, step, self.updates, losses)
    }

    /// Imitates until the policy makes the best crystals.
    fn rehearse(&mut self, step: u64) -> Result<(), AgentError> {
        let config = &self.config;
        let ended_after = (step >= config.total_steps).then_some(step);
        let minibatch = config.rollout_steps.div_ceil(config.minibatches);
        for _ in 0..self.finds.rehearsals(ended_after) {
            let (task, networks, finds) = (&self.task, &mut self.networks, &self.finds);
            let astray = finds.astray(task, |seen| modes(networks.policies(seen)?))?;
            if astray.is_empty() {
                break;
            }
            let imitated = finds.lessons(minibatch, &astray, &mut self.rng);
            let loss = networks.imitate(task, &imitated, finds, config, config.learning_rate)?;
            if !loss.is_finite() {
                return Err(AgentError::Diverged {
                    step,
                    what: "the loss of imitation",
                    found: loss,
                });
            }
        }
        Ok(())
    }
}

/// The steps of an episode with their advantages.
fn samples<N: GraphNetwork>(
    task: &Task,
    networks: &mut ActorCritic<N>,
    config: &PpoConfig,
    episode: &FinishedEpisode,
    trace: &[f64],
) -> Result<Vec<Sample>, AgentError> {
    let actions = &episode.episode.actions;
    let mut states = episode.episode.states(task)?;
    // The last state has no action.
    states.truncate(actions.len());
    let values = networks.values(task, &states, episode.target)?;
    let mut rewards = vec![0.0; actions.len()];
    if let Some(last) = rewards.last_mut() {
        *last = episode.crystal_reward;
    }
    if let (Some(first), Some(more)) = (rewards.first_mut(), first_reward(episode, episode.target))
    {
        *first += more;
    }
    let advantages = generalized_advantages(&rewards, &values, config.discount, config.gae_lambda);
    let samples = states.into_iter().enumerate().map(|(step, state)| Sample {
        state,
        target: episode.target,
        action: actions[step],
        log_probability: trace[step],
        value: values[step],
        advantage: advantages[step],
    });
    Ok(samples.collect())
}

/// The numbers below `n` in random order (Fisher and Yates).
fn shuffled(n: usize, rng: &mut Pcg64) -> Vec<usize> {
    let mut order: Vec<usize> = (0..n).collect();
    for last in (1..n).rev() {
        let other = uniform_below(rng, last + 1);
        order.swap(last, other);
    }
    order
}

impl<N: GraphNetwork> Learner for Ppo<N> {
    fn settings(&self) -> AgentConfig {
        AgentConfig::Ppo(self.config.clone())
    }

    fn remember(&mut self, episode: &FinishedEpisode) -> Result<(), AgentError> {
        let trace = self.traces.ended.pop_front().unwrap_or_default();
        let (task, config, networks) = (&self.task, &self.config, &mut self.networks);
        self.samples
            .extend(samples(task, networks, config, episode, &trace)?);
        self.finds.remember(task, episode, config.returns())
    }

    /// Learns from every rollout that is complete.
    fn learn(&mut self, step: u64, observer: &mut dyn Observer) -> Result<(), AgentError> {
        let size = self.config.rollout_steps;
        while self.samples.len() >= size {
            let rollout: Vec<Sample> = self.samples.drain(..size).collect();
            if self.config.first_observations_only && self.first_observations.is_empty() {
                let seen = rollout
                    .iter()
                    .map(|sample| (sample.state.clone(), sample.target));
                self.first_observations = seen.collect();
            }
            for _ in 0..self.config.epochs {
                let order = shuffled(size, &mut self.rng);
                let minibatch = size.div_ceil(self.config.minibatches);
                for (index, places) in order.chunks(minibatch).enumerate() {
                    self.update(&rollout, places, index * minibatch, step, observer)?;
                }
            }
        }
        self.rehearse(step)
    }

    /// Draws an action for every environment from the policy.
    fn act(&mut self, step: u64, seen: &[Observation<'_>]) -> Result<Vec<Action>, AgentError> {
        let (task, finds) = (Arc::clone(&self.task), &mut self.finds);
        let masks = finds.masks(&task, seen);
        let policies = self.networks.policies(&with_masks(seen, &masks))?;
        let mut actions = Vec::with_capacity(seen.len());
        for ((seen, policy), trace) in seen.iter().zip(policies).zip(&mut self.traces.current) {
            let policy = policy.ok_or(AgentError::no_logit(step))?;
            let action = finds.drawn(&task, seen, &policy, &mut self.rng);
            // Of the policy itself, so that what it learns does not depend on what was made before.
            trace.push(policy.log_probabilities()[usize::from(action)]);
            if trace.len() == seen.steps {
                self.traces.ended.push_back(std::mem::take(trace));
            }
            actions.push(action);
        }
        Ok(actions)
    }

    fn memory(&self) -> Result<Memory, AgentError> {
        self.saved()
    }

    fn restore(&mut self, file: &CheckpointFile) -> Result<(), AgentError> {
        self.restore_from(file)
    }

    fn fits(&self, environment: &VectorEnvironment) -> Result<(), String> {
        self.traces_fit(environment)
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
