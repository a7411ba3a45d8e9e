//! What can be wrong with a pseudopotential family or its installation.

use std::path::PathBuf;

use crystalgym_crystal::Element;

use crate::file_names::MANIFEST_FILE_NAME;

/// What can be wrong with a pseudopotential family or its installation.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PseudopotentialError {
    /// A file or folder could not be read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// The family has no file for an element.
    #[error("no pseudopotential for {element} in {}: expected {expected}", folder.display())]
    Missing {
        /// The element.
        element: Element,
        /// Folder of the family.
        folder: PathBuf,
        /// File names that would be right.
        expected: String,
    },
    /// A file is not the one that the manifest means.
    #[error(
        "{} is not the pseudopotential of {element} that the manifest names: \
         its MD5 sum is {found}, expected {expected}",
        path.display()
    )]
    WrongChecksum {
        /// The element.
        element: Element,
        /// The file.
        path: PathBuf,
        /// MD5 sum of the file.
        found: String,
        /// MD5 sum in the manifest.
        expected: String,
    },
    /// A file is for another element than the manifest says.
    #[error("{} is a pseudopotential of {found}, expected {element}", path.display())]
    WrongElement {
        /// The element asked for.
        element: Element,
        /// The element in the file's header.
        found: Element,
        /// The file.
        path: PathBuf,
    },
    /// Two files serve one element and nothing says which is meant.
    #[error(
        "two pseudopotentials for {element}: {} and {}; remove one or name one in \
         {MANIFEST_FILE_NAME}",
        first.display(), second.display()
    )]
    Ambiguous {
        /// The element.
        element: Element,
        /// One file.
        first: PathBuf,
        /// The other.
        second: PathBuf,
    },
    /// A file has no readable UPF header.
    #[error("{}: not a UPF file: {message}", path.display())]
    NotUpf {
        /// The file.
        path: PathBuf,
        /// What was found and what would be right.
        message: String,
    },
    /// A manifest is malformed.
    #[error("{}: {message}", path.display())]
    Manifest {
        /// The manifest.
        path: PathBuf,
        /// What was found and what would be right.
        message: String,
    },
    /// A name that is neither a built-in family nor a folder.
    #[error("unknown pseudopotential family '{name}': expected {expected} or a folder")]
    UnknownFamily {
        /// The name.
        name: String,
        /// Names of the built-in families.
        expected: String,
    },
    /// A family is known by name, but not installed.
    #[error(
        "pseudopotential family {name} is not installed in {}: \
         run 'crystalgym pseudo install {name}'", folder.display()
    )]
    NotInstalled {
        /// Name of the family.
        name: String,
        /// Where it would lie.
        folder: PathBuf,
    },
    /// Neither `XDG_DATA_HOME` nor `HOME` says where user data belongs.
    #[error("no folder for user data: set XDG_DATA_HOME or HOME to an absolute path")]
    NoDataFolder,
    /// A family cannot be downloaded, because its manifest names no archive.
    #[error("the manifest of {name} names no archive: give a URL or a file")]
    NoArchive {
        /// Name of the family.
        name: String,
    },
    /// The archive could not be downloaded.
    #[error("download of {url}: {message}")]
    Download {
        /// Address of the archive.
        url: String,
        /// The cause.
        message: String,
    },
    /// The archive is damaged, unsafe, or not this family's.
    #[error("{archive}: {message}")]
    Archive {
        /// Address or path of the archive.
        archive: String,
        /// What was found and what would be right.
        message: String,
    },
    /// The folder to install into holds something else.
    #[error(
        "{} exists and is not this family ({reason}): remove it, or ask to replace it",
        folder.display()
    )]
    FolderInUse {
        /// The folder.
        folder: PathBuf,
        /// Why it is not the family.
        reason: String,
    },
}

impl PseudopotentialError {
    pub(crate) fn not_upf(path: &std::path::Path, error: &crate::upf::UpfError) -> Self {
        Self::NotUpf {
            path: path.to_owned(),
            message: error.to_string(),
        }
    }

    pub(crate) fn io(path: &std::path::Path) -> impl FnOnce(std::io::Error) -> Self {
        move |source| Self::Io {
            path: path.to_owned(),
            source,
        }
    }
}
