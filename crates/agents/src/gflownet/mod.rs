//! A generative flow network: draws crystals in proportion to a power of their reward, so that it makes many
//! that are good where others end with one.

mod config;
mod learner;
mod loss;
mod saved;
mod trajectory;

use std::{collections::VecDeque, sync::Arc};

use crystalgym_environment::{
    Action, FinishedEpisode, Observation, ProcessName, Task, random::uniform_unit,
};
use crystalgym_networks::{GraphNetwork, Network, Outputs};
use rand::SeedableRng;
use rand_pcg::Pcg64;

pub use self::config::GFlowNetConfig;

use self::{
    learner::Networks,
    trajectory::{Trajectory, draw},
};
use crate::{
    AgentConfig, AgentError, Experience, Learner, MaskedCategorical, Observer, Policy, PolicyMode,
    agent_seed,
    categorical_policy::CategoricalPolicy,
    check,
    checkpoint::{CheckpointFile, Memory},
    finds::{Finds, with_masks},
    networks::{self, BuildNetwork},
    observer::report_update,
};

/// A generative flow network (Bengio et al. 2021) trained by trajectory balance (Malkin et al. 2022): from a
/// start `s₀` its policy makes each crystal `x` with probability `R(x) / Z(s₀)`, where `R` is the reward to a
/// power. `Z` is learned beside it, for each skeleton, start and target.
///
/// Trajectories are learned from whoever made them and however long ago, half of them among the best (Shen et
/// al. 2023). A crystal whose images are several fillings has the weight of all of them.
pub struct GFlowNet<N: GraphNetwork = Network> {
    config: GFlowNetConfig,
    task: Arc<Task>,
    networks: Networks<N>,
    made: VecDeque<Trajectory>,
    /// Episodes that came since the last gradient step, and all of them.
    new_episodes: usize,
    episodes: u64,
    finds: Finds,
    rng: Pcg64,
    updates: u64,
}

impl GFlowNet {
    /// A learner that knows nothing yet.
    ///
    /// # Errors
    /// [`AgentError::Config`] or [`AgentError::Network`] for settings that cannot be.
    pub fn new(config: GFlowNetConfig, task: Arc<Task>) -> Result<Self, AgentError> {
        let (shape, on) = (config.network.clone(), Arc::clone(&task));
        Self::with_networks(config, task, &mut |outputs, rng| {
            shape.build(&on, outputs, rng)
        })
    }
}

impl<N: GraphNetwork> GFlowNet<N> {
    /// A learner on networks of any kind: the policy, then `ln Z`.
    ///
    /// # Errors
    /// As [`GFlowNet::new`]; also for tasks where a crystal has several histories.
    pub fn with_networks(
        config: GFlowNetConfig,
        task: Arc<Task>,
        build: BuildNetwork<'_, N>,
    ) -> Result<Self, AgentError> {
        config.check()?;
        config.relabel.check_for(task.property())?;
        if task.process_name() == ProcessName::Improvement {
            return Err(check::bad(
                "algorithm",
                "gflownet in a task of improvement",
                "filling or substitution, where a crystal has one history",
            ));
        }
        let mut rng = Pcg64::seed_from_u64(agent_seed(config.seed));
        let policy = build(Outputs::ACTIONS, &mut rng)?;
        let partition = build(Outputs::VALUE, &mut rng)?;
        let sites = task.skeletons().iter().map(|skeleton| skeleton.sites());
        let longest = sites.max().unwrap_or(0);
        networks::check_batches(
            &policy,
            &[
                ("batch_trajectories", config.batch_trajectories * longest),
                ("environments", config.environments),
            ],
        )?;
        Ok(Self {
            networks: Networks::new(policy, partition, &config)?,
            made: VecDeque::new(),
            new_episodes: 0,
            episodes: 0,
            finds: Finds::new(&config.finds()),
            rng,
            updates: 0,
            config,
            task,
        })
    }

    fn update(&mut self, step: u64, observer: &mut dyn Observer) -> Result<(), AgentError> {
        let drawn = draw(&self.made, &self.config, &mut self.rng);
        let losses = (self.networks).update(&self.task, &drawn, &self.finds, &self.config)?;
        self.updates += 1;
        report_update(observer, step, self.updates, losses)
    }
}

impl<N: GraphNetwork> Learner for GFlowNet<N> {
    fn settings(&self) -> AgentConfig {
        AgentConfig::GFlowNet(self.config.clone())
    }

    fn remember(&mut self, episode: &FinishedEpisode) -> Result<(), AgentError> {
        let copies = self
            .config
            .relabel
            .copies(&self.task, episode, &mut self.rng);
        let made = std::iter::once(Experience::from(episode)).chain(copies);
        self.made.extend(made.map(Trajectory::from));
        let too_many = self
            .made
            .len()
            .saturating_sub(self.config.replay_trajectories);
        self.made.drain(..too_many);
        self.new_episodes += 1;
        self.episodes += 1;
        Ok(())
    }

    /// Learns for every episode that has come.
    fn learn(&mut self, step: u64, observer: &mut dyn Observer) -> Result<(), AgentError> {
        let episodes = std::mem::take(&mut self.new_episodes);
        if self.episodes < self.config.learning_starts {
            return Ok(());
        }
        for _ in 0..episodes * self.config.gradient_steps {
            self.update(step, observer)?;
        }
        Ok(())
    }

    /// Draws an action for every environment from the policy, now and then from all alike.
    fn act(&mut self, step: u64, seen: &[Observation<'_>]) -> Result<Vec<Action>, AgentError> {
        let (task, finds) = (Arc::clone(&self.task), &mut self.finds);
        let masks = finds.masks(&task, seen);
        let policies = self.networks.policy.policies(&with_masks(seen, &masks))?;
        let pairs = policies.into_iter().zip(seen);
        pairs
            .map(|(policy, seen)| {
                let mut policy = policy.ok_or(AgentError::no_logit(step))?;
                if uniform_unit(&mut self.rng) < self.config.exploration {
                    let alike = vec![0.0; seen.allowed.len()];
                    let allowed = finds.allowed(&task, seen);
                    policy = MaskedCategorical::from_values(&alike, &allowed).unwrap_or(policy);
                }
                Ok(finds.drawn(&task, seen, &policy, &mut self.rng))
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
        let (network, trained) = (&self.networks.policy.network, &self.task);
        let (threads, parity_mask) = (self.config.threads, self.config.parity_mask);
        CategoricalPolicy::of_trained(network, trained, task, mode, threads, parity_mask)
    }
}
