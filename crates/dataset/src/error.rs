use std::{io, path::PathBuf};

use crystalgym_columns::ColumnsError;

/// What can go wrong with a data set.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DatasetError {
    /// A file could not be written.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// A table could not be written.
    #[error(transparent)]
    Columns(#[from] ColumnsError),
    /// A result of the store has no structure that can be read.
    #[error("result {key} of the store: {message}")]
    Result {
        /// Its key.
        key: String,
        /// What is wrong with it.
        message: String,
    },
    /// A file that is no part of a data set of ours would be replaced.
    #[error("{}: it is not of a data set made by this program; choose another folder", path.display())]
    NotOurs {
        /// The file.
        path: PathBuf,
    },
    /// There is nothing to write.
    #[error("the store holds no result of this kind: expected at least one")]
    Empty,
}

impl DatasetError {
    pub(crate) fn io(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { path, source }
    }
}
