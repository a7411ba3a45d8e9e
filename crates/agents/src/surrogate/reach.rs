//! Which fillings an episode can still come to.

use crystalgym_environment::{State, Task, random::random_choice};
use crystalgym_surrogate::{Filling, images};
use rand_pcg::Pcg64;

use crate::search::planned_action;

/// The first image of a filling that the process comes to from a state.
pub(super) fn reachable_image(task: &Task, state: &State, filling: &[u8]) -> Option<Filling> {
    let images = images(task, state.skeleton.into(), filling);
    images
        .map(|image| image.collect::<Filling>())
        .find(|image| is_reached(task, state, image))
}

fn is_reached(task: &Task, state: &State, filling: &[u8]) -> bool {
    let mut state = state.clone();
    while !task.is_terminal(&state) {
        let seen = task.observe(&state);
        let action = planned_action(task, &seen, filling);
        if task.apply(&mut state, action.into()).is_err() {
            return false;
        }
    }
    *state.node_types == *filling
}

/// What random actions come to from a state.
pub(super) fn random_end(task: &Task, state: &State, rng: &mut Pcg64) -> Filling {
    let mut state = state.clone();
    while !task.is_terminal(&state) {
        let action = random_choice(task.allowed(&state), rng);
        if task.apply(&mut state, action as i64).is_err() {
            break;
        }
    }
    state.node_types
}
