//! What an agent is told of chemistry, in the open: comparisons are between equals.

use crystalgym_crystal::Element;
use crystalgym_environment::Task;
use crystalgym_surrogate::ChargeCount;
use serde::{Deserialize, Serialize};

/// What an agent is told of chemistry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChemistryRule {
    /// Nothing.
    None,
    /// An odd number of electrons fills no bands in pairs, so that such crystals are left out where
    /// the property asks for that.
    Parity,
    /// The same, and which common oxidation states there are: the first crystals are some whose
    /// charges can balance, and a model counts electrons.
    #[default]
    ChargeBalance,
}

impl ChemistryRule {
    /// Whether a model's features tell it of oxidation states.
    pub(crate) fn counts_electrons(self) -> bool {
        self == Self::ChargeBalance
    }

    /// Whether a filling of a task's skeleton may be calculated.
    pub(crate) fn allows(self, task: &Task, filling: &[u8]) -> bool {
        let of_pairs = task.needs_pairs() && self != Self::None;
        let protons = elements_of(task, filling).map(|e| u32::from(e.atomic_number()));
        !of_pairs || protons.sum::<u32>().is_multiple_of(2)
    }

    /// Whether a filling is one to begin with, if there are such.
    pub(crate) fn prefers(self, task: &Task, filling: &[u8]) -> bool {
        let salts = task.needs_pairs() && self == Self::ChargeBalance;
        let elements: Vec<Element> = elements_of(task, filling).collect();
        self.allows(task, filling) && (!salts || ChargeCount::of(&elements).is_balanced())
    }
}

/// The elements of a filling.
fn elements_of(task: &Task, filling: &[u8]) -> impl Iterator<Item = Element> {
    let elements = task.elements().elements();
    filling.iter().map(|&place| elements[usize::from(place)])
}
