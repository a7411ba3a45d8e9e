//! Which crystals were made before, and which actions lead to others.

use std::{borrow::Cow, collections::BTreeSet};

use crystalgym_environment::{Action, Observation, State, Task};
use crystalgym_surrogate::{Filling, canonical};
use serde::{Deserialize, Serialize};

use super::mask::even_actions;
use crate::search::fits;

/// Actions before the end from which on all that can follow is looked at: the first that is new ends
/// the search, so that it takes long in places alone where there is next to nothing left.
const LOOKED_AHEAD: usize = 3;

/// Crystals that were made, images counted once, those that are being calculated included.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Novelty {
    made: BTreeSet<(u16, Filling)>,
    /// States from which every allowed way leads to one of them, as far as that was found out.
    #[serde(default)]
    exhausted_states: BTreeSet<State>,
}

impl Novelty {
    /// Of the actions in `mask` those that do not end in a crystal that was made; all where there is
    /// none, or where it is not said what is to come.
    pub(crate) fn new_actions<'a>(
        &mut self,
        task: &Task,
        seen: &Observation<'_>,
        mask: Cow<'a, [bool]>,
        parity_mask: bool,
    ) -> Cow<'a, [bool]> {
        let Some(state) = seen.state() else {
            return mask;
        };
        let is_near_end = seen.steps - seen.step <= LOOKED_AHEAD;
        if !is_near_end && self.exhausted_states.is_empty() {
            return mask;
        }
        let leads_on = |action: Action| {
            let Some(after) = after(task, &state, action) else {
                return false;
            };
            match is_near_end {
                true => self.can_become_new(task, &after, seen.target, parity_mask),
                false => !self.exhausted_states.contains(&after),
            }
        };
        let new: Vec<bool> = (mask.iter().enumerate())
            .map(|(action, allowed)| *allowed && leads_on(action as Action))
            .collect();
        if new.contains(&true) {
            return Cow::Owned(new);
        }
        self.exhausted_states.insert(state);
        mask
    }

    /// Whether an episode can still end in a crystal that was not made.
    fn can_become_new(&self, task: &Task, state: &State, target: f64, parity_mask: bool) -> bool {
        if task.is_terminal(state) {
            return self.is_new(task, state.skeleton.into(), &state.node_types);
        }
        let seen = task.observe_for(state, target);
        let allowed = match parity_mask {
            true => even_actions(task, &seen),
            false => Cow::Borrowed(seen.allowed),
        };
        let mut allowed = allowed.iter().enumerate().filter(|(_, allowed)| **allowed);
        allowed.any(|(action, _)| {
            let after = after(task, state, action as Action);
            after.is_some_and(|after| self.can_become_new(task, &after, target, parity_mask))
        })
    }

    fn is_new(&self, task: &Task, skeleton: usize, sites: &[u8]) -> bool {
        let made = (skeleton as u16, canonical(task, skeleton, sites));
        !self.made.contains(&made)
    }

    /// Takes note of an action; of the last one, what it ends in.
    pub(crate) fn acted(&mut self, task: &Task, seen: &Observation<'_>, action: Action) {
        if seen.step + 1 == seen.steps {
            let mut sites = Filling::from(seen.node_types);
            task.process().put(&mut sites, seen.focus, action);
            let filling = canonical(task, seen.skeleton, &sites);
            self.made.insert((seen.skeleton as u16, filling));
        }
    }

    /// Whether what was read can be of this task.
    pub(crate) fn belongs_to(&self, task: &Task) -> bool {
        self.made.iter().all(|(skeleton, filling)| {
            fits(task, *skeleton, filling)
                && canonical(task, (*skeleton).into(), filling) == *filling
        }) && (self.exhausted_states.iter()).all(|state| task.can_hold(state))
    }
}

/// The state after an action, if that can be taken.
fn after(task: &Task, state: &State, action: Action) -> Option<State> {
    let mut after = state.clone();
    task.apply(&mut after, action.into()).ok()?;
    Some(after)
}
