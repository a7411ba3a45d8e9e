//! Filling: the sites of an empty skeleton get their elements one by one (CrystalGym paper).

use rand_pcg::Pcg64;

use super::Process;
use crate::{Board, NodeTypes, Observation, State};

/// Every episode starts empty; each action fills the next site of the traversal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Filling;

impl Process for Filling {
    fn initial_sites(&self, board: &Board, skeleton: usize, _rng: &mut Pcg64) -> NodeTypes {
        NodeTypes::from_elem(board.elements().blank(), board.sites(skeleton))
    }

    /// As many sites are filled as actions were taken, and the one in focus is not.
    fn shows(&self, seen: &Observation<'_>) -> bool {
        let blank = seen.elements.len();
        let is_filled = |node_type: &&u8| usize::from(**node_type) < blank;
        seen.step < seen.steps
            && seen.node_types.iter().filter(is_filled).count() == seen.step
            && usize::from(seen.node_types[seen.focus]) == blank
    }

    /// The first sites of the traversal hold an element, the others none.
    fn can_hold(&self, board: &Board, state: &State) -> bool {
        let order = board.traversal(state.skeleton.into(), state.start.into());
        let blank = board.elements().blank();
        order.iter().enumerate().all(|(place, &site)| {
            let node_type = state.node_types[usize::from(site)];
            match place < usize::from(state.step) {
                true => node_type < blank,
                false => node_type == blank,
            }
        })
    }
}
