//! UPF files, versions 1 and 2.

mod check;
mod physics;
mod raw;
mod spin_orbit;
mod version_1;
mod version_2;

use std::path::Path;

use crystalgym_pseudopotential::upf::{
    UpfError, UpfHeader, UpfVersion, find, read_file, require, text_of,
};
use physics::Physics;

use super::{error::PseudoError, types::Pseudopotential};

impl Pseudopotential {
    /// Reads a UPF file.
    ///
    /// Energies are converted from rydberg to hartree here and nowhere else. The projectors of a
    /// fully relativistic file are averaged over the total angular momentum, as `pw.x` does without
    /// spin–orbit coupling.
    ///
    /// # Errors
    /// [`PseudoError::File`], [`PseudoError::Malformed`] (with the section and what would be right)
    /// and [`PseudoError::Unsupported`].
    pub fn from_upf_file(path: &Path) -> Result<Self, PseudoError> {
        let bytes = read_file(path).map_err(|source| PseudoError::File {
            path: path.to_owned(),
            source,
        })?;
        read(&bytes).map_err(|error| PseudoError::in_section(error, path))
    }

    /// Reads the text of a UPF file; `path` is for messages.
    ///
    /// # Errors
    /// [`PseudoError::Malformed`] and [`PseudoError::Unsupported`].
    pub fn from_upf(text: &str, path: &Path) -> Result<Self, PseudoError> {
        read(text.as_bytes()).map_err(|error| PseudoError::in_section(error, path))
    }
}

fn read(content: &[u8]) -> Result<Pseudopotential, UpfError> {
    let text = &*text_of(content)?;
    let section = require(text, "PP_HEADER")?;
    let header = UpfHeader::of_section(&section)?;
    let physics = Physics::of(&header, &section)?;
    if header.projector_count == 0 && find(text, "PP_SEMILOCAL")?.is_some() {
        return Err(UpfError::unsupported(
            "PP_SEMILOCAL",
            "only the semilocal form is in the file, expected projectors",
        ));
    }
    let mut raw = match header.version {
        UpfVersion::V1 => version_1::read(text, &header, physics)?,
        UpfVersion::V2 => {
            if !text.contains("</UPF>") {
                return Err(UpfError::new(
                    "UPF",
                    "not closed by </UPF>: is the file cut off?",
                ));
            }
            version_2::read(text, &header, physics)?
        }
    };
    let spin_orbit = match header.version {
        UpfVersion::V1 => spin_orbit::of_version_1(text, &raw)?,
        UpfVersion::V2 if header.has_spin_orbit => Some(spin_orbit::of_version_2(text, &raw)?),
        UpfVersion::V2 => None,
    };
    check::check(&raw)?;
    if let Some(momenta) = spin_orbit {
        spin_orbit::average(&mut raw, &momenta)?;
    }
    Ok(raw.into_pseudopotential())
}
