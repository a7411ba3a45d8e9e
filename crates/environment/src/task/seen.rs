//! Where an episode started, of which a caller says no more than what is seen.

use super::Task;
use crate::{Observation, State};

impl Task {
    /// Whether what is seen, of an episode that is not over, can be of one that started at a site.
    pub fn can_have_started(&self, seen: &Observation<'_>, start: usize) -> bool {
        if start >= self.board().sites(seen.skeleton) {
            return false;
        }
        let state = State {
            skeleton: seen.skeleton as u16,
            start: start as u16,
            step: seen.step as u16,
            node_types: seen.node_types.into(),
        };
        self.can_hold(&state)
            && !self.is_terminal(&state)
            && self.process().focus(self.board(), &state) == seen.focus
    }

    /// The start site that follows from what is seen: always for the first action of an episode, and
    /// where the task has a fixed one. Of several that are possible the first if nothing to come
    /// depends on it, since all give the same order, or actions say on which site they act; `None` if
    /// something does, or if none is possible.
    pub fn only_start(&self, seen: &Observation<'_>) -> Option<usize> {
        let mut possible = match self.board().start_site() {
            Some(site) => site..site + 1,
            None => 0..self.board().sites(seen.skeleton),
        }
        .filter(|&start| self.can_have_started(seen, start));
        let first = possible.next()?;
        let order = |start| self.board().traversal(seen.skeleton, start);
        let is_the_same = |other| order(other) == order(first);
        (self.process().chooses_site() || possible.all(is_the_same)).then_some(first)
    }
}
