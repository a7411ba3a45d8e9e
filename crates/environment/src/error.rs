//! What can be wrong with a task or with what is done in it.

use crystalgym_crystal::CrystalError;

/// What can be wrong with a task or with what is done in it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EnvironmentError {
    /// A skeleton or a structure file of the task.
    #[error(transparent)]
    Crystal(#[from] CrystalError),
    /// A name that is no action set.
    #[error("unknown action set '{0}': expected small, medium, large or a list of elements")]
    UnknownActionSet(String),
    /// An element that stands twice in an action set.
    #[error("action set: {0} stands there twice")]
    DuplicateElement(String),
    /// A task that cannot be played.
    #[error("task: {message}")]
    InvalidTask {
        /// The member of the configuration.
        field: String,
        /// Its value and what would be right.
        message: String,
    },
    /// An action outside of the action set.
    #[error("action {action} at step {step}: expected 0 to {last}")]
    InvalidAction {
        /// The action.
        action: i64,
        /// Actions taken so far.
        step: usize,
        /// The highest action.
        last: usize,
    },
    /// An action that the task's mask forbids.
    #[error("{element} is not allowed on site {site} by this task")]
    ForbiddenAction {
        /// The element.
        element: String,
        /// The site in focus.
        site: usize,
    },
    /// A number that no environment of a vector has.
    #[error("environment {environment}: expected 0 to {last}")]
    NoEnvironment {
        /// The number.
        environment: i64,
        /// The highest number.
        last: usize,
    },
    /// An action for an environment of a vector whose last one has not been answered.
    #[error("environment {environment} has a step under way: take its result, or reset it")]
    StepUnderWay {
        /// The number of the environment.
        environment: usize,
    },
    /// An action after the last one.
    #[error("the episode has ended: reset the environment before the next action")]
    EpisodeEnded,
    /// A number of actions that is not the number of environments.
    #[error("{found} actions for {expected} environments")]
    ActionCount {
        /// Number of environments.
        expected: usize,
        /// Number of actions.
        found: usize,
    },
    /// A snapshot that belongs to another task.
    #[error("snapshot: {0}")]
    Snapshot(String),
}

pub(crate) fn invalid_task(field: &str, message: String) -> EnvironmentError {
    EnvironmentError::InvalidTask {
        field: field.to_owned(),
        message,
    }
}
