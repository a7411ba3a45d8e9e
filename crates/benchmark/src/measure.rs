use std::collections::{BTreeMap, BTreeSet};

use crystalgym_environment::failure_reward;
use crystalgym_training::EpisodeRow;

use crate::{EvaluationRow, JobManifest};

/// Episodes over which the last return is taken.
const LAST_EPISODES: usize = 100;

/// What the files of one job say.
#[derive(Debug, Clone, PartialEq)]
pub struct JobMeasure {
    /// The job.
    pub manifest: JobManifest,
    /// Episodes.
    pub episodes: usize,
    /// Results that this job computed, failures included; the others came from the store.
    pub calculations: usize,
    /// Wall time of these in seconds.
    pub calculation_seconds: f64,
    /// Failures by code.
    pub failures: BTreeMap<String, usize>,
    /// Failed episodes by an element of their crystal, and all episodes with it.
    pub failures_by_element: BTreeMap<String, (usize, usize)>,
    /// Mean return of the last 100 episodes, or of all if there are fewer.
    pub last_return: f64,
    /// Largest return.
    pub best_return: f64,
    /// Area under the learning curve, `Σ_i (R_i − R_failure)(s_i − s_{i−1})` over the episodes in
    /// the order in which their rewards arrived, s the environment steps at that moment. The paper's
    /// Table 5 gives no formula; this one is positive, and larger for whoever learns sooner.
    pub area_under_curve: f64,
    /// Mean return of the final greedy rollouts on the skeletons of training; failures count.
    pub greedy_return: f64,
    /// The same as the agent acts while it learns.
    pub sampled_return: f64,
    /// Greedy rollouts on held-out skeletons.
    pub held_out_return: Option<f64>,
    /// Distinct crystals among the final rollouts, and how many rollouts there were.
    pub unique_rollouts: (usize, usize),
}

impl JobMeasure {
    /// The measures of a job's tables, which must not be empty.
    pub(crate) fn of(
        manifest: JobManifest,
        episodes: &[EpisodeRow],
        evaluation: &[EvaluationRow],
    ) -> Self {
        let worst = failure_reward(manifest.property);
        let mut area_under_curve = 0.0;
        let mut last_step = 0;
        let mut failures = BTreeMap::new();
        let mut failures_by_element: BTreeMap<String, (usize, usize)> = BTreeMap::new();
        for row in episodes {
            let steps = row.step.saturating_sub(last_step);
            area_under_curve += (row.episodic_return - worst) * steps as f64;
            last_step = last_step.max(row.step);
            let failed = !row.failure.is_empty();
            if failed {
                *failures.entry(row.failure.clone()).or_default() += 1;
            }
            let elements: BTreeSet<&str> = row.elements.split_whitespace().collect();
            for element in elements {
                let counts = failures_by_element.entry(element.to_owned()).or_default();
                counts.0 += usize::from(failed);
                counts.1 += 1;
            }
        }
        let computed = episodes.iter().filter(|row| row.source == "computed");
        let last = &episodes[episodes.len().saturating_sub(LAST_EPISODES)..];
        let returns = |mode: &str, held_out: bool| {
            let rows = evaluation.iter();
            let chosen = rows.filter(|row| row.mode == mode && row.held_out == held_out);
            mean(chosen.map(|row| row.episodic_return))
        };
        let distinct: BTreeSet<(&str, &str)> = (evaluation.iter())
            .map(|row| (row.skeleton.as_str(), row.elements.as_str()))
            .collect();
        Self {
            episodes: episodes.len(),
            calculations: computed.clone().count(),
            calculation_seconds: computed.map(|row| row.calculation_seconds).sum(),
            failures,
            failures_by_element,
            last_return: mean(last.iter().map(|row| row.episodic_return)).unwrap_or(f64::NAN),
            best_return: episodes
                .iter()
                .map(|row| row.episodic_return)
                .fold(f64::NEG_INFINITY, f64::max),
            area_under_curve,
            greedy_return: returns("greedy", false).unwrap_or(f64::NAN),
            sampled_return: returns("sampled", false).unwrap_or(f64::NAN),
            held_out_return: returns("greedy", true),
            unique_rollouts: (distinct.len(), evaluation.len()),
            manifest,
        }
    }
}

/// `None` of nothing.
pub(crate) fn mean(values: impl Iterator<Item = f64>) -> Option<f64> {
    let (sum, count) = values.fold((0.0, 0), |(sum, count), value| (sum + value, count + 1));
    (count > 0).then(|| sum / f64::from(count))
}
