//! What can be wrong with a reference set or with a question to it.

use std::path::PathBuf;

use crystalgym_potential::PotentialError;

/// What can be wrong with a reference set or with a question to it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StabilityError {
    /// A file could not be read.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// A file that holds no references.
    #[error("{}: {message}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What was found and what would be right.
        message: String,
    },
    /// Elements without a reference, below which nothing can fall apart.
    #[error("the reference set has no {elements}, of which {formula} is made")]
    MissingElements {
        /// The elements.
        elements: String,
        /// The composition asked about.
        formula: String,
    },
    /// An energy that is none.
    #[error("{formula} has the energy {energy_ev_atom} eV/atom, expected a finite one")]
    Energy {
        /// The composition.
        formula: String,
        /// The energy.
        energy_ev_atom: f64,
    },
    /// A text without elements.
    #[error("'{formula}' has no elements, expected at least one")]
    NoElements {
        /// The text.
        formula: String,
    },
    /// A reference structure that the potential does not cover.
    #[error("the reference structure {formula}: {source}")]
    Potential {
        /// Formula of its cell.
        formula: String,
        /// The cause.
        source: PotentialError,
    },
    /// A search that did not end, which rounding may cause among nearly dependent compositions.
    #[error("the hull at {formula} was not found: its phases are too nearly dependent")]
    IllConditioned {
        /// The composition asked about.
        formula: String,
    },
}
