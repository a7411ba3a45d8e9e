//! What happened in an episode: its start and the actions, recorded as they were taken.

use serde::{Deserialize, Serialize};

use crate::{Actions, EnvironmentError, State, Task};

/// The start of an episode and the actions taken since. Every state between follows by taking them
/// again.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Episode {
    /// The state before the first action.
    pub start: State,
    /// Actions in the order in which they were taken.
    pub actions: Actions,
}

impl Episode {
    /// An episode in which nothing has happened, with room for so many actions.
    pub fn starting_from(start: State, length: usize) -> Self {
        Self {
            actions: Actions::with_capacity(length),
            start,
        }
    }

    /// The states s₀ … s_T, one more than there are actions.
    ///
    /// # Errors
    /// As [`Task::apply`] for the first action that the task does not allow.
    pub fn states(&self, task: &Task) -> Result<Vec<State>, EnvironmentError> {
        let mut states = Vec::with_capacity(self.actions.len() + 1);
        states.push(self.start.clone());
        let mut state = self.start.clone();
        for &action in &self.actions {
            task.apply(&mut state, action.into())?;
            states.push(state.clone());
        }
        Ok(states)
    }

    /// The state after the last action.
    ///
    /// # Errors
    /// As [`Self::states`].
    pub fn last_state(&self, task: &Task) -> Result<State, EnvironmentError> {
        let mut state = self.start.clone();
        for &action in &self.actions {
            task.apply(&mut state, action.into())?;
        }
        Ok(state)
    }

    /// Whether the episode, read from a file, can be one of this task.
    pub fn belongs_to(&self, task: &Task) -> bool {
        self.start.step == 0 && task.can_hold(&self.start) && self.last_state(task).is_ok()
    }
}
