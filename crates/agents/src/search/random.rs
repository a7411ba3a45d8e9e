//! Random search.

use std::collections::BTreeMap;

use crystalgym_environment::{FinishedEpisode, Task};
use rand_pcg::Pcg64;
use serde::{Deserialize, Serialize};

use super::{Filling, Proposer, Search, known::fits, random_filling};
use crate::{AgentConfig, AgentError, CollectConfig, DqnConfig};

/// Random search: every filling drawn anew.
pub type RandomSearch = Search<RandomProposer>;

/// Settings of [`RandomSearch`].
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

/// Puts an allowed element on every site, all equally likely.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RandomProposer {
    best: BestBySkeleton,
}

impl Proposer for RandomProposer {
    type Config = RandomSearchConfig;

    const NAME: &'static str = "random_search";

    fn check(_config: &RandomSearchConfig) -> Result<(), AgentError> {
        Ok(())
    }

    fn settings(config: &RandomSearchConfig) -> AgentConfig {
        AgentConfig::RandomSearch(config.clone())
    }

    fn new(_config: &RandomSearchConfig) -> Self {
        Self {
            best: BestBySkeleton::default(),
        }
    }

    fn collect_config(config: &RandomSearchConfig) -> CollectConfig {
        CollectConfig {
            total_steps: config.total_steps,
            seed: config.seed,
            environments: config.environments,
            in_flight: config.in_flight,
        }
    }

    fn propose(&mut self, task: &Task, skeleton: u16, rng: &mut Pcg64) -> Filling {
        random_filling(task, skeleton, rng)
    }

    fn learn(&mut self, _task: &Task, episode: &FinishedEpisode) {
        self.best.offer(episode);
    }

    fn best(&self, skeleton: u16) -> Option<&Filling> {
        self.best.get(skeleton)
    }

    fn fits(&self, _config: &RandomSearchConfig, task: &Task) -> bool {
        self.best.belongs_to(task)
    }
}

/// The best filling of each skeleton so far; the first of equals.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct BestBySkeleton(BTreeMap<u16, (f64, Filling)>);

impl BestBySkeleton {
    pub(crate) fn offer(&mut self, episode: &FinishedEpisode) {
        let skeleton = episode.state.skeleton;
        if self
            .0
            .get(&skeleton)
            .is_none_or(|(best, _)| episode.reward > *best)
        {
            let filling = episode.state.node_types.clone();
            self.0.insert(skeleton, (episode.reward, filling));
        }
    }

    pub(crate) fn get(&self, skeleton: u16) -> Option<&Filling> {
        self.0.get(&skeleton).map(|(_, filling)| filling)
    }

    pub(crate) fn belongs_to(&self, task: &Task) -> bool {
        let all = self.0.iter();
        all.into_iter().all(|(skeleton, (reward, filling))| {
            reward.is_finite() && fits(task, *skeleton, filling)
        })
    }
}
