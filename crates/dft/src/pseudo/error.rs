//! What can be wrong with a pseudopotential.

use std::path::{Path, PathBuf};

use crystalgym_crystal::Element;
use crystalgym_pseudopotential::upf::UpfError;

/// Why a pseudopotential could not be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PseudoError {
    /// The file could not be read or written.
    #[error("{path}: {source}")]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The content is not what the UPF format prescribes.
    #[error("{path}: section <{section}>: {message}")]
    Malformed {
        /// The file.
        path: PathBuf,
        /// The UPF section, such as `PP_LOCAL`.
        section: String,
        /// What was found and what would be right.
        message: String,
    },
    /// The file is well formed but asks for physics that is not implemented.
    #[error("{path}: {feature}")]
    Unsupported {
        /// The file.
        path: PathBuf,
        /// What is asked for, and what is possible.
        feature: String,
    },
    /// The built-in analytic table has no entry.
    #[error("no built-in GTH pseudopotential for {element}; the table has {known}")]
    NoGth {
        /// The element.
        element: Element,
        /// The elements that the table has.
        known: String,
    },
    /// No functional of this name.
    #[error("functional '{0}' is not known; known are PZ, PW, PBE and PBESOL")]
    UnknownFunctional(String),
}

impl PseudoError {
    /// A fault inside one section of the file at `path`.
    pub(super) fn in_section(error: UpfError, path: &Path) -> Self {
        let path = path.to_owned();
        if error.is_unsupported {
            Self::Unsupported {
                path,
                feature: error.message,
            }
        } else {
            Self::Malformed {
                path,
                section: error.section,
                message: error.message,
            }
        }
    }
}
