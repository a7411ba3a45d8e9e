use std::{io, path::PathBuf};

/// What can go wrong with a benchmark, outside of its jobs.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BenchmarkError {
    /// A file could not be read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// A folder is not what it should be.
    #[error("{}: {message}", path.display())]
    Folder {
        /// The folder or file.
        path: PathBuf,
        /// What is wrong with it, and what would be right.
        message: String,
    },
    /// A selection holds nothing, or something unknown.
    #[error("{option} {value}: expected {expected}")]
    Selection {
        /// The option.
        option: &'static str,
        /// What it was given.
        value: String,
        /// What would be right.
        expected: String,
    },
    /// The settings of a job, or its run.
    #[error(transparent)]
    Training(#[from] crystalgym_training::TrainingError),
}

impl BenchmarkError {
    pub(crate) fn io(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { path, source }
    }

    pub(crate) fn folder(path: impl Into<PathBuf>, message: impl ToString) -> Self {
        Self::Folder {
            path: path.into(),
            message: message.to_string(),
        }
    }
}
