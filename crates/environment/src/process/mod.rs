//! How an episode turns a skeleton into a crystal: what it starts from, what each action does, and
//! when it is over.

mod filling;
mod improvement;
mod substitution;

use std::fmt;

use crystalgym_crystal::Element;
use rand_pcg::Pcg64;
use serde::{Deserialize, Serialize};

pub use self::{filling::Filling, improvement::Improvement, substitution::Substitution};

use crate::{Action, Actions, Board, EnvironmentError, NodeTypes, Observation, State};

/// A Markov decision process on a [`Board`]. What searches, replay and relabelling may assume of it
/// is said here, so that none of them asks which process it is.
///
/// Unless a process says otherwise, an action is an element, each step puts it on the next site of
/// the traversal, and the episode is over when every site had its turn. The crystal at the end is
/// then the same for every order of the sites.
pub trait Process: fmt::Debug + Send + Sync {
    /// What every site holds at the start of an episode, drawn where it is random.
    fn initial_sites(&self, board: &Board, skeleton: usize, rng: &mut Pcg64) -> NodeTypes;

    /// Whether the sites of a state, read from a file, can hold what they do at its step.
    fn can_hold(&self, board: &Board, state: &State) -> bool;

    /// Whether what a caller says that it sees can be of an episode that is not over.
    fn shows(&self, seen: &Observation<'_>) -> bool;

    /// Number of actions, the same in every state.
    fn n_actions(&self, board: &Board) -> usize {
        board.elements().len()
    }

    /// Whether an action says on which site it acts, site by site through all elements. No site is
    /// then in focus, and [`Self::focus`] is 0.
    fn chooses_site(&self) -> bool {
        false
    }

    /// Actions of an episode on a skeleton with so many sites.
    fn length(&self, sites: usize) -> usize {
        sites
    }

    /// Site that the next action is about; after the last one, the site of that. A traversal that is
    /// over begins anew.
    fn focus(&self, board: &Board, state: &State) -> usize {
        let order = board.traversal(state.skeleton.into(), state.start.into());
        let last = self.length(order.len()) - 1;
        let next = usize::from(state.step).min(last);
        // Most episodes end with their first traversal, and a division takes as long as all the rest.
        match order.get(next) {
            Some(&site) => site.into(),
            None => order[next % order.len()].into(),
        }
    }

    /// Which actions are allowed on a skeleton with this site in focus.
    fn allowed<'a>(&'a self, board: &'a Board, skeleton: usize, focus: usize) -> &'a [bool] {
        board.allowed_at(skeleton, focus)
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
        self.check_at(board, state, self.focus(board, state), action)
    }

    /// As [`Self::check`], for a caller that knows the site in focus.
    ///
    /// # Errors
    /// As [`Self::check`].
    fn check_at(
        &self,
        board: &Board,
        state: &State,
        focus: usize,
        action: i64,
    ) -> Result<Action, EnvironmentError> {
        let allowed = self.allowed(board, state.skeleton.into(), focus);
        let found = usize::try_from(action).ok();
        let is_allowed = found.and_then(|action| allowed.get(action)) == Some(&true);
        match is_allowed && !self.is_terminal(state) {
            true => Ok(action as Action),
            false => Err(self.refusal(board, state, focus, action)),
        }
    }

    /// Why an action cannot be taken.
    #[cold]
    fn refusal(&self, board: &Board, state: &State, focus: usize, action: i64) -> EnvironmentError {
        if self.is_terminal(state) {
            return EnvironmentError::EpisodeEnded;
        }
        let actions = self.allowed(board, state.skeleton.into(), focus).len();
        match usize::try_from(action) {
            Ok(known) if known < actions => {
                let (site, element) = self.placement(focus, known as Action);
                EnvironmentError::ForbiddenAction {
                    element: board.elements().elements()[usize::from(element)].to_string(),
                    site,
                }
            }
            _ => EnvironmentError::InvalidAction {
                action,
                step: state.step.into(),
                last: actions - 1,
            },
        }
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
        let focus = self.focus(board, state);
        let action = self.check_at(board, state, focus, action)?;
        self.put(&mut state.node_types, focus, action);
        state.step += 1;
        Ok(action)
    }

    /// The site on which an action puts something, and the node type that it puts there.
    fn placement(&self, focus: usize, action: Action) -> (usize, u8) {
        (focus, action as u8)
    }

    /// What an action does to the sites; nothing on one that there is not.
    fn put(&self, node_types: &mut [u8], focus: usize, action: Action) {
        let (site, element) = self.placement(focus, action);
        if let Some(node_type) = node_types.get_mut(site) {
            *node_type = element;
        }
    }

    /// The action that brings an episode nearer to a wanted filling, allowed or not.
    fn action_towards(&self, seen: &Observation<'_>, filling: &[u8]) -> Option<Action> {
        Some((*filling.get(seen.focus)?).into())
    }

    /// The actions that lead from the start of an episode to a filling, `None` if they are not
    /// allowed or too few. Two histories with the same start and end are worth the same.
    fn history(&self, board: &Board, start: &State, filling: &[u8]) -> Option<Actions> {
        let order = board.traversal(start.skeleton.into(), start.start.into());
        let length = self.length(order.len());
        let out_of_reach = order.iter().skip(length).map(|&site| usize::from(site));
        let stays = |site: usize| start.node_types[site] == filling[site];
        if !board.obeys(start.skeleton.into(), filling) || !out_of_reach.into_iter().all(stays) {
            return None;
        }
        let visits = order.iter().cycle().take(length);
        Some(
            visits
                .map(|&site| filling[usize::from(site)].into())
                .collect(),
        )
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
    /// The same on sites that the agent chooses.
    Improvement,
}

impl ProcessName {
    /// The name used in configurations and tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::Filling => "filling",
            Self::Substitution => "substitution",
            Self::Improvement => "improvement",
        }
    }
}

/// The crystal that substitution and improvement start from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    untagged,
    expecting = "expected \"random\", \"material\", \"stored\", a list with one element for each site, \
                 or such a list for each skeleton"
)]
pub enum StartCrystal {
    /// Said by a word.
    Named(NamedStart),
    /// One element for each site; of a task with one skeleton.
    Elements(Vec<Element>),
    /// The same for each skeleton, in their order.
    EachSkeleton(Vec<Vec<Element>>),
}

/// A start that a word says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NamedStart {
    /// Elements drawn for each episode, all allowed ones equally likely.
    Random,
    /// The material that the skeleton was taken from.
    Material,
    /// The crystal on the skeleton that a store of results knows to be the best for the task's
    /// objective. Whoever has the store puts its elements here before a task is made.
    Stored,
}

impl Default for StartCrystal {
    fn default() -> Self {
        Self::Named(NamedStart::Random)
    }
}

#[cfg(test)]
mod tests;
