use std::{io, path::PathBuf};

use crystalgym_columns::ColumnsError;

/// What can be wrong with the file of a table.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TableFileError {
    /// It could not be read.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// It is no parquet file, or could not be written as one.
    #[error("table {name}: {source}")]
    Columns {
        /// Its name or path.
        name: String,
        /// The cause.
        source: ColumnsError,
    },
    /// Settings that name no table.
    #[error(
        "table.file is missing: expected the file of a table, or the name of one that comes with the program"
    )]
    Unnamed,
    /// It is none of ours, or was changed.
    #[error("table {name}: {message}")]
    Content {
        /// Its name or path.
        name: String,
        /// What is wrong.
        message: String,
    },
}
