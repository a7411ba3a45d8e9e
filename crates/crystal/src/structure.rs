use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{Element, Lattice};

/// A periodic structure as a file holds it: a lattice and occupied sites.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Structure {
    /// Lattice, row vectors in Å.
    pub lattice: Lattice,
    /// Element of each site.
    pub elements: Vec<Element>,
    /// Fractional position of each site.
    pub frac_coords: Vec<[f64; 3]>,
}

/// Unified atomic mass unit in 10⁻²⁴ g (CODATA 2018).
const ATOMIC_MASS_UNIT_1E_24_G: f64 = 1.660_539_066_60;

impl Structure {
    /// Mass of the cell in unified atomic mass units.
    pub fn mass_u(&self) -> f64 {
        mass_u(&self.elements)
    }

    /// Mass density in g/cm³: `1.66053906660 Σm [u] / V [Å³]`.
    pub fn density_g_cm3(&self) -> f64 {
        mass_density_g_cm3(self.mass_u(), self.lattice.volume())
    }

    /// Formula with symbols in alphabetical order and counts above one, such as `CaH3Rb`.
    pub fn formula(&self) -> String {
        formula(&self.elements)
    }
}

/// Total mass, the same to the last bit for every order of the elements: summed as whole
/// nano-units, which tabulated masses are.
pub(crate) fn mass_u(elements: &[Element]) -> f64 {
    const PER_U: f64 = 1e9;
    let total: u64 = elements
        .iter()
        .map(|element| (element.mass_u() * PER_U).round() as u64)
        .sum();
    total as f64 / PER_U
}

pub(crate) fn mass_density_g_cm3(mass_u: f64, volume_ang3: f64) -> f64 {
    ATOMIC_MASS_UNIT_1E_24_G * mass_u / volume_ang3
}

/// Formula of a list of elements, symbols in alphabetical order, counts above one: `CaH3Rb`.
pub fn formula(elements: &[Element]) -> String {
    let mut counts = BTreeMap::<&str, usize>::new();
    for element in elements {
        *counts.entry(element.symbol()).or_default() += 1;
    }
    counts
        .into_iter()
        .map(|(symbol, count)| {
            if count > 1 {
                format!("{symbol}{count}")
            } else {
                symbol.into()
            }
        })
        .collect()
}
