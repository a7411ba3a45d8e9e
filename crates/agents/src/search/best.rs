//! The best filling of each skeleton.

use std::collections::BTreeMap;

use crystalgym_environment::{FinishedEpisode, Task};
use serde::{Deserialize, Serialize};

use super::filling::{Filling, fits};

/// The best filling of each skeleton so far; the first of equals.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct BestBySkeleton(BTreeMap<u16, (f64, Filling)>);

impl BestBySkeleton {
    pub(super) fn offer(&mut self, episode: &FinishedEpisode) {
        let skeleton = episode.state.skeleton;
        if self
            .0
            .get(&skeleton)
            .is_none_or(|(best, _)| episode.crystal_reward > *best)
        {
            let filling = episode.state.node_types.clone();
            self.0.insert(skeleton, (episode.crystal_reward, filling));
        }
    }

    pub(super) fn get(&self, skeleton: u16) -> Option<&Filling> {
        self.0.get(&skeleton).map(|(_, filling)| filling)
    }

    pub(super) fn belongs_to(&self, task: &Task) -> bool {
        let all = self.0.iter();
        all.into_iter().all(|(skeleton, (reward, filling))| {
            reward.is_finite() && fits(task, *skeleton, filling)
        })
    }
}
