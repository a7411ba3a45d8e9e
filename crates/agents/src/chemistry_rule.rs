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
    /// The same, and which common oxidation states there are: the first crystals are salts, and a
    /// model counts electrons.
    #[default]
    ChargeBalance,
}

impl ChemistryRule {
    /// The highest [preference](Self::preference).
    pub(crate) const BEST: u8 = 3;

    /// Whether a model's features tell it of oxidation states.
    pub(crate) fn counts_electrons(self) -> bool {
        self == Self::ChargeBalance
    }

    /// Whether a filling of a task's skeleton may be calculated.
    pub(crate) fn allows(self, task: &Task, skeleton: usize, filling: &[u8]) -> bool {
        let of_pairs = task.needs_pairs() && self != Self::None;
        !of_pairs || !task.has_odd_electrons(skeleton, filling)
    }

    /// How much a filling is one to begin with: the higher the better, [`Self::BEST`] at most. Salts go
    /// before what balances with positive nonmetals alone, and that before all others that are
    /// allowed.
    pub(crate) fn preference(self, task: &Task, skeleton: usize, filling: &[u8]) -> u8 {
        if !self.allows(task, skeleton, filling) {
            return 0;
        }
        if !task.needs_pairs() || self != Self::ChargeBalance {
            return Self::BEST;
        }
        let elements: Vec<Element> = elements_of(task, filling).collect();
        let count = ChargeCount::of(&elements);
        match (count.is_salt, count.is_balanced()) {
            (true, _) => Self::BEST,
            (false, true) => 2,
            (false, false) => 1,
        }
    }
}

/// The elements of a filling.
fn elements_of(task: &Task, filling: &[u8]) -> impl Iterator<Item = Element> {
    let elements = task.elements().elements();
    filling.iter().map(|&place| elements[usize::from(place)])
}
