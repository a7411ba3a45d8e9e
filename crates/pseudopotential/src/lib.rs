//! Pseudopotential families: manifests, checksums, installation.
//!
//! A [`PseudopotentialFamily`] is a folder of UPF files and a [`Manifest`] that says which file
//! belongs to which element, with its MD5 sum and its recommended cutoffs. The manifest lies in
//! the folder (`family.toml`) or is built in ([`Manifest::built_in`]); a folder without one is
//! understood through the headers of its files.
//!
//! Cutoffs are in Ry, as everywhere around UPF files.

mod check;
mod checksum;
mod error;
mod family;
mod file_names;
mod install;
mod location;
mod manifest;
pub mod upf;

pub use check::{CheckedElement, FamilyReport};
pub use error::PseudopotentialError;
pub use family::{Pseudopotential, PseudopotentialFamily};
pub use install::{ArchiveLimits, ArchiveSource, InstallReport, Installation};
pub use location::default_folder;
pub use manifest::{Cutoffs, Manifest, ManifestEntry};
pub use upf::{UpfHeader, UpfVersion};
