use std::{fs, path::Path};

use crystalgym_crystal::{Crystal, StructureFormat, formula};
use serde::{Deserialize, Serialize};

use crate::{TrainingError, checkpoints::remove_folder};

/// A crystal among the best of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BestCrystal {
    /// Label of the skeleton.
    pub skeleton: String,
    /// Elements in site order, canonical under the skeleton's symmetry.
    pub elements: Vec<crystalgym_crystal::Element>,
    /// Return of its episode.
    pub episodic_return: f64,
    /// Value of the property, in its unit.
    pub value: f64,
    /// Number of the first episode that found it.
    pub episode: u64,
    /// The crystal as CIF, in the skeleton's exact geometry.
    pub cif: String,
}

/// The best distinct crystals of a run, best first; ties go to the earlier episode.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct BestCrystals {
    capacity: usize,
    crystals: Vec<BestCrystal>,
}

impl BestCrystals {
    /// An empty list for at most `capacity` crystals.
    pub fn keeping(capacity: usize) -> Self {
        Self {
            capacity,
            crystals: Vec::new(),
        }
    }

    /// Takes a crystal into the list if it belongs there; returns whether it is the new best.
    pub fn offer(
        &mut self,
        crystal: &Crystal,
        value: f64,
        episodic_return: f64,
        episode: u64,
    ) -> bool {
        let place = self
            .crystals
            .partition_point(|best| best.episodic_return >= episodic_return);
        if place >= self.capacity {
            return false;
        }
        let canonical = crystal.canonical();
        let skeleton = &canonical.skeleton().label;
        let same = |best: &BestCrystal| {
            best.skeleton == *skeleton && best.elements == canonical.elements()
        };
        // Equal crystals have equal returns up to the target; the better entry stays.
        match self.crystals.iter().position(same) {
            Some(known) if known < place => return false,
            Some(known) => {
                self.crystals.remove(known);
            }
            None => {}
        }
        self.crystals.insert(
            place,
            BestCrystal {
                skeleton: skeleton.clone(),
                elements: canonical.elements().to_vec(),
                episodic_return,
                value,
                episode,
                cif: canonical.structure().to_text(StructureFormat::Cif),
            },
        );
        self.crystals.truncate(self.capacity);
        place == 0
    }

    /// The crystals, best first.
    pub fn as_slice(&self) -> &[BestCrystal] {
        &self.crystals
    }

    /// Replaces the folder `path` by one CIF a crystal, `01_C2_CaH3Rb.cif` being the best.
    ///
    /// # Errors
    /// [`TrainingError::Io`].
    pub fn write_folder(&self, path: &Path) -> Result<(), TrainingError> {
        let staging = path.with_extension("tmp");
        remove_folder(&staging)?;
        fs::create_dir_all(&staging).map_err(TrainingError::io(&staging))?;
        for (rank, best) in self.crystals.iter().enumerate() {
            let name = format!("{:02}_{}_{}.cif", rank + 1, best.skeleton, best.formula());
            let file = staging.join(name);
            fs::write(&file, &best.cif).map_err(TrainingError::io(&file))?;
        }
        remove_folder(path)?;
        fs::rename(&staging, path).map_err(TrainingError::io(path))
    }
}

impl BestCrystal {
    /// Formula with the elements in alphabetical order, such as `CaH3Rb`.
    pub fn formula(&self) -> String {
        formula(&self.elements)
    }
}
