//! What can go wrong with a training run.

use std::{io, path::PathBuf};

/// What can go wrong with a training run, outside of the calculations themselves.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TrainingError {
    /// A file of the run could not be read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// A configuration is not valid.
    #[error("{origin}: {message}")]
    Configuration {
        /// The file or option that it came from.
        origin: String,
        /// The field, its value and what would be right.
        message: String,
    },
    /// A folder is not what it should be.
    #[error("{}: {message}", path.display())]
    RunFolder {
        /// The folder.
        path: PathBuf,
        /// What is wrong with it.
        message: String,
    },
    /// The configuration in a folder names what the user has not given: programs, variables of
    /// theirs, places to write.
    #[error("{}: it names what you have not given: {}", path.display(), named.join("; "))]
    Untrusted {
        /// The configuration.
        path: PathBuf,
        /// Each thing with its key, control characters made visible.
        named: Vec<String>,
    },
    /// The task.
    #[error(transparent)]
    Environment(#[from] crystalgym_environment::EnvironmentError),
    /// The agent.
    #[error(transparent)]
    Agent(#[from] crystalgym_agents::AgentError),
    /// The calculator cannot be used as configured.
    #[error(transparent)]
    Calculator(#[from] crystalgym_evaluation::CalculatorError),
    /// The store of results.
    #[error(transparent)]
    Store(#[from] crystalgym_evaluation::StoreError),
}

impl TrainingError {
    /// Whether the user's settings are at fault, and not the machine.
    pub fn is_usage(&self) -> bool {
        match self {
            Self::Configuration { .. }
            | Self::Untrusted { .. }
            | Self::Environment(_)
            | Self::Calculator(_) => true,
            Self::Agent(error) => matches!(
                error,
                crystalgym_agents::AgentError::Environment(_)
                    | crystalgym_agents::AgentError::Config { .. }
            ),
            _ => false,
        }
    }

    pub(crate) fn io(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { path, source }
    }
}
