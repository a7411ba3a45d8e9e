//! Random search.

use crystalgym_environment::{FinishedEpisode, Task};
use rand_pcg::Pcg64;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    best::BestBySkeleton,
    filling::{Filling, random_filling},
    knowledge::{read, written},
    proposer::Proposer,
};
use crate::{AgentConfig, AgentError, DqnConfig};

/// Settings of random search: every crystal drawn anew.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RandomSearchConfig {
    /// Environment steps of the run, rounded up to a multiple of `environments`.
    pub total_steps: u64,
    /// Seed of everything random.
    pub seed: u64,
    /// Environments side by side.
    pub environments: usize,
    /// Finished episodes whose rewards may still be missing.
    pub in_flight: usize,
}

impl Default for RandomSearchConfig {
    fn default() -> Self {
        let DqnConfig {
            total_steps,
            seed,
            environments,
            in_flight,
            ..
        } = DqnConfig::standard();
        Self {
            total_steps,
            seed,
            environments,
            in_flight,
        }
    }
}

impl RandomSearchConfig {
    /// # Errors
    /// None: all its settings are those of the environments.
    pub(crate) fn check(&self) -> Result<(), AgentError> {
        Ok(())
    }
}

/// Puts an allowed element on every site, all equally likely.
#[derive(Debug, Clone)]
pub struct RandomProposer {
    config: RandomSearchConfig,
    best: BestBySkeleton,
}

impl RandomProposer {
    /// A proposer that knows nothing yet.
    pub fn new(config: RandomSearchConfig) -> Self {
        Self {
            config,
            best: BestBySkeleton::default(),
        }
    }
}

impl Proposer for RandomProposer {
    fn settings(&self) -> AgentConfig {
        AgentConfig::RandomSearch(self.config.clone())
    }

    fn propose(
        &mut self,
        task: &Task,
        skeleton: u16,
        rng: &mut Pcg64,
    ) -> Result<Filling, AgentError> {
        Ok(random_filling(task, skeleton, rng))
    }

    fn learn(&mut self, _task: &Task, episode: &FinishedEpisode) -> Result<(), AgentError> {
        self.best.offer(episode);
        Ok(())
    }

    fn best(&self, skeleton: u16) -> Option<&Filling> {
        self.best.get(skeleton)
    }

    fn knowledge(&self) -> Result<Value, AgentError> {
        written(&self.best)
    }

    fn restore(&mut self, knowledge: Value, task: &Task) -> Result<(), String> {
        self.best = read(knowledge, |best: &BestBySkeleton| best.belongs_to(task))?;
        Ok(())
    }

    fn copy(&self) -> Box<dyn Proposer> {
        Box::new(self.clone())
    }
}
