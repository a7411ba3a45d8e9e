//! Checks a family, element by element.

use std::path::{Path, PathBuf};

use crystalgym_crystal::Element;

use crate::{
    Manifest, Pseudopotential, PseudopotentialError, PseudopotentialFamily, family::upf_files,
};

/// What a check of a folder found, element by element.
#[derive(Debug)]
pub struct FamilyReport {
    /// Name of the family.
    pub name: String,
    /// The folder.
    pub folder: PathBuf,
    /// One row an element, by atomic number.
    pub elements: Vec<CheckedElement>,
    /// UPF files that serve no element.
    pub unused_files: Vec<PathBuf>,
}

/// One element of a check.
#[derive(Debug)]
pub struct CheckedElement {
    /// The element.
    pub element: Element,
    /// Its pseudopotential, or what is wrong with it.
    pub result: Result<Pseudopotential, PseudopotentialError>,
}

impl FamilyReport {
    /// Whether every element has its right file.
    pub fn is_complete(&self) -> bool {
        !self.elements.is_empty() && self.elements.iter().all(|row| row.result.is_ok())
    }

    /// The elements whose file is wrong or missing.
    pub fn problems(&self) -> impl Iterator<Item = (Element, &PseudopotentialError)> {
        self.elements
            .iter()
            .filter_map(|row| Some((row.element, row.result.as_ref().err()?)))
    }
}

impl PseudopotentialFamily {
    /// Verifies every file of the family.
    ///
    /// # Errors
    /// If the folder cannot be listed; wrong files are part of the report.
    pub fn check(&self) -> Result<FamilyReport, PseudopotentialError> {
        let elements: Vec<_> = self
            .elements()
            .into_iter()
            .map(|element| CheckedElement {
                element,
                result: self.pseudopotential(element),
            })
            .collect();
        let mut unused_files = upf_files(self.folder())?;
        unused_files.retain(|file| {
            !elements.iter().any(|row| match &row.result {
                Ok(pseudopotential) => pseudopotential.path == *file,
                Err(PseudopotentialError::Ambiguous { first, second, .. }) => {
                    first == file || second == file
                }
                Err(
                    PseudopotentialError::WrongChecksum { path, .. }
                    | PseudopotentialError::WrongElement { path, .. }
                    | PseudopotentialError::NotUpf { path, .. },
                ) => path == file,
                Err(_) => false,
            })
        });
        Ok(FamilyReport {
            name: self.name().to_owned(),
            folder: self.folder().to_owned(),
            elements,
            unused_files,
        })
    }
}

impl Manifest {
    /// Verifies that `folder` holds the files of this manifest.
    ///
    /// # Errors
    /// If the folder cannot be listed; wrong files are part of the report.
    pub fn check(&self, folder: &Path) -> Result<FamilyReport, PseudopotentialError> {
        PseudopotentialFamily::with_manifest(self.clone(), folder).check()
    }
}
