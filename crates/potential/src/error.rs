//! What can be wrong with a structure, with weights, or with their installation.

use std::path::{Path, PathBuf};

use crystalgym_crystal::{CrystalError, Element};

/// What can be wrong with a structure, with weights, or with their installation.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PotentialError {
    /// An element that the potential was not trained on.
    #[error("{potential} does not know {element} (site {site}): expected Z = 1 to {largest}")]
    UnknownElement {
        /// The potential.
        potential: String,
        /// The element.
        element: Element,
        /// Index of the site.
        site: usize,
        /// Largest atomic number that it knows.
        largest: u8,
    },
    /// An atom without neighbours, of which a graph network can say nothing.
    #[error(
        "site {site} ({element}) has no neighbour within {cutoff_ang} Å: \
         {potential} says nothing of isolated atoms"
    )]
    IsolatedAtom {
        /// The potential.
        potential: String,
        /// The element.
        element: Element,
        /// Index of the site.
        site: usize,
        /// Cutoff of the graph in Å.
        cutoff_ang: f64,
    },
    /// A structure whose graph would not fit in memory.
    #[error("the graph has more than {limit} {what}: expected a smaller or less dense structure")]
    TooLarge {
        /// What there are too many of.
        what: &'static str,
        /// The limit.
        limit: usize,
    },
    /// A potential that is computed elsewhere, and has failed there.
    #[error("{potential}: {message}")]
    Failed {
        /// The potential.
        potential: String,
        /// What it said.
        message: String,
    },
    /// The caller wanted to end.
    #[error("cancelled")]
    Cancelled,
    /// A file or folder could not be read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// Weights that are damaged or not those of the network.
    #[error("{source_name}: {message}")]
    Weights {
        /// Path or name of the weights.
        source_name: String,
        /// What was found and what would be right.
        message: String,
    },
    /// A model that is known by name, but not installed.
    #[error("the model {name} is not installed in {}: run 'crystalgym model install {name}'", folder.display())]
    NotInstalled {
        /// Name of the model.
        name: String,
        /// Where it would lie.
        folder: PathBuf,
    },
    /// A name that no model has.
    #[error("unknown model '{name}': expected {expected}")]
    UnknownModel {
        /// The name.
        name: String,
        /// The names that there are.
        expected: String,
    },
    /// A cell or positions that no structure can have.
    #[error(transparent)]
    Crystal(#[from] CrystalError),
    /// Neither `XDG_DATA_HOME` nor `HOME` says where user data belongs.
    #[error("no folder for user data: set XDG_DATA_HOME or HOME to an absolute path")]
    NoDataFolder,
}

impl PotentialError {
    pub(crate) fn io(path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        move |source| Self::Io {
            path: path.to_owned(),
            source,
        }
    }

    pub(crate) fn weights(source_name: impl Into<String>, message: impl Into<String>) -> Self {
        Self::Weights {
            source_name: source_name.into(),
            message: message.into(),
        }
    }
}
