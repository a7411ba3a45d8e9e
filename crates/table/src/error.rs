//! What can go wrong with a table.

use std::{io, path::PathBuf};

use crystalgym_crystal::CrystalError;
use crystalgym_environment::EnvironmentError;
use crystalgym_evaluation::{CalculatorError, StoreError};

/// What can go wrong with a table.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TableError {
    /// A file could not be read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// A recipe that cannot be read, or is another one than was asked for.
    #[error("{}: {message}", path.display())]
    Recipe {
        /// Its file.
        path: PathBuf,
        /// What is wrong.
        message: String,
    },
    /// A skeleton or its fillings.
    #[error(transparent)]
    Crystal(#[from] CrystalError),
    /// A skeleton or an action set by its name.
    #[error(transparent)]
    Environment(#[from] EnvironmentError),
    /// The calculator cannot work as configured.
    #[error(transparent)]
    Calculator(#[from] CalculatorError),
    /// The store of results.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl TableError {
    pub(crate) fn io(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { path, source }
    }
}
