//! Relaxed cells, each computed once and kept in a folder.

use std::{fs, path::Path};

use crystalgym_crystal::{Crystal, EnclosedFolder, Structure, StructureFormat};
use crystalgym_evaluation::{Failure, FailureCode, Property, StoreKey};

use crate::{
    SearchError,
    laboratory::{Laboratory, Placed, placed},
};

/// Where relaxed cells are kept, by the key that the store has for the cell at the start: crystal,
/// calculator and all its settings.
#[derive(Debug, Default)]
pub(crate) struct RelaxedCells {
    folder: Option<EnclosedFolder>,
}

/// Most bytes of a relaxed cell.
const MOST_BYTES: u64 = 16 << 20;

impl RelaxedCells {
    /// Cells in a folder, which is made if it is not there; without one nothing is kept.
    ///
    /// # Errors
    /// [`SearchError::Io`].
    pub(crate) fn keeping(folder: Option<&Path>) -> Result<Self, SearchError> {
        if let Some(folder) = folder {
            fs::create_dir_all(folder).map_err(|source| SearchError::Io {
                path: folder.to_owned(),
                source,
            })?;
        }
        Ok(Self {
            folder: folder.map(EnclosedFolder::at),
        })
    }

    /// The relaxed crystal: read, or computed by the calculator and written down.
    ///
    /// # Errors
    /// The failure of the relaxation.
    pub(crate) fn get(&self, laboratory: &Laboratory<'_>, crystal: &Crystal) -> Placed {
        let key = StoreKey::new(crystal, Property::Density, laboratory.calculator);
        let name = format!("{}.json", key.hash());
        let label = &crystal.skeleton().label;
        // A file that was damaged is computed again.
        let known = (self.folder.as_ref())
            .and_then(|folder| folder.read_text(&name, MOST_BYTES).ok())
            .and_then(|text| Structure::from_text(&text, StructureFormat::Json).ok());
        let structure = match known.filter(|known| known.elements == crystal.elements()) {
            Some(known) => known,
            None => {
                let relaxed = laboratory.calculator.relax(crystal, laboratory.cancel)?;
                if let Some(folder) = &self.folder {
                    // A full disk costs the sharing, not the result.
                    let text = relaxed.to_text(StructureFormat::Json);
                    let _ = folder.write(&name, text.as_bytes());
                }
                relaxed
            }
        };
        placed(label, structure)
            .map_err(|error| Failure::new(FailureCode::BadGeometry, error.to_string()))
    }
}
