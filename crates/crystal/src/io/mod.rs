//! Structure files: CIF, POSCAR, extxyz and JSON.
//!
//! Writers give every number the shortest text that reads back to the same bits.

mod atomic_write;
mod cif;
mod enclosed_folder;
mod extxyz;
mod json;
mod poscar;

use std::{fs, path::Path, str::FromStr};

pub use atomic_write::write_atomically;
pub use enclosed_folder::{EnclosedFolder, EntryKind};

use crate::{CrystalError, Structure};

/// A format of structure files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StructureFormat {
    /// Crystallographic Information File, P1 or with symmetry operations.
    Cif,
    /// VASP 5 POSCAR or CONTCAR.
    Poscar,
    /// Extended XYZ with `Lattice=`; only the first frame is read.
    ExtXyz,
    /// This crate's own JSON, or pymatgen's dictionary of a `Structure`.
    Json,
}

impl StructureFormat {
    /// The format that a file's name stands for.
    ///
    /// # Errors
    /// [`CrystalError::UnknownFormat`].
    pub fn from_path(path: &Path) -> Result<Self, CrystalError> {
        let name = path
            .file_name()
            .map(|name| name.to_string_lossy().to_lowercase());
        let name = name.unwrap_or_default();
        let extension = name.rsplit_once('.').map_or("", |(_, extension)| extension);
        match extension {
            "cif" => Ok(Self::Cif),
            "vasp" | "poscar" => Ok(Self::Poscar),
            "xyz" | "extxyz" => Ok(Self::ExtXyz),
            "json" => Ok(Self::Json),
            _ if name.starts_with("poscar") || name.starts_with("contcar") => Ok(Self::Poscar),
            _ => Err(CrystalError::UnknownFormat(path.display().to_string())),
        }
    }
}

impl FromStr for StructureFormat {
    type Err = CrystalError;

    fn from_str(name: &str) -> Result<Self, CrystalError> {
        match name {
            "cif" => Ok(Self::Cif),
            "poscar" => Ok(Self::Poscar),
            "extxyz" => Ok(Self::ExtXyz),
            "json" => Ok(Self::Json),
            _ => Err(CrystalError::UnknownFormat(name.to_owned())),
        }
    }
}

impl Structure {
    /// Reads a file whose name tells its format.
    ///
    /// # Errors
    /// [`CrystalError`] with the file and, for malformed text, the line.
    pub fn from_file(path: &Path) -> Result<Self, CrystalError> {
        Self::from_file_as(path, StructureFormat::from_path(path)?)
    }

    /// Reads a file in a given format.
    ///
    /// # Errors
    /// As [`Self::from_file`].
    pub fn from_file_as(path: &Path, format: StructureFormat) -> Result<Self, CrystalError> {
        let text = fs::read_to_string(path).map_err(|source| CrystalError::Io {
            path: path.to_owned(),
            source,
        })?;
        Self::from_text(&text, format).map_err(|error| CrystalError::InFile {
            path: path.to_owned(),
            error: Box::new(error),
        })
    }

    /// Reads a structure from text.
    ///
    /// # Errors
    /// [`CrystalError::Parse`] with the line, or what is wrong with the lattice or the sites.
    pub fn from_text(text: &str, format: StructureFormat) -> Result<Self, CrystalError> {
        match format {
            StructureFormat::Cif => cif::read(text),
            StructureFormat::Poscar => poscar::read(text),
            StructureFormat::ExtXyz => extxyz::read(text),
            StructureFormat::Json => json::read(text),
        }
    }

    /// The structure as text.
    pub fn to_text(&self, format: StructureFormat) -> String {
        match format {
            StructureFormat::Cif => cif::write(self),
            StructureFormat::Poscar => poscar::write(self),
            StructureFormat::ExtXyz => extxyz::write(self, &[]),
            StructureFormat::Json => json::write(self),
        }
    }

    /// An extxyz frame with further `key=value` pairs in its comment line; values with blanks or
    /// quotes are quoted.
    pub fn to_extxyz_with(&self, info: &[(&str, String)]) -> String {
        extxyz::write(self, info)
    }

    /// Writes a file whose name tells its format; an existing one is replaced in one step.
    ///
    /// # Errors
    /// [`CrystalError::UnknownFormat`] or [`CrystalError::Io`].
    pub fn to_file(&self, path: &Path) -> Result<(), CrystalError> {
        self.to_file_as(path, StructureFormat::from_path(path)?)
    }

    /// Writes a file in a given format; an existing one is replaced in one step.
    ///
    /// # Errors
    /// [`CrystalError::Io`].
    pub fn to_file_as(&self, path: &Path, format: StructureFormat) -> Result<(), CrystalError> {
        write_atomically(path, self.to_text(format).as_bytes()).map_err(|source| CrystalError::Io {
            path: path.to_owned(),
            source,
        })
    }
}

/// A parse error of `format` at a line counted from 1.
fn parse_error(format: &'static str, line: usize, message: impl Into<String>) -> CrystalError {
    CrystalError::Parse {
        format,
        line,
        message: message.into(),
    }
}

/// A finite number; `what` names it in the error.
fn number(format: &'static str, line: usize, what: &str, text: &str) -> Result<f64, CrystalError> {
    text.parse::<f64>()
        .ok()
        .filter(|x| x.is_finite())
        .ok_or_else(|| {
            parse_error(
                format,
                line,
                format!("{what} is '{text}', expected a finite number"),
            )
        })
}

/// The first three of `fields` as numbers.
fn three_numbers(
    format: &'static str,
    line: usize,
    what: &str,
    fields: &[&str],
) -> Result<[f64; 3], CrystalError> {
    let &[x, y, z, ..] = fields else {
        let message = format!("{what} has {} numbers, expected three", fields.len());
        return Err(parse_error(format, line, message));
    };
    Ok([
        number(format, line, what, x)?,
        number(format, line, what, y)?,
        number(format, line, what, z)?,
    ])
}

/// The element named by `text`, of which a charge or a label's number may follow (`Na1+`, `O2`).
fn element_of(
    format: &'static str,
    line: usize,
    text: &str,
) -> Result<crate::Element, CrystalError> {
    let letters: String = text.chars().take_while(char::is_ascii_alphabetic).collect();
    letters.parse().map_err(|_| {
        parse_error(
            format,
            line,
            format!("'{text}' names no element: expected H, He, … Og"),
        )
    })
}

#[cfg(test)]
mod tests;
