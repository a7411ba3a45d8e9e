//! The best distinct crystals of a run.

use std::sync::Arc;

use crystalgym_crystal::{Crystal, StructureFormat, formula, is_unfinished_write};
use crystalgym_environment::Task;
use serde::{Deserialize, Serialize};

use crate::{RunFolder, TrainingError};

/// A crystal among the best of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BestCrystal {
    /// Label of the skeleton.
    pub skeleton: String,
    /// Elements in site order, canonical under the skeleton's symmetry.
    pub elements: Vec<crystalgym_crystal::Element>,
    /// Return of an episode that ends with it, differences left aside: its reward.
    pub episodic_return: f64,
    /// Value of the property, in its unit.
    pub value: f64,
    /// Number of the first episode that found it.
    pub episode: u64,
    /// The crystal as CIF, in the skeleton's exact geometry; not saved with the others, from which
    /// it follows.
    #[serde(skip)]
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

    /// Writes one CIF per crystal into `best/`, `01_C2_RbCaH3.cif` being the best, and removes those
    /// that are not among them any more. What else lies there stays.
    ///
    /// # Errors
    /// [`TrainingError::Io`].
    pub fn write(&self, run: &RunFolder) -> Result<(), TrainingError> {
        let folder = run.made(RunFolder::BEST)?;
        let mut names = Vec::new();
        for (rank, best) in self.crystals.iter().enumerate() {
            let name = format!("{:02}_{}_{}.cif", rank + 1, best.skeleton, best.formula());
            let as_it_is = folder.read(&name, best.cif.len() as u64);
            if !as_it_is.is_ok_and(|text| text == best.cif.as_bytes()) {
                let written = folder.write(&name, best.cif.as_bytes());
                written.map_err(TrainingError::io(folder.join(&name)))?;
            }
            names.push(name);
        }
        for name in folder.names().map_err(TrainingError::io(folder.path()))? {
            let ours = is_ranked(&name) || is_unfinished(&name);
            if ours && !names.contains(&name) {
                let removed = folder.remove(&name);
                removed.map_err(TrainingError::io(folder.join(&name)))?;
            }
        }
        Ok(())
    }

    /// The same as read from a file, if it can be of a run of this task, with the crystals' CIF.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(crate) fn checked(
        mut self,
        task: &Task,
        capacity: usize,
        episodes: u64,
    ) -> Result<Self, String> {
        if self.capacity != capacity || self.crystals.len() > capacity {
            let (found, len) = (self.capacity, self.crystals.len());
            return Err(format!(
                "best: {len} of {found} crystals, expected {capacity}"
            ));
        }
        let sorted = self
            .crystals
            .is_sorted_by(|a, b| a.episodic_return >= b.episodic_return);
        if !sorted {
            return Err("best: the crystals are not in order".to_owned());
        }
        for (rank, best) in self.crystals.iter_mut().enumerate() {
            let bad = |what: &str| Err(format!("best: crystal {} {what}", rank + 1));
            if !(best.episodic_return.is_finite() && best.value.is_finite()) {
                return bad("has a value that is no number");
            }
            if best.episode == 0 || best.episode > episodes {
                return bad("is of an episode that was not");
            }
            let mut skeletons = task.skeletons().iter();
            let Some(skeleton) = skeletons.find(|known| known.label == best.skeleton) else {
                return bad("is on a skeleton that the task does not have");
            };
            let known = |element: &_| task.elements().action_of(*element).is_some();
            let crystal = match best.elements.iter().all(known) {
                true => Crystal::new(Arc::clone(skeleton), best.elements.clone()).ok(),
                false => None,
            };
            let Some(crystal) = crystal.filter(|c| c.canonical().elements() == best.elements)
            else {
                return bad("has elements that the task cannot put there");
            };
            best.cif = crystal.structure().to_text(StructureFormat::Cif);
        }
        Ok(self)
    }
}

/// Whether a name is one that [`BestCrystals::write`] gives: `01_…_….cif`.
fn is_ranked(name: &str) -> bool {
    name.strip_suffix(".cif")
        .and_then(|stem| stem.split_once('_'))
        .is_some_and(|(rank, rest)| {
            rank.len() >= 2 && rank.bytes().all(|b| b.is_ascii_digit()) && rest.contains('_')
        })
}

/// Whether a name is that of such a file half written.
fn is_unfinished(name: &str) -> bool {
    name.find(".cif.").is_some_and(|end| {
        let target = &name[..end + ".cif".len()];
        let target = target.strip_prefix('.').unwrap_or(target);
        is_ranked(target) && is_unfinished_write(name, target)
    })
}

impl BestCrystal {
    /// Formula as chemists write it, in lowest terms, such as `RbCaH3`.
    pub fn formula(&self) -> String {
        formula(&self.elements)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_files_of_ours_are_taken_for_ours() {
        for ours in ["01_C2_RbCaH3.cif", "100_rock_salt_NaCl.cif"] {
            assert!(is_ranked(ours), "{ours}");
            assert!(is_unfinished(&format!(".{ours}.123.0.tmp")), "{ours}");
        }
        for other in [
            "thesis.txt",
            "mine.cif",
            "1_a_b.cif",
            "01_b.cif",
            "xx_a_b.cif",
        ] {
            assert!(!is_ranked(other), "{other}");
            assert!(!is_unfinished(&format!(".{other}.123.0.tmp")), "{other}");
        }
    }
}
