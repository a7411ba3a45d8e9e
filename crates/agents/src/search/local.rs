//! Local search.

use std::collections::BTreeMap;

use crystalgym_environment::{FinishedEpisode, Task, random::uniform_below};
use rand_pcg::Pcg64;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    best::BestBySkeleton,
    config::LocalSearchConfig,
    filling::{Filling, allowed_filling, fits, preferred_filling, random_element},
    knowledge::{read, written},
    known::Known,
    proposer::Proposer,
};
use crate::{AgentConfig, AgentError};

/// First-improvement hill climbing: a neighbour has another element on one site.
#[derive(Debug, Clone)]
pub struct LocalProposer {
    config: LocalSearchConfig,
    progress: ClimbingProgress,
}

/// What a local search has learned.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct ClimbingProgress {
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

impl LocalProposer {
    /// A proposer that knows nothing yet.
    pub fn new(config: LocalSearchConfig) -> Self {
        Self {
            config,
            progress: ClimbingProgress::default(),
        }
    }
}

impl Proposer for LocalProposer {
    fn settings(&self) -> AgentConfig {
        AgentConfig::LocalSearch(self.config.clone())
    }

    fn propose(
        &mut self,
        task: &Task,
        skeleton: u16,
        rng: &mut Pcg64,
    ) -> Result<Filling, AgentError> {
        let ClimbingProgress { climbs, known, .. } = &mut self.progress;
        let rule = self.config.rule;
        let here = climbs.entry(skeleton).or_default().here.as_ref();
        let draw = |rng: &mut Pcg64| match here {
            None => preferred_filling(rule, task, skeleton, rng),
            Some((_, filling)) => allowed_filling(rule, (task, skeleton), rng, |rng| {
                let mut neighbour = filling.clone();
                let site = uniform_below(rng, neighbour.len());
                neighbour[site] = random_element(task, skeleton, site, rng);
                neighbour
            }),
        };
        Ok(known.first_new((task, skeleton), rule, rng, draw))
    }

    fn learn(&mut self, _task: &Task, episode: &FinishedEpisode) -> Result<(), AgentError> {
        let ClimbingProgress { climbs, best, .. } = &mut self.progress;
        best.offer(episode);
        let climb = climbs.entry(episode.state.skeleton).or_default();
        let better = climb
            .here
            .as_ref()
            .is_none_or(|(reward, _)| episode.crystal_reward > *reward);
        if better {
            climb.here = Some((episode.crystal_reward, episode.state.node_types.clone()));
            climb.failures = 0;
        } else {
            climb.failures += 1;
            if climb.failures >= self.config.patience {
                *climb = Climb::default();
            }
        }
        Ok(())
    }

    fn best(&self, skeleton: u16) -> Option<&Filling> {
        self.progress.best.get(skeleton)
    }

    fn knowledge(&self) -> Result<Value, AgentError> {
        written(&self.progress)
    }

    fn restore(&mut self, knowledge: Value, task: &Task) -> Result<(), String> {
        let patience = self.config.patience.max(1);
        self.progress = read(knowledge, |progress: &ClimbingProgress| {
            let mut climbs = progress.climbs.iter();
            progress.best.belongs_to(task)
                && progress.known.belongs_to(task)
                && climbs.all(|(skeleton, climb)| {
                    climb.failures < patience
                        && climb.here.as_ref().is_none_or(|(reward, filling)| {
                            reward.is_finite() && fits(task, *skeleton, filling)
                        })
                })
        })?;
        Ok(())
    }

    fn copy(&self) -> Box<dyn Proposer> {
        Box::new(self.clone())
    }
}
