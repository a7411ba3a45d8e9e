use crystalgym_environment::{Action, State};
use serde::{Deserialize, Serialize};

/// One step of a finished episode, as it is learned from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Sample {
    pub(super) state: State,
    pub(super) target: f64,
    pub(super) action: Action,
    /// `ln π(a)` of the policy that took the action, however long ago that was.
    pub(super) log_probability: f64,
    /// Of the critic when the reward arrived.
    pub(super) value: f64,
    pub(super) advantage: f64,
}
