//! Substitution: the elements of a complete crystal are replaced one by one (CrystalGym paper,
//! section B.2 and appendix C).

use rand_pcg::Pcg64;

use super::Process;
use crate::{Board, NodeTypes, Observation, State, random::random_choice};

/// Every episode starts from a complete crystal; each action puts an element, the same one or
/// another, on the next site of the traversal. One pass unless a number of steps is given, with
/// which an episode ends within a pass or goes on with another one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Substitution {
    /// By skeleton, what every site holds at the start; `None` draws among the allowed elements.
    starts: Vec<Option<Box<[u8]>>>,
    steps: Option<usize>,
}

impl Substitution {
    /// Substitution that starts from these node types on each skeleton, `None` for random ones, and
    /// takes so many steps (at least one), `None` for one pass.
    pub fn new(starts: Vec<Option<Box<[u8]>>>, steps: Option<usize>) -> Self {
        Self { starts, steps }
    }
}

/// What a complete crystal starts from: what is given, or an allowed element drawn for each site.
pub(super) fn complete_start(
    start: Option<&Option<Box<[u8]>>>,
    board: &Board,
    skeleton: usize,
    rng: &mut Pcg64,
) -> NodeTypes {
    match start {
        Some(Some(start)) => NodeTypes::from_slice(start),
        _ => (0..board.sites(skeleton))
            .map(|site| random_choice(board.allowed_at(skeleton, site), rng) as u8)
            .collect(),
    }
}

/// Whether what is seen is of an episode under way with an element on every site.
pub(super) fn shows_complete(seen: &Observation<'_>) -> bool {
    let blank = seen.elements.len();
    let mut sites = seen.node_types.iter();
    seen.step < seen.steps && sites.all(|&node_type| usize::from(node_type) < blank)
}

impl Process for Substitution {
    fn initial_sites(&self, board: &Board, skeleton: usize, rng: &mut Pcg64) -> NodeTypes {
        complete_start(self.starts.get(skeleton), board, skeleton, rng)
    }

    fn length(&self, sites: usize) -> usize {
        self.steps.unwrap_or(sites)
    }

    fn shows(&self, seen: &Observation<'_>) -> bool {
        shows_complete(seen)
    }

    /// Sites that had their turn hold an allowed element, the others what they started with.
    fn can_hold(&self, board: &Board, state: &State) -> bool {
        let skeleton = usize::from(state.skeleton);
        let start = self.starts.get(skeleton).and_then(Option::as_deref);
        let order = board.traversal(skeleton, state.start.into());
        order.iter().enumerate().all(|(place, &site)| {
            let site = usize::from(site);
            let node_type = state.node_types[site];
            match start.filter(|_| place >= usize::from(state.step)) {
                Some(start) => node_type == start[site],
                None => board.allowed_at(skeleton, site).get(usize::from(node_type)) == Some(&true),
            }
        })
    }
}
