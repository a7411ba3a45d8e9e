//! What can go wrong with a table.

use std::{io, path::PathBuf};

use crystalgym_crystal::CrystalError;
use crystalgym_environment::EnvironmentError;
use crystalgym_evaluation::{CalculatorError, StoreError, TableFileError};

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
    /// The file of a table.
    #[error(transparent)]
    File(#[from] TableFileError),
    /// A table that lacks fillings.
    #[error(
        "{missing} of {fillings} fillings have no result yet: go on with `crystalgym table build`"
    )]
    Incomplete {
        /// Fillings without a result.
        missing: usize,
        /// Fillings of the table.
        fillings: usize,
    },
    /// A file that is no data card of ours would be replaced.
    #[error("{}: it is no data card of a table; choose another name for the table", path.display())]
    NotOurs {
        /// The file.
        path: PathBuf,
    },
    /// Another calculator than the one that made a table.
    #[error(
        "the calculator is not the one that made the table (another version of the program or of \
         the engine, or other pseudopotentials): the table says {table}, here it is {here}"
    )]
    Maker {
        /// The fingerprint in the table.
        table: String,
        /// That of the calculator here.
        here: String,
    },
    /// A task that a table cannot judge.
    #[error("the table cannot judge this task: {0}")]
    Task(String),
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
