//! How a task's crystals look to the model.

use crystalgym_environment::Task;
use crystalgym_surrogate::{FeatureMap, Standardiser};
use rand::SeedableRng;
use rand_pcg::Pcg64;

use crate::{ChemistryRule, search::random_filling};

/// Random fillings that say what is typical; the same for every seed of a run.
const TYPICAL: (usize, u64) = (600, 1);

/// Turns fillings of a task's skeletons into standardised features.
#[derive(Debug, Clone)]
pub(super) struct Sight {
    maps: Vec<FeatureMap>,
    standardiser: Standardiser,
}

impl Sight {
    /// Of a task, whose own crystals are the typical ones.
    pub(super) fn new(task: &Task, rule: ChemistryRule) -> Self {
        let maps = maps(task, rule);
        let (count, seed) = TYPICAL;
        let mut rng = Pcg64::seed_from_u64(seed);
        let typical: Vec<Vec<f64>> = (0..count)
            .map(|number| {
                let skeleton = number % maps.len();
                let filling = random_filling(task, skeleton as u16, &mut rng);
                raw(&maps, task, skeleton, &filling)
            })
            .collect();
        Self {
            standardiser: Standardiser::of(&typical),
            maps,
        }
    }

    /// Of another task, whose crystals look as they would in this one.
    pub(super) fn of_other(&self, task: &Task, rule: ChemistryRule) -> Self {
        Self {
            maps: maps(task, rule),
            standardiser: self.standardiser.clone(),
        }
    }

    /// Standardised features of a complete filling.
    pub(super) fn features(&self, task: &Task, skeleton: usize, filling: &[u8]) -> Box<[f64]> {
        self.standardiser
            .standardised(raw(&self.maps, task, skeleton, filling))
    }
}

fn maps(task: &Task, rule: ChemistryRule) -> Vec<FeatureMap> {
    let skeletons = task.skeletons().iter();
    skeletons
        .map(|skeleton| FeatureMap::new(skeleton, rule.counts_electrons()))
        .collect()
}

fn raw(maps: &[FeatureMap], task: &Task, skeleton: usize, filling: &[u8]) -> Vec<f64> {
    let elements = task.elements().elements();
    let elements: Vec<_> = filling
        .iter()
        .filter_map(|&node_type| elements.get(usize::from(node_type)).copied())
        .collect();
    maps[skeleton].of(&elements)
}
