//! The state that an observation is of.

use crystalgym_environment::{Observation, State, Task};

/// The state that an observation is of. The start of a traversal is not seen: the first is taken that
/// fits what is in focus and what the sites hold. That is the right one at the start of an episode, and
/// in filling at any step one that leaves the same sites to be filled.
pub(crate) fn state_of(task: &Task, seen: &Observation<'_>) -> State {
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
