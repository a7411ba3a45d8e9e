//! Substitution: the elements of a complete crystal are replaced one by one (CrystalGym paper,
//! section B.2 and appendix C).

use rand_pcg::Pcg64;

use super::Process;
use crate::{Board, Observation, State, random::random_choice};

/// Every episode starts from a complete crystal; each action puts an element, the same one or
/// another, on the next site of the traversal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Substitution {
    /// By skeleton, what every site holds at the start; `None` draws among the allowed elements.
    starts: Vec<Option<Box<[u8]>>>,
}

impl Substitution {
    /// Substitution that starts from these node types on each skeleton, `None` for random ones.
    pub fn new(starts: Vec<Option<Box<[u8]>>>) -> Self {
        Self { starts }
    }
}

impl Process for Substitution {
    fn initial_sites(&self, board: &Board, skeleton: usize, rng: &mut Pcg64) -> Box<[u8]> {
        match self.starts.get(skeleton) {
            Some(Some(start)) => start.clone(),
            _ => (0..board.sites(skeleton))
                .map(|site| random_choice(board.allowed_at(site), rng) as u8)
                .collect(),
        }
    }

    /// Every site holds an element.
    fn shows(&self, seen: &Observation<'_>) -> bool {
        let blank = seen.elements.len();
        let mut sites = seen.node_types.iter();
        seen.step < seen.steps && sites.all(|&node_type| usize::from(node_type) < blank)
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
                None => board.allowed_at(site).get(usize::from(node_type)) == Some(&true),
            }
        })
    }
}
