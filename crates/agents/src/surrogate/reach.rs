//! Which fillings an episode can still come to.

use crystalgym_environment::{Observation, State, Task, random::random_choice};
use crystalgym_surrogate::{Filling, images};
use rand_pcg::Pcg64;

use crate::search::planned_action;

/// The state that an observation is of. The start of a traversal is not seen: the first is taken that
/// fits what is in focus and what the sites hold. That is the right one at the start of an episode, and
/// in filling at any step one that leaves the same sites to be filled.
pub(super) fn state_of(task: &Task, seen: &Observation<'_>) -> State {
    let mut state = State {
        skeleton: seen.skeleton as u16,
        start: 0,
        step: seen.step as u16,
        node_types: seen.node_types.into(),
    };
    for start in 0..seen.node_types.len() {
        state.start = start as u16;
        if task.observe(&state).focus == seen.focus && task.can_hold(&state) {
            return state;
        }
    }
    state.start = 0;
    state
}

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
