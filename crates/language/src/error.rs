//! What can be wrong with a model, its files and its data.

use std::{io, path::PathBuf};

/// What can be wrong with a model, its files and its data.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LanguageError {
    /// A file could not be read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// A file that does not hold what it should.
    #[error("{}: {message}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        message: String,
    },
    /// A setting that cannot be.
    #[error("{field} is {found}, expected {expected}")]
    Setting {
        /// The field.
        field: &'static str,
        /// Its value.
        found: String,
        /// What would be right.
        expected: String,
    },
    /// The tokenizer cannot write what is needed.
    #[error("tokenizer: {0}")]
    Tokenizer(String),
    /// More memory than there is, or than was allowed.
    #[error(
        "{what} needs {needed_gib:.1} GiB of memory, {available_gib:.1} GiB are available: {advice}"
    )]
    Memory {
        /// What was to be done.
        what: &'static str,
        /// Estimate in GiB.
        needed_gib: f64,
        /// What is available, in GiB.
        available_gib: f64,
        /// What would need less.
        advice: &'static str,
    },
    /// A loss or an output that is no number.
    #[error("{what} is {found} at step {step}; try a smaller learning rate")]
    Diverged {
        /// The quantity.
        what: &'static str,
        /// Its value.
        found: f64,
        /// Optimiser steps made.
        step: u64,
    },
    /// Tokens that the model cannot take.
    #[error("{0}")]
    Tokens(String),
    /// What a device that computes in place of the processor says.
    #[error(transparent)]
    Device(Box<dyn std::error::Error + Send + Sync>),
}

impl LanguageError {
    /// A file that does not hold what it should.
    pub(crate) fn file(path: &std::path::Path, message: impl ToString) -> Self {
        Self::File {
            path: path.to_owned(),
            message: message.to_string(),
        }
    }

    /// A file that could not be read or written.
    pub(crate) fn io(path: &std::path::Path, source: io::Error) -> Self {
        Self::Io {
            path: path.to_owned(),
            source,
        }
    }
}
