use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::CrystalError;

/// A chemical element, H (1) to Og (118).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Element(u8);

const SYMBOLS: [&str; 118] = [
    "H", "He", "Li", "Be", "B", "C", "N", "O", "F", "Ne", "Na", "Mg", "Al", "Si", "P", "S", "Cl",
    "Ar", "K", "Ca", "Sc", "Ti", "V", "Cr", "Mn", "Fe", "Co", "Ni", "Cu", "Zn", "Ga", "Ge", "As",
    "Se", "Br", "Kr", "Rb", "Sr", "Y", "Zr", "Nb", "Mo", "Tc", "Ru", "Rh", "Pd", "Ag", "Cd", "In",
    "Sn", "Sb", "Te", "I", "Xe", "Cs", "Ba", "La", "Ce", "Pr", "Nd", "Pm", "Sm", "Eu", "Gd", "Tb",
    "Dy", "Ho", "Er", "Tm", "Yb", "Lu", "Hf", "Ta", "W", "Re", "Os", "Ir", "Pt", "Au", "Hg", "Tl",
    "Pb", "Bi", "Po", "At", "Rn", "Fr", "Ra", "Ac", "Th", "Pa", "U", "Np", "Pu", "Am", "Cm", "Bk",
    "Cf", "Es", "Fm", "Md", "No", "Lr", "Rf", "Db", "Sg", "Bh", "Hs", "Mt", "Ds", "Rg", "Cn", "Nh",
    "Fl", "Mc", "Lv", "Ts", "Og",
];

impl Element {
    /// The element with this atomic number, if it is 1 to 118.
    pub const fn from_atomic_number(atomic_number: u8) -> Option<Self> {
        if atomic_number >= 1 && atomic_number <= 118 {
            Some(Self(atomic_number))
        } else {
            None
        }
    }

    /// Atomic number Z.
    pub const fn atomic_number(self) -> u8 {
        self.0
    }

    /// Symbol, such as `Na`.
    pub fn symbol(self) -> &'static str {
        SYMBOLS[usize::from(self.0) - 1]
    }

    /// All elements by atomic number.
    pub fn all() -> impl Iterator<Item = Self> {
        (1..=118).map(Self)
    }
}

impl fmt::Display for Element {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.symbol())
    }
}

impl FromStr for Element {
    type Err = CrystalError;

    fn from_str(symbol: &str) -> Result<Self, CrystalError> {
        Self::all()
            .find(|element| element.symbol() == symbol)
            .ok_or_else(|| CrystalError::UnknownElement(symbol.to_owned()))
    }
}

impl TryFrom<String> for Element {
    type Error = CrystalError;

    fn try_from(symbol: String) -> Result<Self, CrystalError> {
        symbol.parse()
    }
}

impl From<Element> for String {
    fn from(element: Element) -> Self {
        element.symbol().to_owned()
    }
}
