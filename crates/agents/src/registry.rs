//! All algorithms by name.

use std::{path::Path, sync::Arc};

use crystalgym_environment::Task;

use crate::{
    Agent, AgentError, CheckpointInfo, Dqn, DqnConfig, Evaluator, GeneticConfig, GeneticProposer,
    GeneticSearch, LocalProposer, LocalSearch, LocalSearchConfig, Ppo, PpoConfig, Proposer,
    RandomProposer, RandomSearch, RandomSearchConfig, Sac, SacConfig, checkpoint::invalid,
};

/// An algorithm with its settings.
#[derive(Debug, Clone, PartialEq)]
pub enum AgentConfig {
    /// Deep Q-learning.
    Dqn(DqnConfig),
    /// The same with the options of Rainbow.
    Rainbow(DqnConfig),
    /// Proximal policy optimisation.
    Ppo(PpoConfig),
    /// Soft actor-critic for discrete actions.
    Sac(SacConfig),
    /// Random fillings.
    RandomSearch(RandomSearchConfig),
    /// A genetic algorithm.
    Genetic(GeneticConfig),
    /// Hill climbing with restarts.
    LocalSearch(LocalSearchConfig),
}

impl AgentConfig {
    /// An agent at the start of its run.
    ///
    /// # Errors
    /// [`AgentError`] for settings that cannot be.
    pub fn build(
        self,
        task: Arc<Task>,
        evaluator: &Evaluator,
    ) -> Result<Box<dyn Agent>, AgentError> {
        Ok(match self {
            Self::Dqn(config) => Box::new(Dqn::new(config, task, evaluator)?),
            Self::Rainbow(config) => Box::new(Dqn::rainbow(config, task, evaluator)?),
            Self::Ppo(config) => Box::new(Ppo::new(config, task, evaluator)?),
            Self::Sac(config) => Box::new(Sac::new(config, task, evaluator)?),
            Self::RandomSearch(config) => Box::new(RandomSearch::new(config, task, evaluator)?),
            Self::Genetic(config) => Box::new(GeneticSearch::new(config, task, evaluator)?),
            Self::LocalSearch(config) => Box::new(LocalSearch::new(config, task, evaluator)?),
        })
    }

    /// The name used in configurations and files.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Dqn(_) => "dqn",
            Self::Rainbow(_) => "rainbow",
            Self::Ppo(_) => "ppo",
            Self::Sac(_) => "sac",
            Self::RandomSearch(_) => RandomProposer::NAME,
            Self::Genetic(_) => GeneticProposer::NAME,
            Self::LocalSearch(_) => LocalProposer::NAME,
        }
    }

    /// Whether all settings are in their ranges, as far as that can be said without a task.
    ///
    /// # Errors
    /// [`AgentError::Config`] or [`AgentError::Network`] names the first that is not.
    pub fn check(&self) -> Result<(), AgentError> {
        match self {
            Self::Dqn(config) | Self::Rainbow(config) => config.check(),
            Self::Ppo(config) => config.check(),
            Self::Sac(config) => config.check(),
            Self::RandomSearch(config) => check_search::<RandomProposer>(config),
            Self::Genetic(config) => check_search::<GeneticProposer>(config),
            Self::LocalSearch(config) => check_search::<LocalProposer>(config),
        }
    }

    /// Seed of everything random.
    pub fn seed(&self) -> u64 {
        match self {
            Self::Dqn(config) | Self::Rainbow(config) => config.seed,
            Self::Ppo(config) => config.seed,
            Self::Sac(config) => config.seed,
            Self::RandomSearch(config) => config.seed,
            Self::Genetic(config) => config.seed,
            Self::LocalSearch(config) => config.seed,
        }
    }

    /// Environment steps of a whole run.
    pub fn total_steps(&self) -> u64 {
        match self {
            Self::Dqn(config) | Self::Rainbow(config) => config.total_steps,
            Self::Ppo(config) => config.total_steps,
            Self::Sac(config) => config.total_steps,
            Self::RandomSearch(config) => config.total_steps,
            Self::Genetic(config) => config.total_steps,
            Self::LocalSearch(config) => config.total_steps,
        }
    }

    /// The same with another seed.
    #[must_use]
    pub fn with_seed(mut self, seed: u64) -> Self {
        *match &mut self {
            Self::Dqn(config) | Self::Rainbow(config) => &mut config.seed,
            Self::Ppo(config) => &mut config.seed,
            Self::Sac(config) => &mut config.seed,
            Self::RandomSearch(config) => &mut config.seed,
            Self::Genetic(config) => &mut config.seed,
            Self::LocalSearch(config) => &mut config.seed,
        } = seed;
        self
    }

    /// The same with another length of the run.
    #[must_use]
    pub fn with_total_steps(mut self, total_steps: u64) -> Self {
        *match &mut self {
            Self::Dqn(config) | Self::Rainbow(config) => &mut config.total_steps,
            Self::Ppo(config) => &mut config.total_steps,
            Self::Sac(config) => &mut config.total_steps,
            Self::RandomSearch(config) => &mut config.total_steps,
            Self::Genetic(config) => &mut config.total_steps,
            Self::LocalSearch(config) => &mut config.total_steps,
        } = total_steps;
        self
    }
}

fn check_search<P: Proposer>(config: &P::Config) -> Result<(), AgentError> {
    P::check(config)?;
    P::collect_config(config).check()
}

/// An agent that goes on where the saved one was, whatever its algorithm.
///
/// # Errors
/// [`AgentError::Io`] or [`AgentError::Checkpoint`] if the folder holds no whole checkpoint of an
/// agent in this task.
pub fn load_agent(
    folder: &Path,
    task: Arc<Task>,
    evaluator: &Evaluator,
) -> Result<Box<dyn Agent>, AgentError> {
    let info = CheckpointInfo::read(folder)?;
    Ok(match info.algorithm.as_str() {
        "dqn" => Box::new(Dqn::load(folder, task, evaluator)?),
        "rainbow" => Box::new(Dqn::load_rainbow(folder, task, evaluator)?),
        "ppo" => Box::new(Ppo::load(folder, task, evaluator)?),
        "sac" => Box::new(Sac::load(folder, task, evaluator)?),
        "random_search" => Box::new(RandomSearch::load(folder, task, evaluator)?),
        "genetic" => Box::new(GeneticSearch::load(folder, task, evaluator)?),
        "local_search" => Box::new(LocalSearch::load(folder, task, evaluator)?),
        other => {
            return Err(invalid(
                folder,
                format!("it is of '{other}', which is no algorithm"),
            ));
        }
    })
}
