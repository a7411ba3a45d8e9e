//! Random search.

use crystalgym_environment::{FinishedEpisode, Task};
use rand_pcg::Pcg64;
use serde_json::Value;

use super::{
    best::BestBySkeleton,
    config::RandomSearchConfig,
    filling::{Filling, preferred_filling},
    knowledge::{read, written},
    proposer::Proposer,
};
use crate::{AgentConfig, AgentError};

/// Puts an allowed element on every site, all equally likely that a rule of chemistry prefers.
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
        Ok(preferred_filling(self.config.rule, task, skeleton, rng))
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
