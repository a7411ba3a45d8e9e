//! Which crystals were made before, and which actions lead to others.

use std::{borrow::Cow, collections::BTreeSet};

use crystalgym_environment::{Action, Observation, State, Task};
use crystalgym_surrogate::{Filling, canonical};
use serde::{Deserialize, Serialize};

use super::mask::even_actions;
use crate::{search::fits, seen_state::state_of};

/// Actions before the end from which on all that can follow is looked at: the first that is new ends
/// the search, so that it takes long in places alone where there is next to nothing left.
const LOOKED_AHEAD: usize = 3;

/// Crystals that were made, images counted once, those that are being calculated included.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Novelty {
    made: BTreeSet<(u16, Filling)>,
    /// What is seen of states from which every allowed way leads to one of them, as far as that was
    /// found out.
    exhausted: BTreeSet<Key>,
}

/// What tells states apart: skeleton, actions taken, sites, and the site in focus.
type Key = (u16, u16, Filling, u16);

fn key(skeleton: usize, step: usize, sites: &[u8], focus: usize) -> Key {
    (skeleton as u16, step as u16, sites.into(), focus as u16)
}

impl Novelty {
    /// Of the actions in `mask` those that do not end in a crystal that was made; all where there is
    /// none.
    pub(crate) fn new_actions<'a>(
        &mut self,
        task: &Task,
        seen: &Observation<'_>,
        mask: Cow<'a, [bool]>,
        parity_mask: bool,
    ) -> Cow<'a, [bool]> {
        if seen.steps - seen.step > LOOKED_AHEAD {
            return self.without_exhausted(task, seen, mask);
        }
        let new: Vec<bool> = (mask.iter().enumerate())
            .map(|(action, allowed)| {
                *allowed && self.leads_to_new(task, seen, action as Action, parity_mask)
            })
            .collect();
        if new.contains(&true) {
            return Cow::Owned(new);
        }
        self.exhaust(seen);
        mask
    }

    /// Whether an action can still end in a crystal that was not made.
    fn leads_to_new(
        &self,
        task: &Task,
        seen: &Observation<'_>,
        action: Action,
        parity_mask: bool,
    ) -> bool {
        let mut sites = Filling::from(seen.node_types);
        task.process().put(&mut sites, seen.focus, action);
        if seen.step + 1 == seen.steps {
            return self.is_new(task, seen.skeleton, &sites);
        }
        let after = after(task, seen, &sites);
        let next = task.observe_for(&after, seen.target);
        let allowed = match parity_mask {
            true => even_actions(task, &next),
            false => Cow::Borrowed(next.allowed),
        };
        let mut allowed = allowed.iter().enumerate().filter(|(_, allowed)| **allowed);
        allowed.any(|(action, _)| self.leads_to_new(task, &next, action as Action, parity_mask))
    }

    fn without_exhausted<'a>(
        &mut self,
        task: &Task,
        seen: &Observation<'_>,
        mask: Cow<'a, [bool]>,
    ) -> Cow<'a, [bool]> {
        if self.exhausted.is_empty() {
            return mask;
        }
        let open: Vec<bool> = (mask.iter().enumerate())
            .map(|(action, allowed)| {
                let mut sites = Filling::from(seen.node_types);
                task.process().put(&mut sites, seen.focus, action as Action);
                let focus = task.observe(&after(task, seen, &sites)).focus;
                let key = key(seen.skeleton, seen.step + 1, &sites, focus);
                *allowed && !self.exhausted.contains(&key)
            })
            .collect();
        if open.contains(&true) {
            return Cow::Owned(open);
        }
        self.exhaust(seen);
        mask
    }

    fn exhaust(&mut self, seen: &Observation<'_>) {
        let key = key(seen.skeleton, seen.step, seen.node_types, seen.focus);
        self.exhausted.insert(key);
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
        let sites = |skeleton: u16| {
            let known = usize::from(skeleton) < task.skeletons().len();
            known.then(|| task.board().sites(skeleton.into()))
        };
        self.made.iter().all(|(skeleton, filling)| {
            fits(task, *skeleton, filling)
                && canonical(task, (*skeleton).into(), filling) == *filling
        }) && (self.exhausted.iter())
            .all(|(skeleton, _, filling, _)| sites(*skeleton) == Some(filling.len()))
    }
}

/// The state after an action, given what the sites then hold.
fn after(task: &Task, seen: &Observation<'_>, sites: &Filling) -> State {
    let mut state = state_of(task, seen);
    state.step += 1;
    state.node_types = sites.clone();
    state
}
