//! How an episode turns a skeleton into a crystal: what it starts from, what each action does, and
//! when it is over.

mod filling;
mod substitution;

use std::fmt;

use crystalgym_crystal::Element;
use rand_pcg::Pcg64;
use serde::{Deserialize, Serialize};

pub use self::{filling::Filling, substitution::Substitution};

use crate::{Action, Board, EnvironmentError, Observation, State};

/// A Markov decision process on a [`Board`]. What searches, replay and relabelling may assume of it
/// is said here, so that none of them asks which process it is.
///
/// Unless a process says otherwise, each step puts one element on the next site of the traversal,
/// and the episode is over when every site had its turn. The crystal at the end is then the same
/// for every order of the sites.
pub trait Process: fmt::Debug + Send + Sync {
    /// What every site holds at the start of an episode, drawn where it is random.
    fn initial_sites(&self, board: &Board, skeleton: usize, rng: &mut Pcg64) -> Box<[u8]>;

    /// Whether the sites of a state, read from a file, can hold what they do at its step.
    fn can_hold(&self, board: &Board, state: &State) -> bool;

    /// Whether what a caller says that it sees can be of an episode that is not over.
    fn shows(&self, seen: &Observation<'_>) -> bool;

    /// Actions of an episode on a skeleton with so many sites.
    fn length(&self, sites: usize) -> usize {
        sites
    }

    /// Site that the next action is about; after the last one, the site of that.
    fn focus(&self, board: &Board, state: &State) -> usize {
        let order = board.traversal(state.skeleton.into(), state.start.into());
        let next = usize::from(state.step).min(order.len() - 1);
        order[next].into()
    }

    /// Which actions are allowed.
    fn allowed<'b>(&self, board: &'b Board, state: &State) -> &'b [bool] {
        board.allowed_at(self.focus(board, state))
    }

    /// Whether the episode is over.
    fn is_terminal(&self, state: &State) -> bool {
        usize::from(state.step) >= self.length(state.node_types.len())
    }

    /// Whether an action can be taken.
    ///
    /// # Errors
    /// [`EnvironmentError::EpisodeEnded`], [`EnvironmentError::InvalidAction`] or
    /// [`EnvironmentError::ForbiddenAction`].
    fn check(&self, board: &Board, state: &State, action: i64) -> Result<Action, EnvironmentError> {
        if self.is_terminal(state) {
            return Err(EnvironmentError::EpisodeEnded);
        }
        let allowed = self.allowed(board, state);
        let found = usize::try_from(action).ok();
        match found.and_then(|action| Some((action, *allowed.get(action)?))) {
            Some((action, true)) => Ok(action as Action),
            Some((action, false)) => Err(EnvironmentError::ForbiddenAction {
                element: board.elements().elements()[action].to_string(),
                site: self.focus(board, state),
            }),
            None => Err(EnvironmentError::InvalidAction {
                action,
                step: state.step.into(),
                last: allowed.len() - 1,
            }),
        }
    }

    /// Takes an action that [`Self::check`] has found possible.
    fn apply(&self, board: &Board, state: &mut State, action: Action) {
        let focus = self.focus(board, state);
        self.put(&mut state.node_types, focus, action);
        state.step += 1;
    }

    /// Takes an action if it can be taken, and returns it as it is recorded.
    ///
    /// # Errors
    /// As [`Self::check`]; the state is then unchanged.
    fn take(
        &self,
        board: &Board,
        state: &mut State,
        action: i64,
    ) -> Result<Action, EnvironmentError> {
        let action = self.check(board, state, action)?;
        self.apply(board, state, action);
        Ok(action)
    }

    /// What an action does to the sites.
    fn put(&self, node_types: &mut [u8], focus: usize, action: Action) {
        node_types[focus] = action as u8;
    }

    /// The action that brings an episode nearer to a wanted filling, allowed or not.
    fn action_towards(&self, seen: &Observation<'_>, filling: &[u8]) -> Option<Action> {
        Some((*filling.get(seen.focus)?).into())
    }

    /// The actions that lead from the start of an episode to a filling, `None` if they are not
    /// allowed. Two histories with the same end are worth the same.
    fn history(&self, board: &Board, start: &State, filling: &[u8]) -> Option<Vec<Action>> {
        if !board.obeys(filling) {
            return None;
        }
        let order = board.traversal(start.skeleton.into(), start.start.into());
        let actions = order.iter().map(|&site| filling[usize::from(site)].into());
        Some(actions.collect())
    }
}

/// The processes by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProcessName {
    /// Empty sites are filled one by one.
    #[default]
    Filling,
    /// The elements of a complete crystal are replaced one by one.
    Substitution,
}

impl ProcessName {
    /// The name used in configurations and tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::Filling => "filling",
            Self::Substitution => "substitution",
        }
    }
}

/// The crystal that substitution starts from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    untagged,
    expecting = "expected \"random\", \"material\", or a list with one element for each site"
)]
pub enum StartCrystal {
    /// Said by a word.
    Named(NamedStart),
    /// One element for each site; of a task with one skeleton.
    Elements(Vec<Element>),
}

/// A start that a word says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NamedStart {
    /// Elements drawn for each episode, all allowed ones equally likely.
    Random,
    /// The material that the skeleton was taken from.
    Material,
}

impl Default for StartCrystal {
    fn default() -> Self {
        Self::Named(NamedStart::Random)
    }
}

#[cfg(test)]
mod tests;
