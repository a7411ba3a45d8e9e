//! Elements by symbol and atomic number.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::{CrystalError, ElementData, element_table::ELEMENTS};

/// A chemical element, H (1) to Og (118).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Element(u8);

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
        self.data().symbol
    }

    /// Standard atomic weight in unified atomic mass units.
    pub fn mass_u(self) -> f64 {
        self.data().mass_u
    }

    /// All that is known of the element.
    pub fn data(self) -> &'static ElementData {
        &ELEMENTS[usize::from(self.0) - 1]
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

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn symbols_and_numbers_round_trip() {
        for element in Element::all() {
            assert_eq!(element.symbol().parse::<Element>().unwrap(), element);
            assert_eq!(
                Element::from_atomic_number(element.atomic_number()),
                Some(element)
            );
        }
        assert!("Xx".parse::<Element>().is_err());
        assert_eq!(Element::from_atomic_number(0), None);
        assert_eq!(Element::from_atomic_number(119), None);
    }

    /// Oracle: IUPAC 2016 abridged standard atomic weights, typed by hand.
    #[test]
    fn masses_are_the_standard_atomic_weights() {
        for (symbol, mass_u) in [
            ("H", 1.008),
            ("C", 12.011),
            ("Cl", 35.45),
            ("Fe", 55.845),
            ("Au", 196.966569),
        ] {
            let element: Element = symbol.parse().unwrap();
            assert!(
                (element.mass_u() - mass_u).abs() < 2e-6 * mass_u,
                "{symbol}"
            );
        }
    }

    /// Masses are summed as whole nano-units; none may have more digits than that.
    #[test]
    fn masses_are_whole_nano_units() {
        for element in Element::all() {
            let nano_u = element.mass_u() * 1e9;
            assert!((nano_u - nano_u.round()).abs() < 1e-4, "{element}");
        }
    }

    /// Oracle: the generator itself, where the packages that it reads are installed.
    #[test]
    fn the_table_is_what_the_generator_writes() {
        let modules = ["ase", "mendeleev", "pymatgen.core"];
        let Some(python) = crystalgym_testing::optional_python_with(&modules) else {
            return;
        };
        let folder = env!("CARGO_MANIFEST_DIR");
        let script = format!("{folder}/scripts/generate_elements.py");
        let output = Command::new(python).arg(script).output().unwrap();
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        let committed = std::fs::read_to_string(format!("{folder}/src/element_table.rs")).unwrap();
        assert_eq!(String::from_utf8(output.stdout).unwrap(), committed);
    }
}
