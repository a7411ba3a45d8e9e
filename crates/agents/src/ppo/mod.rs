//! Proximal policy optimisation over complete episodes.

mod config;
mod learner;
mod loss;
mod sample;
mod saved;

use std::{collections::VecDeque, path::Path, sync::Arc};

use crystalgym_environment::{FinishedEpisode, State, Task};
use crystalgym_networks::Megnet;
use rand::SeedableRng;
use rand_pcg::Pcg64;
use serde::{Deserialize, Serialize};

pub use self::config::PpoConfig;

use self::{learner::Learner, sample::Sample};
use crate::{
    Agent, AgentConfig, AgentError, Evaluator, Observer, Policy, PolicyMode, Progress, Update,
    agent_seed,
    categorical_policy::CategoricalPolicy,
    collect::{self, Collector, Cycle},
    generalized_advantages,
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
pub struct Ppo {
    config: PpoConfig,
    task: Arc<Task>,
    collector: Collector,
    learner: Learner<Megnet>,
    traces: Traces,
    /// What arrived since the last update.
    samples: VecDeque<Sample>,
    /// Observations of the first rollout, if only they are ever learned from.
    first_observations: Vec<(State, f64)>,
    rng: Pcg64,
    updates: u64,
}

impl Ppo {
    /// An agent at the start of its run.
    ///
    /// # Errors
    /// [`AgentError::Config`] or [`AgentError::Network`] for settings that cannot be.
    pub fn new(
        config: PpoConfig,
        task: Arc<Task>,
        evaluator: &Evaluator,
    ) -> Result<Self, AgentError> {
        config.check()?;
        for (field, states) in [
            (
                "rollout_steps",
                config.rollout_steps.div_ceil(config.minibatches),
            ),
            ("environments", config.environments),
        ] {
            config.network.check_batch(&task, field, states)?;
        }
        let mut rng = Pcg64::seed_from_u64(agent_seed(config.seed));
        let actor = config
            .network
            .build(&task, task.actions().len(), &mut rng)?;
        let critic = config.network.build(&task, 1, &mut rng)?;
        Ok(Self {
            collector: Collector::new(config.collect(), &task, evaluator),
            learner: Learner::new(actor, critic, &config)?,
            traces: Traces {
                current: vec![Vec::new(); config.environments],
                ended: VecDeque::new(),
            },
            samples: VecDeque::new(),
            first_observations: Vec::new(),
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
    pub fn actor(&self) -> &Megnet {
        &self.learner.actor
    }

    /// One gradient step on the samples at these places, which are number `start` and on of the
    /// shuffled rollout.
    fn update(
        &mut self,
        rollout: &[Sample],
        places: &[usize],
        start: usize,
        observer: &mut dyn Observer,
    ) -> Result<(), AgentError> {
        let step = self.collector.steps();
        let minibatch: Vec<&Sample> = places.iter().map(|&place| &rollout[place]).collect();
        // The published minibatches took the observations in the order of the run, not shuffled.
        let stale = self.first_observations.get(start..start + minibatch.len());
        let rates = (
            self.config.learning_rates().at(step),
            self.config.entropy_coefficients().at(step),
        );
        let losses = self
            .learner
            .update(&self.task, &minibatch, stale, &self.config, rates)?;
        self.updates += 1;
        if let Some((what, found)) = losses.iter().find(|(_, value)| !value.is_finite()) {
            return Err(AgentError::Diverged {
                step,
                what,
                found: *found,
            });
        }
        observer.updated(&Update {
            step,
            updates: self.updates,
            scalars: losses,
        });
        Ok(())
    }
}

/// The steps of an episode with their advantages.
fn samples(
    task: &Task,
    learner: &mut Learner<Megnet>,
    config: &PpoConfig,
    episode: &FinishedEpisode,
    trace: &[f64],
) -> Result<Vec<Sample>, AgentError> {
    let steps = usize::from(episode.state.step);
    let states: Vec<State> = (0..steps)
        .map(|step| episode.state.rewound(task, steps - step))
        .collect();
    let values = learner.values(task, &states, episode.target)?;
    let mut rewards = vec![0.0; steps];
    rewards[steps - 1] = episode.reward;
    let advantages = generalized_advantages(&rewards, &values, config.discount, config.gae_lambda);
    let order = task.traversal(episode.state.skeleton.into(), episode.state.start.into());
    let samples = states.into_iter().enumerate().map(|(step, state)| Sample {
        state,
        target: episode.target,
        action: episode.state.node_types[usize::from(order[step])],
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
        let other = crystalgym_environment::random::uniform_below(rng, last + 1);
        order.swap(last, other);
    }
    order
}

impl Cycle for Ppo {
    fn collector(&mut self) -> &mut Collector {
        &mut self.collector
    }

    fn remember(&mut self, episode: &FinishedEpisode) -> Result<(), AgentError> {
        let trace = self.traces.ended.pop_front().unwrap_or_default();
        let new = samples(&self.task, &mut self.learner, &self.config, episode, &trace)?;
        self.samples.extend(new);
        Ok(())
    }

    /// Learns from every rollout that is complete.
    fn learn(&mut self, observer: &mut dyn Observer) -> Result<(), AgentError> {
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
                    self.update(&rollout, places, index * minibatch, observer)?;
                }
            }
        }
        Ok(())
    }

    /// Draws an action for every environment from the policy.
    fn act(&mut self) -> Result<Vec<u8>, AgentError> {
        let states = self.collector.states();
        let policies = self
            .learner
            .policies(&self.task, &states, self.task.target())?;
        let mut actions = Vec::with_capacity(states.len());
        for (index, (state, policy)) in states.iter().zip(policies).enumerate() {
            let policy = policy.ok_or(AgentError::Diverged {
                step: self.collector.steps(),
                what: "a logit of the policy",
                found: f64::NAN,
            })?;
            let action = policy.sample(&mut self.rng);
            let trace = &mut self.traces.current[index];
            trace.push(policy.log_probabilities()[action]);
            if trace.len() == state.node_types.len() {
                self.traces.ended.push_back(std::mem::take(trace));
            }
            actions.push(action as u8);
        }
        Ok(actions)
    }
}

impl Agent for Ppo {
    fn name(&self) -> &'static str {
        "ppo"
    }

    fn settings(&self) -> AgentConfig {
        AgentConfig::Ppo(self.config.clone())
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
