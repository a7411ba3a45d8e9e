//! What can be wrong with a network.

use std::path::PathBuf;

use crystalgym_potential::PotentialError;

/// What can be wrong with a network's configuration, its inputs or its files.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NetworkError {
    /// A configuration value that no network can have.
    #[error("network configuration: {field} is {found}, expected {expected}")]
    Config {
        /// The field.
        field: &'static str,
        /// Its value.
        found: String,
        /// What would be right.
        expected: String,
    },
    /// A pretrained model that is not there or does not cover a crystal.
    #[error("network: {0}")]
    Pretrained(#[from] PotentialError),
    /// A state that the network cannot read.
    #[error("state {state} of the batch: {field} is {found}, expected {expected}")]
    State {
        /// Index in the batch.
        state: usize,
        /// The field.
        field: &'static str,
        /// Its value.
        found: String,
        /// What would be right.
        expected: String,
    },
    /// A buffer of the wrong length.
    #[error("{what} has {found} numbers, expected {expected}")]
    Length {
        /// The buffer.
        what: &'static str,
        /// Numbers found.
        found: usize,
        /// Numbers expected.
        expected: usize,
    },
    /// A workspace of another kind of network.
    #[error("the workspace belongs to another kind of network")]
    Workspace,
    /// The threads could not be started.
    #[error("cannot start {threads} threads: {message}")]
    Threads {
        /// Threads asked for.
        threads: usize,
        /// The cause.
        message: String,
    },
    /// A file could not be read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// A checkpoint that does not fit.
    #[error("checkpoint: {0}")]
    Checkpoint(String),
}
