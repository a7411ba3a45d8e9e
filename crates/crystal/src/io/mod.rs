//! Structure files: CIF, POSCAR, extxyz and JSON.
//!
//! Writers give every number the shortest text that reads back to the same bits. Readers hand what
//! they find to [`Structure::new`], which judges it.

mod atomic_write;
mod cif;
mod data_folder;
mod decode;
mod enclosed_folder;
mod extxyz;
mod fields;
mod frames;
mod json;
mod poscar;
mod read;

use std::{path::Path, str::FromStr};

pub use atomic_write::{AtomicFile, is_unfinished_write, write_atomically};
pub use data_folder::data_folder;
pub use enclosed_folder::{EnclosedFolder, EntryKind};
use frames::split_index;
pub use read::{open_regular, read_bytes, read_text};

use crate::{CrystalError, Structure};

/// A format of structure files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StructureFormat {
    /// Crystallographic Information File, P1 or with symmetry operations.
    Cif,
    /// VASP 5 POSCAR or CONTCAR, several of them, or an XDATCAR.
    Poscar,
    /// Extended XYZ with `Lattice=`.
    ExtXyz,
    /// This crate's own JSON, or pymatgen's dictionary of a `Structure`.
    Json,
}

impl StructureFormat {
    /// The format that a file's name stands for, without the `@3` that picks a frame.
    ///
    /// # Errors
    /// [`CrystalError::UnknownFormat`].
    pub fn from_path(path: &Path) -> Result<Self, CrystalError> {
        let name = path
            .file_name()
            .map(|name| name.to_string_lossy().to_lowercase());
        let name = name.unwrap_or_default();
        let name = split_index(&name).map_or(name.as_str(), |(name, _)| name);
        let extension = name.rsplit_once('.').map_or("", |(_, extension)| extension);
        match extension {
            "cif" => Ok(Self::Cif),
            "vasp" | "poscar" => Ok(Self::Poscar),
            "xyz" | "extxyz" => Ok(Self::ExtXyz),
            "json" => Ok(Self::Json),
            _ if ["poscar", "contcar", "xdatcar"]
                .iter()
                .any(|start| name.starts_with(start)) =>
            {
                Ok(Self::Poscar)
            }
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
    /// `file.xyz@3` is structure 3, counted from 0, of a file that holds several, unless a file of
    /// that whole name exists.
    ///
    /// # Errors
    /// [`CrystalError`] with the file and, for malformed text, the line;
    /// [`CrystalError::SeveralStructures`] if the file holds more than one and none is picked.
    pub fn from_file(path: &Path) -> Result<Self, CrystalError> {
        Self::from_file_as(path, StructureFormat::from_path(path)?)
    }

    /// Reads a file in a given format.
    ///
    /// # Errors
    /// As [`Self::from_file`].
    pub fn from_file_as(path: &Path, format: StructureFormat) -> Result<Self, CrystalError> {
        let text = path.to_string_lossy();
        if let Some((name, index)) = split_index(&text)
            && !path.exists()
        {
            return Self::from_file_at(Path::new(name), format, index);
        }
        read_file(path, format, None)
    }

    /// Reads the structure number `index`, counted from 0, of a file.
    ///
    /// # Errors
    /// As [`Self::from_file`]; [`CrystalError::NoSuchStructure`] if the file holds fewer.
    pub fn from_file_at(
        path: &Path,
        format: StructureFormat,
        index: usize,
    ) -> Result<Self, CrystalError> {
        read_file(path, format, Some(index))
    }

    /// Reads the one structure in a text.
    ///
    /// # Errors
    /// [`CrystalError::Parse`] with the line, what is wrong with the lattice or the sites, or
    /// [`CrystalError::SeveralStructures`].
    pub fn from_text(text: &str, format: StructureFormat) -> Result<Self, CrystalError> {
        parse(text, format, None)
    }

    /// Reads the structure number `index`, counted from 0, of a text that may hold several: frames
    /// of extxyz, data blocks of CIF, a JSON list, POSCARs one after the other.
    ///
    /// # Errors
    /// As [`Self::from_text`]; [`CrystalError::NoSuchStructure`] if the text holds fewer.
    pub fn from_text_at(
        text: &str,
        format: StructureFormat,
        index: usize,
    ) -> Result<Self, CrystalError> {
        parse(text, format, Some(index))
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

fn read_file(
    path: &Path,
    format: StructureFormat,
    index: Option<usize>,
) -> Result<Structure, CrystalError> {
    let bytes = read_bytes(path).map_err(|source| CrystalError::Io {
        path: path.to_owned(),
        source,
    })?;
    parse(&decode::decode(&bytes), format, index).map_err(|error| CrystalError::InFile {
        path: path.to_owned(),
        error: Box::new(error),
    })
}

fn parse(
    text: &str,
    format: StructureFormat,
    index: Option<usize>,
) -> Result<Structure, CrystalError> {
    let found = match format {
        StructureFormat::Cif => cif::read(text, index),
        StructureFormat::Poscar => poscar::read(text, index),
        StructureFormat::ExtXyz => extxyz::read(text, index),
        StructureFormat::Json => json::read(text, index),
    }?;
    Structure::new(found.lattice, found.elements, found.frac_coords)
}

#[cfg(test)]
mod tests;
