//! UPF files, versions 1 and 2.
//!
//! Both are read by hand: version 1 is no XML at all, and many files of version 2 are not well
//! formed (free text with `<` and `&` in their comments).

mod check;
mod raw;
mod sections;
mod version_1;
mod version_2;

use std::path::Path;

use super::{
    error::{PseudoError, SectionError},
    types::Pseudopotential,
};

impl Pseudopotential {
    /// Reads a UPF file.
    ///
    /// Energies are converted from rydberg to hartree here and nowhere else.
    ///
    /// # Errors
    /// [`PseudoError::File`], [`PseudoError::Malformed`] (with the section and what would be right)
    /// and [`PseudoError::Unsupported`].
    pub fn from_upf_file(path: &Path) -> Result<Self, PseudoError> {
        let bytes = std::fs::read(path).map_err(|source| PseudoError::File {
            path: path.to_owned(),
            source,
        })?;
        Self::from_upf(&String::from_utf8_lossy(&bytes), path)
    }

    /// Reads the text of a UPF file; `path` is for messages.
    ///
    /// # Errors
    /// [`PseudoError::Malformed`] and [`PseudoError::Unsupported`].
    pub fn from_upf(text: &str, path: &Path) -> Result<Self, PseudoError> {
        read(text).map_err(|error| error.at(path))
    }
}

fn read(text: &str) -> Result<Pseudopotential, SectionError> {
    // The comment section may hold anything, an input file with tags of its own included.
    let text = text
        .split_once("</PP_INFO>")
        .map_or(text, |(_, after)| after);
    let header = sections::find(text, "PP_HEADER")?
        .ok_or_else(|| SectionError::new("PP_HEADER", "not found: is this a UPF file?"))?;
    let raw = if header.attributes.is_empty() {
        version_1::read(text, &header)?
    } else {
        if !text.contains("</UPF>") {
            return Err(SectionError::new(
                "UPF",
                "not closed by </UPF>: is the file cut off?",
            ));
        }
        version_2::read(text, &header)?
    };
    check::check(&raw)?;
    raw.into_pseudopotential()
}
