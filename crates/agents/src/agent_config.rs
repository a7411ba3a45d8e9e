//! An algorithm with its settings.

use serde::Serialize;

use crate::{
    AgentError, CollectConfig, DqnConfig, GFlowNetConfig, GeneticConfig, LanguageConfig,
    LocalSearchConfig, PpoConfig, RandomSearchConfig, SacConfig, SurrogateConfig,
};

/// An algorithm with its settings.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum AgentConfig {
    /// Deep Q-learning.
    Dqn(DqnConfig),
    /// The same with the options of Rainbow.
    Rainbow(DqnConfig),
    /// Proximal policy optimisation.
    Ppo(PpoConfig),
    /// Soft actor-critic for discrete actions.
    Sac(SacConfig),
    /// A generative flow network.
    GFlowNet(GFlowNetConfig),
    /// A model of the property.
    Surrogate(SurrogateConfig),
    /// A language model.
    Llm(LanguageConfig),
    /// Random crystals.
    RandomSearch(RandomSearchConfig),
    /// A genetic algorithm.
    Genetic(GeneticConfig),
    /// Hill climbing with restarts.
    LocalSearch(LocalSearchConfig),
}

/// What all settings have in common.
macro_rules! each {
    ($agent:expr, $config:ident => $value:expr) => {
        match $agent {
            AgentConfig::Dqn($config) | AgentConfig::Rainbow($config) => $value,
            AgentConfig::Ppo($config) => $value,
            AgentConfig::Sac($config) => $value,
            AgentConfig::GFlowNet($config) => $value,
            AgentConfig::Surrogate($config) => $value,
            AgentConfig::Llm($config) => $value,
            AgentConfig::RandomSearch($config) => $value,
            AgentConfig::Genetic($config) => $value,
            AgentConfig::LocalSearch($config) => $value,
        }
    };
}

impl AgentConfig {
    /// The name used in configurations and files.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Dqn(_) => "dqn",
            Self::Rainbow(_) => "rainbow",
            Self::Ppo(_) => "ppo",
            Self::Sac(_) => "sac",
            Self::GFlowNet(_) => "gflownet",
            Self::Surrogate(_) => "surrogate",
            Self::Llm(_) => "llm",
            Self::RandomSearch(_) => "random_search",
            Self::Genetic(_) => "genetic",
            Self::LocalSearch(_) => "local_search",
        }
    }

    /// Whether all settings are in their ranges, as far as that can be said without a task.
    ///
    /// # Errors
    /// [`AgentError::Config`] or [`AgentError::Network`] names the first that is not.
    pub fn check(&self) -> Result<(), AgentError> {
        self.collect().check()?;
        each!(self, config => config.check())
    }

    /// How experience is collected.
    pub fn collect(&self) -> CollectConfig {
        each!(self, config => CollectConfig {
            total_steps: config.total_steps,
            seed: config.seed,
            environments: config.environments,
            in_flight: config.in_flight,
        })
    }

    /// Seed of everything random.
    pub fn seed(&self) -> u64 {
        self.collect().seed
    }

    /// Environment steps of a whole run.
    pub fn total_steps(&self) -> u64 {
        self.collect().total_steps
    }

    /// The same with another seed.
    #[must_use]
    pub fn with_seed(mut self, seed: u64) -> Self {
        each!(&mut self, config => config.seed = seed);
        self
    }

    /// The same with another length of the run.
    #[must_use]
    pub fn with_total_steps(mut self, total_steps: u64) -> Self {
        each!(&mut self, config => config.total_steps = total_steps);
        self
    }
}
