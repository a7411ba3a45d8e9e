//! What a run has done so far, in numbers.

use std::collections::{BTreeMap, VecDeque};

use serde::{Deserialize, Serialize};

use crate::{BestCrystals, EpisodeRow, Look, RowSource};

/// Episodes over which the mean return is taken, as in Gymnasium's episode statistics.
pub(crate) const WINDOW: usize = 100;

/// What a run has done so far; part of its checkpoint.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct RunStatistics {
    /// Environment steps.
    pub steps: u64,
    /// Episodes whose reward has arrived; on a learned reward those that were calculated, which all
    /// numbers here are about but for the next.
    pub episodes: u64,
    /// Episodes whose reward was predicted.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub predicted: u64,
    /// Results by where they came from: `computed`, `store`, …
    pub sources: BTreeMap<String, u64>,
    /// Failures by code.
    pub failures: BTreeMap<String, u64>,
    /// Returns of the last 100 episodes, oldest first.
    pub recent_returns: VecDeque<f64>,
    /// Best crystals, best first.
    pub best: BestCrystals,
    /// Looks at the greedy policy, if any are taken.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub looks: Vec<Look>,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde asks for a reference"
)]
fn is_zero(count: &u64) -> bool {
    *count == 0
}

impl RunStatistics {
    /// Statistics that keep `best_crystals` crystals.
    pub fn keeping(best_crystals: usize) -> Self {
        Self {
            best: BestCrystals::keeping(best_crystals),
            ..Self::default()
        }
    }

    /// Counts an episode (its crystal is offered to [`Self::best`] apart).
    pub fn record(&mut self, row: &EpisodeRow) {
        self.steps = row.step;
        self.episodes += 1;
        let source = row.source.name().to_owned();
        *self.sources.entry(source).or_default() += 1;
        if let Some(code) = row.failure {
            *self.failures.entry(code.name().to_owned()).or_default() += 1;
        }
        if self.recent_returns.len() == WINDOW {
            self.recent_returns.pop_front();
        }
        self.recent_returns.push_back(row.episodic_return);
    }

    /// Episodes whose reward has arrived, predicted or calculated.
    pub fn all_episodes(&self) -> u64 {
        self.episodes.saturating_add(self.predicted)
    }

    /// Results that came from `source`.
    pub fn from_source(&self, source: RowSource) -> u64 {
        self.sources.get(source.name()).copied().unwrap_or(0)
    }

    /// Mean return of the last 100 episodes, if there is one.
    pub fn mean_return(&self) -> Option<f64> {
        let count = self.recent_returns.len();
        (count > 0).then(|| self.recent_returns.iter().sum::<f64>() / count as f64)
    }
}
