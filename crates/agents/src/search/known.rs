//! What a search has proposed already.

use std::collections::{BTreeMap, BTreeSet};

use crystalgym_crystal::Crystal;
use crystalgym_environment::Task;
use rand_pcg::Pcg64;
use serde::{Deserialize, Serialize};

use super::filling::{Filling, allowed_filling, fits, random_filling};
use crate::ChemistryRule;

/// Proposals in a row that were known before a search gives up avoiding known ones.
const ATTEMPTS: usize = 50;

/// Fillings that were proposed, by skeleton and in canonical form, so that no calculation is spent
/// on a crystal twice.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Known {
    by_skeleton: BTreeMap<u16, BTreeSet<Filling>>,
}

impl Known {
    /// The first of many drawn fillings that has not been proposed before; if all were, a random
    /// one that the rule of chemistry allows.
    pub(super) fn first_new(
        &mut self,
        (task, skeleton): (&Task, u16),
        rule: ChemistryRule,
        rng: &mut Pcg64,
        mut draw: impl FnMut(&mut Pcg64) -> Filling,
    ) -> Filling {
        let known = self.by_skeleton.entry(skeleton).or_default();
        for _ in 0..ATTEMPTS {
            let filling = draw(rng);
            if known.insert(canonical(task, skeleton, &filling)) {
                return filling;
            }
        }
        let filling = allowed_filling(rule, (task, skeleton), rng, |rng| {
            random_filling(task, skeleton, rng)
        });
        known.insert(canonical(task, skeleton, &filling));
        filling
    }

    /// Whether all fillings can be of this task's skeletons.
    pub(super) fn belongs_to(&self, task: &Task) -> bool {
        let mut all = self.by_skeleton.iter();
        all.all(|(skeleton, fillings)| fillings.iter().all(|f| fits(task, *skeleton, f)))
    }
}

/// The form that all symmetric images of a filling share.
fn canonical(task: &Task, skeleton: u16, filling: &Filling) -> Filling {
    task.crystal(skeleton.into(), filling)
        .ok()
        .and_then(|crystal| actions_of(task, &crystal.canonical()))
        .unwrap_or_else(|| filling.clone())
}

fn actions_of(task: &Task, crystal: &Crystal) -> Option<Filling> {
    let elements = crystal.elements().iter();
    elements
        .map(|element| task.elements().action_of(*element))
        .collect()
}

#[cfg(test)]
mod tests {
    use crystalgym_environment::TaskConfig;
    use rand::SeedableRng;

    use super::*;

    /// Oracle: three equal sites, so that any order of their elements is the same crystal.
    #[test]
    fn symmetric_images_are_known() {
        let task = Task::new(&TaskConfig::default()).unwrap();
        let mut known = Known::default();
        let mut rng = Pcg64::seed_from_u64(1);
        let images: [[u8; 5]; 3] = [[0, 1, 2, 3, 4], [0, 1, 4, 2, 3], [1, 0, 2, 3, 4]];
        let draw = |image: [u8; 5]| move |_: &mut Pcg64| Filling::from_slice(&image);
        let first = known.first_new((&task, 0), ChemistryRule::None, &mut rng, draw(images[0]));
        assert_eq!(*first, images[0]);
        let second = known.first_new((&task, 0), ChemistryRule::None, &mut rng, draw(images[1]));
        assert_ne!(*second, images[1]);
        let third = known.first_new((&task, 0), ChemistryRule::None, &mut rng, draw(images[2]));
        assert_eq!(*third, images[2]);
    }
}
