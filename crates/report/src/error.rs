//! What can go wrong with a report.

use std::{io, path::PathBuf};

use crystalgym_benchmark::BenchmarkError;

/// What can go wrong with a report.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReportError {
    /// A file could not be read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// The benchmark could not be read.
    #[error(transparent)]
    Benchmark(Box<BenchmarkError>),
    /// Neither a benchmark nor a run.
    #[error(
        "{}: holds neither a benchmark (jobs/) nor a training run (config.toml)",
        .0.display()
    )]
    NoRuns(PathBuf),
    /// A file of somebody else where one of a report is to be.
    #[error(
        "{}: is none that a report wrote, and is not replaced; move it away, or remove the folder",
        path.display()
    )]
    Foreign {
        /// The file.
        path: PathBuf,
    },
    /// A line of a list of compositions.
    #[error("{}, line {line}: {message}, expected a formula such as RbCaH3", path.display())]
    Reference {
        /// The file.
        path: PathBuf,
        /// Number of the line.
        line: usize,
        /// What is wrong with it.
        message: String,
    },
    /// A figure could not be turned into pixels.
    #[error("figure {figure}: {message}")]
    Picture {
        /// Its name.
        figure: String,
        /// Why.
        message: String,
    },
    /// The queue of a server could not be looked at.
    #[error(transparent)]
    Queue(crystalgym_evaluation::StoreError),
    /// The address could not be listened on.
    #[error("{address}: {message}")]
    Listen {
        /// The address.
        address: String,
        /// Why.
        message: String,
    },
}

impl ReportError {
    pub(crate) fn io(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { path, source }
    }
}

impl From<BenchmarkError> for ReportError {
    fn from(error: BenchmarkError) -> Self {
        Self::Benchmark(Box::new(error))
    }
}
