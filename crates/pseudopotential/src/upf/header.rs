//! Headers of UPF files.

use std::path::Path;

use crystalgym_crystal::Element;

use super::{Lines, Section, UpfError, require, shorten, text_of};
use crate::PseudopotentialError;

/// Counts above these are a damaged header, not a pseudopotential.
const MESH_LIMIT: usize = 100_000;
const FUNCTION_LIMIT: usize = 100;
/// The same for numbers in all tables of pairs of projectors: 160 MB.
const PAIR_TABLE_LIMIT: usize = 20_000_000;

/// What the header of a UPF file says about the pseudopotential as a whole.
///
/// Both layouts are read: the free text of version 1 (one quantity a line, the label after it) and
/// the attributes of version 2. The tables that follow the header are not looked at.
#[derive(Debug, Clone, PartialEq)]
pub struct UpfHeader {
    /// Layout of the file.
    pub version: UpfVersion,
    /// The element.
    pub element: Element,
    /// Number of valence electrons.
    pub z_valence: f64,
    /// `NC`, `SL`, `1/r`, `US`, `USPP` or `PAW`.
    pub pseudo_type: String,
    /// Exchange–correlation functional as written in the file.
    pub functional: String,
    /// Whether there is a core charge for the nonlinear core correction.
    pub core_correction: bool,
    /// Whether it is the bare Coulomb potential.
    pub is_coulomb: bool,
    /// Whether projectors are split by total angular momentum (version 2; version 1 says so in its
    /// section `PP_ADDINFO`).
    pub has_spin_orbit: bool,
    /// Whether it was made with a functional of the kinetic-energy density.
    pub is_meta_gga: bool,
    /// Number of points of the radial mesh.
    pub mesh_size: usize,
    /// Number of atomic orbitals.
    pub orbital_count: usize,
    /// Number of projectors.
    pub projector_count: usize,
}

/// The two layouts of UPF headers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UpfVersion {
    /// Free text inside `<PP_HEADER>…</PP_HEADER>`.
    V1,
    /// XML attributes of `<PP_HEADER …/>`.
    V2,
}

impl UpfHeader {
    /// Reads the header from the content of a UPF file; `path` is for messages.
    ///
    /// # Errors
    /// [`PseudopotentialError::NotUpf`].
    pub fn parse(content: &[u8], path: &Path) -> Result<Self, PseudopotentialError> {
        Self::of_content(content).map_err(|error| PseudopotentialError::not_upf(path, &error))
    }

    pub(crate) fn of_content(content: &[u8]) -> Result<Self, UpfError> {
        let text = text_of(content)?;
        Self::of_section(&require(&text, "PP_HEADER")?)
    }

    /// Reads the section `PP_HEADER`.
    ///
    /// # Errors
    /// [`UpfError`] for the first field that is missing or not understood.
    pub fn of_section(section: &Section<'_>) -> Result<Self, UpfError> {
        let header = if section.attributes.is_empty() {
            of_lines(section)?
        } else {
            of_attributes(section)?
        };
        let Self {
            z_valence,
            mesh_size,
            projector_count: count,
            ..
        } = header;
        if !(z_valence > 0.0 && z_valence <= 118.0) {
            return Err(section.error(format!(
                "Z valence is {z_valence}, expected a number above 0, at most 118"
            )));
        }
        if mesh_size < 3 {
            return Err(section.error(format!("{mesh_size} mesh points, expected at least 3")));
        }
        if mesh_size * count * count > PAIR_TABLE_LIMIT {
            return Err(section.error(format!(
                "{count} projectors on {mesh_size} mesh points are more than any pseudopotential has"
            )));
        }
        Ok(header)
    }
}

/// Version 1 is positional.
fn of_lines(section: &Section<'_>) -> Result<UpfHeader, UpfError> {
    let mut lines = Lines::new(section);
    lines.words("Version Number")?;
    let element = element(section, lines.first("Element")?)?;
    let pseudo_type = pseudo_type(section, lines.first("pseudopotential type")?)?;
    let core_correction = lines.flag("Nonlinear Core Correction")?;
    // The label follows the name on the same line.
    let words = lines.words("Exchange-Correlation functional")?;
    let functional: Vec<&str> = words
        .into_iter()
        .take_while(|word| !word.starts_with("Exchange"))
        .collect();
    let z_valence = lines.numbers("Z valence", 1)?[0];
    lines.words("Total energy")?;
    lines.words("Suggested cutoff")?;
    lines.words("Max angular momentum")?;
    let mesh_size = lines.integers("Number of points in mesh", 1, MESH_LIMIT)?[0];
    let counts = lines.integers("Number of Wavefunctions", 2, FUNCTION_LIMIT)?;
    Ok(UpfHeader {
        version: UpfVersion::V1,
        element,
        z_valence,
        is_coulomb: pseudo_type == "1/r",
        pseudo_type,
        functional: functional.join(" "),
        core_correction,
        has_spin_orbit: false,
        is_meta_gga: false,
        mesh_size,
        orbital_count: counts[0],
        projector_count: counts[1],
    })
}

fn of_attributes(section: &Section<'_>) -> Result<UpfHeader, UpfError> {
    let pseudo_type = pseudo_type(section, section.required("pseudo_type")?)?;
    for flag in ["has_wfc", "has_gipaw", "paw_as_gipaw"] {
        section.optional_flag(flag)?;
    }
    // The programs that read a file go by the one or the other.
    for (flag, types) in [
        ("is_ultrasoft", &["US", "USPP"][..]),
        ("is_paw", &["PAW"][..]),
    ] {
        let expected = types.contains(&pseudo_type.as_str());
        let is_either = flag == "is_ultrasoft" && pseudo_type == "PAW";
        if !is_either
            && section
                .optional_flag(flag)?
                .is_some_and(|found| found != expected)
        {
            return Err(section.error(format!(
                "'{flag}' is '{}', which contradicts pseudo_type '{pseudo_type}'",
                shorten(section.required(flag)?)
            )));
        }
    }
    Ok(UpfHeader {
        version: UpfVersion::V2,
        element: element(section, section.required("element")?)?,
        z_valence: section.number("z_valence")?,
        functional: section.required("functional")?.to_owned(),
        core_correction: section.flag("core_correction")?,
        is_coulomb: section.flag("is_coulomb")? || pseudo_type == "1/r",
        has_spin_orbit: section.flag("has_so")?,
        is_meta_gga: section.flag("with_metagga_info")?,
        mesh_size: section.integer("mesh_size", MESH_LIMIT)?,
        orbital_count: section.integer("number_of_wfc", FUNCTION_LIMIT)?,
        projector_count: section.integer("number_of_proj", FUNCTION_LIMIT)?,
        pseudo_type,
    })
}

fn pseudo_type(section: &Section<'_>, found: &str) -> Result<String, UpfError> {
    match found {
        "NC" | "SL" | "1/r" | "US" | "USPP" | "PAW" => Ok(found.to_owned()),
        other => Err(section.error(format!(
            "pseudo_type is '{}', expected NC, SL, US, USPP, PAW or 1/r",
            shorten(other)
        ))),
    }
}

/// The symbol, in whichever case.
fn element(section: &Section<'_>, text: &str) -> Result<Element, UpfError> {
    let text = text.trim();
    let mut symbol = text.to_ascii_lowercase();
    if let Some(first) = symbol.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    symbol
        .parse()
        .map_err(|_| section.error(format!("'{}' is no chemical element", shorten(text))))
}
