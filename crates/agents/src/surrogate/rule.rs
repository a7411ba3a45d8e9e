//! What an agent is told of chemistry, in the open: comparisons are between equals.

use crystalgym_crystal::Element;
use crystalgym_evaluation::Property;
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
    /// charges can balance, and the model counts electrons.
    #[default]
    ChargeBalance,
}

impl ChemistryRule {
    /// Whether the model's features tell it of oxidation states.
    pub(super) fn counts_electrons(self) -> bool {
        self == Self::ChargeBalance
    }

    /// Whether a crystal may be calculated.
    pub(super) fn allows(self, property: Property, elements: &[Element]) -> bool {
        let of_pairs = property.facts().fixed_occupations && self != Self::None;
        let protons = elements.iter().map(|e| u32::from(e.atomic_number()));
        !of_pairs || protons.sum::<u32>() % 2 == 0
    }

    /// Whether a crystal is one to begin with.
    pub(super) fn prefers(self, property: Property, elements: &[Element]) -> bool {
        let salts = property.facts().fixed_occupations && self == Self::ChargeBalance;
        !salts || ChargeCount::of(elements).is_balanced()
    }
}
