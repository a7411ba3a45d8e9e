//! What a benchmark would cost, before anything is run.

use std::collections::BTreeMap;

use crystalgym_crystal::Skeleton;
use crystalgym_environment::{Task, TaskConfig};
use crystalgym_evaluation::Property;

use crate::{BenchmarkError, Job};

/// What jobs would cost on an empty store, if crystals were drawn at random. Agents that learn come
/// back to their best crystals, so that this is what they cost at most.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Forecast {
    /// Training runs.
    pub jobs: usize,
    /// Episodes, the final rollouts included.
    pub episodes: f64,
    /// Crystals computed: distinct ones, shared by all jobs of a property and a skeleton.
    pub calculations: f64,
    /// Their time on one core in hours, by [`Property::facts`]: the order of magnitude only.
    pub core_hours: f64,
}

impl Forecast {
    /// Episodes that the store answers.
    pub fn store_hits(&self) -> f64 {
        self.episodes - self.calculations
    }
}

/// Final rollouts of a job: five greedy, five sampled, and the same on held-out skeletons.
const ROLLOUTS: f64 = 10.0;

/// Counts episodes and distinct crystals: of N fillings that the symmetry of a skeleton tells apart,
/// E random episodes see `N (1 − (1 − 1/N)^E)`.
///
/// # Errors
/// [`BenchmarkError::Training`] for a task that cannot be played.
pub fn forecast(jobs: &[Job]) -> Result<Forecast, BenchmarkError> {
    // By property, actions, calculator and skeleton: its fillings, and the episodes on it.
    let mut spaces: BTreeMap<(Property, String, String, String), (f64, f64)> = BTreeMap::new();
    let mut result = Forecast {
        jobs: jobs.len(),
        ..Forecast::default()
    };
    for job in jobs {
        let task = Task::new(&job.config.task).map_err(crystalgym_training::TrainingError::from)?;
        let skeletons = task.skeletons();
        let sites = skeletons.iter().map(|skeleton| skeleton.sites());
        let mean_sites = sites.sum::<usize>() as f64 / skeletons.len() as f64;
        let trained = job.config.agent().total_steps() as f64 / mean_sites;
        let share = (trained + ROLLOUTS) / skeletons.len() as f64;
        result.episodes += trained + ROLLOUTS;
        for skeleton in skeletons {
            add(&mut spaces, job, skeleton, task.elements().len(), share);
        }
        let held_out = &job.manifest.held_out;
        let share = ROLLOUTS / held_out.len().max(1) as f64;
        for label in held_out {
            let config = TaskConfig {
                skeletons: vec![label.clone()],
                ..job.config.task.clone()
            };
            let task = Task::new(&config).map_err(crystalgym_training::TrainingError::from)?;
            add(
                &mut spaces,
                job,
                &task.skeletons()[0],
                task.elements().len(),
                share,
            );
            result.episodes += share;
        }
    }
    for ((property, ..), (fillings, episodes)) in spaces {
        let distinct = fillings * (1.0 - (episodes * (-1.0 / fillings).ln_1p()).exp());
        result.calculations += distinct;
        result.core_hours += distinct * property.facts().core_seconds / 3600.0;
    }
    Ok(result)
}

fn add(
    spaces: &mut BTreeMap<(Property, String, String, String), (f64, f64)>,
    job: &Job,
    skeleton: &Skeleton,
    actions: usize,
    episodes: f64,
) {
    let key = (
        job.manifest.property,
        job.config.task.actions.clone(),
        job.manifest.calculator.clone(),
        skeleton.label.clone(),
    );
    let space = spaces
        .entry(key)
        .or_insert((distinct_fillings(skeleton, actions), 0.0));
    space.1 += episodes;
}

/// Burnside's lemma: the mean over the site permutations of `actions^cycles`.
fn distinct_fillings(skeleton: &Skeleton, actions: usize) -> f64 {
    let permutations = &skeleton.symmetry.site_permutations;
    let fixed = permutations.iter().map(|permutation| {
        let mut seen = vec![false; permutation.len()];
        let mut cycles = 0;
        for start in 0..permutation.len() {
            let mut site = start;
            if !seen[site] {
                cycles += 1;
            }
            while !std::mem::replace(&mut seen[site], true) {
                site = permutation[site];
            }
        }
        (actions as f64).powi(cycles)
    });
    fixed.sum::<f64>() / permutations.len().max(1) as f64
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use crystalgym_crystal::{Crystal, Element};

    use super::*;

    /// Oracle: all fillings of C2 with three elements, each in its canonical form.
    #[test]
    fn burnside_counts_what_enumeration_finds() {
        let skeleton = Skeleton::builtin("C2").unwrap();
        let elements: Vec<Element> = ["H", "Li", "Na"].map(|s| s.parse().unwrap()).to_vec();
        let sites = skeleton.sites();
        let mut canonical = BTreeSet::new();
        for code in 0..3usize.pow(sites as u32) {
            let filling = (0..sites).map(|site| elements[code / 3usize.pow(site as u32) % 3]);
            let crystal = Crystal::new(skeleton.clone(), filling.collect()).unwrap();
            let symbols = crystal.canonical();
            canonical.insert(symbols.elements().to_vec());
        }
        assert_eq!(distinct_fillings(&skeleton, 3), canonical.len() as f64);
    }
}
