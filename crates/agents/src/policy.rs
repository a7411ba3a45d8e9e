//! What was learned, to act with: no environment, no calculator.

use crystalgym_environment::{Action, Observation, State};

use crate::AgentError;

/// The state that an observation is of.
///
/// # Errors
/// [`AgentError::UnknownStart`] if it does not say what is to come.
pub(crate) fn state_of(seen: &Observation<'_>) -> Result<State, AgentError> {
    seen.state()
        .ok_or(AgentError::UnknownStart { step: seen.step })
}

/// How a policy chooses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PolicyMode {
    /// The best or most probable action.
    Greedy,
    /// As the agent acts while it learns: drawn from its distribution, or at random with its
    /// present share of random actions.
    Sampled {
        /// Seed of the draws.
        seed: u64,
    },
}

/// Chooses actions.
pub trait Policy: Send {
    /// One allowed action for each observation, none of which is of an episode that is over.
    ///
    /// # Errors
    /// [`AgentError`] if an observation does not fit or no value is a number, and
    /// [`AgentError::UnknownStart`] if the policy looks ahead and is not told what is to come.
    fn act(&mut self, seen: &[Observation<'_>]) -> Result<Vec<Action>, AgentError>;
}
