//! What can be wrong with a search.

use std::{io, path::PathBuf};

use crystalgym_crystal::CrystalError;

/// What can be wrong with a search.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SearchError {
    /// The structure, or the name of a site of it.
    #[error(transparent)]
    Crystal(#[from] CrystalError),
    /// What the sites are to hold.
    #[error("{field}: {message}")]
    Invalid {
        /// Which part: `sites`, `tie`, `target`, `algorithm`.
        field: &'static str,
        /// What was found and what would be right.
        message: String,
    },
    /// A file of the results could not be written or read.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
}

pub(crate) fn invalid(field: &'static str, message: impl Into<String>) -> SearchError {
    SearchError::Invalid {
        field,
        message: message.into(),
    }
}
