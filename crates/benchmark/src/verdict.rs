//! What a benchmark says at a glance: which agent is best on each task, how sure that is, and the best
//! crystals.

use std::collections::BTreeMap;

use crystalgym_crystal::formula;
use crystalgym_environment::{Reward, target_text};
use crystalgym_evaluation::Property;
use crystalgym_training::Algorithm;

use crate::{
    JobMeasure, RolloutKind, Scale, interquartile_mean, interquartile_mean_interval, shown_number,
};

/// What is known of a task: an experiment with a property.
#[derive(Debug, Clone, PartialEq)]
pub struct TaskVerdict {
    /// Name of the experiment.
    pub experiment: String,
    /// Property.
    pub property: Property,
    /// `density, target 3 g/cm³`.
    pub task: String,
    /// Agents that learn, the best greedy policy first.
    pub policies: Vec<Standing>,
    /// Searches, the best find first.
    pub searches: Vec<Standing>,
    /// How sure the first place of the policies is.
    pub certainty: Certainty,
    /// The best crystals, as `RbCaH3 on C2: 2.98 eV`.
    pub crystals: Vec<String>,
}

/// An algorithm on a task, over its skeletons and seeds.
#[derive(Debug, Clone, PartialEq)]
pub struct Standing {
    /// Which.
    pub algorithm: Algorithm,
    /// Interquartile mean of the return of the final greedy rollouts.
    pub mean: f64,
    /// Its 95 % bootstrap interval; `None` with one seed.
    pub interval: Option<(f64, f64)>,
    /// Jobs behind it.
    pub jobs: usize,
    /// Where the mean lies between the return of a failure (0) and the best one (1).
    pub share: f64,
}

/// How sure it is that the first of several agents is the best.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Certainty {
    /// Jobs of a few episodes say nothing of agents.
    Smoke,
    /// One agent has nobody to be compared with.
    Alone,
    /// One seed tells nothing of the spread.
    OneSeed,
    /// The intervals of the first two overlap.
    Overlapping,
    /// The interval of the first lies above that of the second.
    Apart,
}

/// Crystals that are named.
const MOST_CRYSTALS: usize = 3;

impl Certainty {
    /// In words.
    pub fn text(self) -> &'static str {
        match self {
            Self::Smoke => "scale smoke: says nothing about which agent is better",
            Self::Alone => "no other agent to compare with",
            Self::OneSeed => "one seed: not known how sure",
            Self::Overlapping => "not settled: its 95 % interval overlaps that of the next",
            Self::Apart => "its 95 % interval lies above that of the next",
        }
    }
}

impl Standing {
    /// `0.981 (95 %: 0.95 to 0.993; 6 jobs)`.
    pub fn text(&self) -> String {
        let jobs = match self.jobs {
            1 => "1 job".to_owned(),
            jobs => format!("{jobs} jobs"),
        };
        let mean = shown_number(self.mean);
        match self.interval {
            Some((low, high)) => {
                format!(
                    "{mean} (95 %: {} to {}; {jobs})",
                    shown_number(low),
                    shown_number(high)
                )
            }
            None => format!("{mean} ({jobs})"),
        }
    }
}

/// The verdict on each task, in the order of their names.
pub fn task_verdicts(jobs: &[JobMeasure]) -> Vec<TaskVerdict> {
    let mut tasks: BTreeMap<(&str, Property), Vec<&JobMeasure>> = BTreeMap::new();
    for job in jobs {
        let key = (job.manifest.experiment.as_str(), job.manifest.property);
        tasks.entry(key).or_default().push(job);
    }
    tasks
        .into_iter()
        .map(|((experiment, property), jobs)| {
            let policies = standings(&jobs, RolloutKind::Policy);
            let smoke = jobs.iter().any(|job| job.manifest.scale == Scale::Smoke);
            let first = &jobs[0].manifest;
            let (title, unit) = (property.facts().title.to_lowercase(), property.unit());
            let target = target_text(first.target, first.tolerance);
            TaskVerdict {
                experiment: experiment.to_owned(),
                property,
                task: format!("{title}, target {target} {unit}"),
                certainty: certainty(&policies, smoke),
                policies,
                searches: standings(&jobs, RolloutKind::BestFind),
                crystals: best_crystals(&jobs, unit),
            }
        })
        .collect()
}

fn standings(jobs: &[&JobMeasure], kind: RolloutKind) -> Vec<Standing> {
    // By algorithm: the returns of each set of skeletons.
    let mut algorithms: BTreeMap<&str, (Algorithm, BTreeMap<&str, Vec<f64>>)> = BTreeMap::new();
    for job in jobs.iter().filter(|job| job.rollout_kind() == kind) {
        let algorithm = job.manifest.algorithm;
        let (_, strata) = algorithms
            .entry(algorithm.name())
            .or_insert_with(|| (algorithm, BTreeMap::new()));
        let stratum = strata.entry(&job.manifest.skeletons).or_default();
        stratum.push(job.greedy_return);
    }
    let reward = jobs.first().map(|job| Reward::of(job.manifest.property));
    let mut standings: Vec<Standing> = algorithms
        .into_values()
        .filter_map(|(algorithm, strata)| {
            let strata: Vec<Vec<f64>> = strata.into_values().collect();
            let all = strata.concat();
            let mean = interquartile_mean(&all)?;
            let reward = reward.as_ref()?;
            let (lowest, highest) = (reward.of_failure(), reward.best());
            Some(Standing {
                algorithm,
                mean,
                interval: interquartile_mean_interval(&strata),
                jobs: all.len(),
                share: ((mean - lowest) / (highest - lowest)).clamp(0.0, 1.0),
            })
        })
        .collect();
    standings.sort_by(|a, b| b.mean.total_cmp(&a.mean));
    standings
}

fn certainty(policies: &[Standing], smoke: bool) -> Certainty {
    match policies {
        _ if smoke => Certainty::Smoke,
        [] | [_] => Certainty::Alone,
        [first, second, ..] => match (first.interval, second.interval) {
            (Some((low, _)), Some((_, high))) if low > high => Certainty::Apart,
            (Some(_), Some(_)) => Certainty::Overlapping,
            _ => Certainty::OneSeed,
        },
    }
}

/// The crystals with the highest returns, different ones.
fn best_crystals(jobs: &[&JobMeasure], unit: &str) -> Vec<String> {
    let mut found: Vec<_> = (jobs.iter())
        .flat_map(|job| &job.training.found.best)
        .collect();
    found.sort_by(|a, b| b.episodic_return.total_cmp(&a.episodic_return));
    let mut shown: Vec<String> = Vec::new();
    for crystal in found {
        let text = format!(
            "{} on {}: {} {unit}",
            formula(&crystal.elements),
            crystal.skeleton,
            shown_number(crystal.value)
        );
        if !shown.contains(&text) {
            shown.push(text);
        }
        if shown.len() == MOST_CRYSTALS {
            break;
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    fn standing(mean: f64, interval: Option<(f64, f64)>) -> Standing {
        Standing {
            algorithm: Algorithm::Dqn,
            mean,
            interval,
            jobs: 6,
            share: 0.5,
        }
    }

    /// Oracle: by hand.
    #[test]
    fn a_first_place_is_sure_only_beyond_the_next_interval() {
        let first = standing(0.9, Some((0.85, 0.95)));
        let near = standing(0.8, Some((0.7, 0.86)));
        let far = standing(0.5, Some((0.4, 0.6)));
        let of = |standings: &[&Standing], smoke| {
            let standings: Vec<Standing> = standings.iter().map(|&one| one.clone()).collect();
            certainty(&standings, smoke)
        };
        assert_eq!(of(&[&first, &near], false), Certainty::Overlapping);
        assert_eq!(of(&[&first, &far], false), Certainty::Apart);
        assert_eq!(of(&[&first, &far], true), Certainty::Smoke);
        assert_eq!(of(&[&first], false), Certainty::Alone);
        let single = standing(0.5, None);
        assert_eq!(of(&[&first, &single], false), Certainty::OneSeed);
        assert_eq!(first.text(), "0.900 (95 %: 0.850 to 0.950; 6 jobs)");
    }
}
