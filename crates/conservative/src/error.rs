//! What can be wrong with an objective model, its settings and its data.

use std::path::PathBuf;

use crystalgym_networks::NetworkError;

/// What can go wrong with an objective model.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ObjectiveModelError {
    /// The network.
    #[error(transparent)]
    Network(#[from] NetworkError),
    /// A setting that no model can have.
    #[error("objective model: {field} is {found}, expected {expected}")]
    Config {
        /// The field.
        field: &'static str,
        /// Its value.
        found: String,
        /// What would be right.
        expected: String,
    },
    /// A file that could not be read.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// A file of crystals and values with something wrong in it.
    #[error("{}{}: {message}", path.display(), line.map(|line| format!(", line {line}")).unwrap_or_default())]
    File {
        /// The file.
        path: PathBuf,
        /// The line, from 1, if it is about one.
        line: Option<u64>,
        /// What is wrong.
        message: String,
    },
    /// The loss is no number any more.
    #[error("the objective model diverged: {what} is {found}; try a smaller learning rate")]
    Diverged {
        /// The quantity.
        what: &'static str,
        /// Its value.
        found: f64,
    },
    /// A crystal that the model was not made for.
    #[error("objective model: {0}")]
    Crystal(String),
    /// A checkpoint that does not fit.
    #[error("objective model of a checkpoint: {0}")]
    Saved(String),
}
