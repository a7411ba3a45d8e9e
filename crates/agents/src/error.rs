//! What can be wrong with an agent, its settings and its checkpoints.

use std::{io, path::PathBuf};

use crystalgym_conservative::ObjectiveModelError;
use crystalgym_environment::EnvironmentError;
use crystalgym_networks::NetworkError;

/// What can go wrong with an agent.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AgentError {
    /// The task or what was done in it.
    #[error(transparent)]
    Environment(#[from] EnvironmentError),
    /// The network.
    #[error(transparent)]
    Network(#[from] NetworkError),
    /// The model of a learned reward.
    #[error("learned reward: {0}")]
    Model(#[from] ObjectiveModelError),
    /// A setting that no agent can have.
    #[error("agent configuration: {field} is {found}, expected {expected}")]
    Config {
        /// The field.
        field: &'static str,
        /// Its value.
        found: String,
        /// What would be right.
        expected: String,
    },
    /// An observation from elsewhere that lacks what this agent has to know.
    #[error(
        "step {step} of an episode whose start site is not known: the agent looks ahead, and several \
         are possible"
    )]
    UnknownStart {
        /// Actions taken.
        step: usize,
    },
    /// The network's outputs or the loss are no numbers any more.
    #[error("training diverged at step {step}: {what} is {found}; try a smaller learning rate")]
    Diverged {
        /// Environment steps taken.
        step: u64,
        /// The quantity.
        what: &'static str,
        /// Its value.
        found: f64,
    },
    /// A file of a checkpoint could not be read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// A checkpoint that does not fit.
    #[error("checkpoint {}: {message}", path.display())]
    Checkpoint {
        /// The file or folder.
        path: PathBuf,
        /// What is wrong with it.
        message: String,
    },
}

impl AgentError {
    /// A logit of a policy that is no number.
    pub(crate) fn no_logit(step: u64) -> Self {
        Self::Diverged {
            step,
            what: "a logit of the policy",
            found: f64::NAN,
        }
    }
}
