//! Local search.

use std::collections::BTreeMap;

use crystalgym_environment::{FinishedEpisode, Task, random::uniform_below};
use rand_pcg::Pcg64;
use serde::{Deserialize, Serialize};

use super::{
    Filling, Proposer, RandomSearchConfig, Search,
    known::{Known, fits},
    random::BestBySkeleton,
    random_action, random_filling,
};
use crate::{AgentConfig, AgentError, CollectConfig, check};

/// Hill climbing with random restarts.
pub type LocalSearch = Search<LocalProposer>;

/// Settings of [`LocalSearch`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LocalSearchConfig {
    /// Environment steps of the run, rounded up to a multiple of `environments`.
    pub total_steps: u64,
    /// Seed of everything random.
    pub seed: u64,
    /// Environments side by side.
    pub environments: usize,
    /// Finished episodes whose rewards may still be missing.
    pub in_flight: usize,
    /// Neighbours without improvement after which the search starts anew from a random filling.
    pub patience: usize,
}

impl Default for LocalSearchConfig {
    fn default() -> Self {
        let RandomSearchConfig {
            total_steps,
            seed,
            environments,
            in_flight,
        } = RandomSearchConfig::default();
        Self {
            total_steps,
            seed,
            environments,
            in_flight,
            patience: 60,
        }
    }
}

/// First-improvement hill climbing: a neighbour has another element on one site.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct LocalProposer {
    patience: usize,
    climbs: BTreeMap<u16, Climb>,
    best: BestBySkeleton,
    known: Known,
}

/// Where the search of a skeleton stands.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
struct Climb {
    /// None while the first result since the (re)start is awaited.
    here: Option<(f64, Filling)>,
    /// Results in a row that were no better.
    failures: usize,
}

impl Proposer for LocalProposer {
    type Config = LocalSearchConfig;

    const NAME: &'static str = "local_search";

    fn check(config: &LocalSearchConfig) -> Result<(), AgentError> {
        check::counts(&[("patience", (config.patience as u64, check::STEPS))])
    }

    fn settings(config: &LocalSearchConfig) -> AgentConfig {
        AgentConfig::LocalSearch(config.clone())
    }

    fn new(config: &LocalSearchConfig) -> Self {
        Self {
            patience: config.patience,
            climbs: BTreeMap::new(),
            best: BestBySkeleton::default(),
            known: Known::default(),
        }
    }

    fn collect_config(config: &LocalSearchConfig) -> CollectConfig {
        CollectConfig {
            total_steps: config.total_steps,
            seed: config.seed,
            environments: config.environments,
            in_flight: config.in_flight,
        }
    }

    fn propose(&mut self, task: &Task, skeleton: u16, rng: &mut Pcg64) -> Filling {
        let here = self.climbs.entry(skeleton).or_default().here.as_ref();
        self.known.first_new(task, skeleton, rng, |rng| match here {
            None => random_filling(task, skeleton, rng),
            Some((_, filling)) => {
                let mut neighbour = filling.clone();
                let site = uniform_below(rng, neighbour.len());
                neighbour[site] = random_action(task.allowed_at(site), rng);
                neighbour
            }
        })
    }

    fn learn(&mut self, _task: &Task, episode: &FinishedEpisode) {
        self.best.offer(episode);
        let climb = self.climbs.entry(episode.state.skeleton).or_default();
        let better = climb
            .here
            .as_ref()
            .is_none_or(|(reward, _)| episode.reward > *reward);
        if better {
            climb.here = Some((episode.reward, episode.state.node_types.clone()));
            climb.failures = 0;
        } else {
            climb.failures += 1;
            if climb.failures >= self.patience {
                *climb = Climb::default();
            }
        }
    }

    fn best(&self, skeleton: u16) -> Option<&Filling> {
        self.best.get(skeleton)
    }

    fn fits(&self, config: &LocalSearchConfig, task: &Task) -> bool {
        let mut climbs = self.climbs.iter();
        self.patience == config.patience
            && self.best.belongs_to(task)
            && self.known.belongs_to(task)
            && climbs.all(|(skeleton, climb)| {
                climb.failures < self.patience.max(1)
                    && climb.here.as_ref().is_none_or(|(reward, filling)| {
                        reward.is_finite() && fits(task, *skeleton, filling)
                    })
            })
    }
}
