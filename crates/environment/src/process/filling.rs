//! Filling: the sites of an empty skeleton get their elements one by one (CrystalGym paper).

use rand_pcg::Pcg64;

use super::Process;
use crate::{Board, State};

/// Every episode starts empty; each action fills the next site of the traversal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Filling;

impl Process for Filling {
    fn initial_sites(&self, board: &Board, skeleton: usize, _rng: &mut Pcg64) -> Box<[u8]> {
        vec![board.elements().blank(); board.sites(skeleton)].into()
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
