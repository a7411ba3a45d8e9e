//! Complete fillings of skeletons, which searches work on.

use crystalgym_environment::{NodeTypes, Task, random::random_choice};
use rand_pcg::Pcg64;

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

/// Whether a filling can be one of this skeleton.
pub(crate) fn fits(task: &Task, skeleton: u16, filling: &Filling) -> bool {
    let skeleton = task.skeletons().get(usize::from(skeleton));
    skeleton.is_some_and(|skeleton| skeleton.sites() == filling.len())
        && filling
            .iter()
            .all(|node_type| usize::from(*node_type) < task.elements().len())
}
