//! Complete fillings of skeletons, which searches work on.

use crystalgym_environment::{NodeTypes, Task, random::random_choice};
use rand_pcg::Pcg64;

use crate::ChemistryRule;

/// Draws until a rule of chemistry is taken to have nothing to prefer, or nothing to allow.
const DRAWS: usize = 1000;

/// A complete filling of a skeleton: one node type for each site.
pub type Filling = NodeTypes;

/// One of the elements allowed on a site, all equally likely.
pub(super) fn random_element(task: &Task, skeleton: u16, site: usize, rng: &mut Pcg64) -> u8 {
    random_choice(task.board().allowed_at(skeleton.into(), site), rng) as u8
}

/// An allowed element for every site, drawn.
pub(crate) fn random_filling(task: &Task, skeleton: u16, rng: &mut Pcg64) -> Filling {
    (0..task.board().sites(skeleton.into()))
        .map(|site| random_element(task, skeleton, site, rng))
        .collect()
}

/// What is drawn until a rule of chemistry allows it; the last of [`DRAWS`] where it never does.
pub(super) fn allowed_filling(
    rule: ChemistryRule,
    (task, skeleton): (&Task, u16),
    rng: &mut Pcg64,
    mut draw: impl FnMut(&mut Pcg64) -> Filling,
) -> Filling {
    let mut filling = draw(rng);
    for _ in 1..DRAWS {
        if rule.allows(task, skeleton.into(), &filling) {
            break;
        }
        filling = draw(rng);
    }
    filling
}

/// The first of [`DRAWS`] random fillings that a rule of chemistry prefers most.
pub(super) fn preferred_filling(
    rule: ChemistryRule,
    task: &Task,
    skeleton: u16,
    rng: &mut Pcg64,
) -> Filling {
    let mut filling = random_filling(task, skeleton, rng);
    let mut best = rule.preference(task, skeleton.into(), &filling);
    for _ in 1..DRAWS {
        if best == ChemistryRule::BEST {
            break;
        }
        let drawn = random_filling(task, skeleton, rng);
        let preference = rule.preference(task, skeleton.into(), &drawn);
        if preference > best {
            (best, filling) = (preference, drawn);
        }
    }
    filling
}

/// Whether a filling can be one of this skeleton.
pub(crate) fn fits(task: &Task, skeleton: u16, filling: &Filling) -> bool {
    let skeleton = task.skeletons().get(usize::from(skeleton));
    skeleton.is_some_and(|skeleton| skeleton.sites() == filling.len())
        && filling
            .iter()
            .all(|node_type| usize::from(*node_type) < task.elements().len())
}
