//! Structures: lattices with occupied sites, as files hold them.

use serde::{Deserialize, Serialize};

use crate::{
    CrystalError, Element, Lattice,
    coincidence::reject_coinciding_sites,
    formula::{cell_formula, formula},
};

/// A periodic structure as a file holds it: a lattice and occupied sites.
///
/// [`Structure::new`] says what a valid one is; readers and deserialisation go through it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Unchecked")]
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

/// Largest fractional coordinate: beyond it, too few digits are left for the place in the cell.
pub(crate) const LARGEST_FRAC_COORD: f64 = 1e5;

/// A structure before it is judged.
#[derive(Deserialize)]
struct Unchecked {
    lattice: Lattice,
    elements: Vec<Element>,
    frac_coords: Vec<[f64; 3]>,
}

impl TryFrom<Unchecked> for Structure {
    type Error = CrystalError;

    fn try_from(raw: Unchecked) -> Result<Self, CrystalError> {
        Self::new(raw.lattice, raw.elements, raw.frac_coords)
    }
}

impl Structure {
    /// A structure that can be one: as many elements as positions, at least one, fractional
    /// coordinates up to 10⁵, no two sites within 0.5 Å, and no site within 0.5 Å of its own image.
    ///
    /// The cost grows as the number of sites.
    ///
    /// # Errors
    /// [`CrystalError::InvalidStructure`] that names the site and the value.
    pub fn new(
        lattice: Lattice,
        elements: Vec<Element>,
        frac_coords: Vec<[f64; 3]>,
    ) -> Result<Self, CrystalError> {
        if elements.len() != frac_coords.len() {
            return Err(CrystalError::InvalidStructure(format!(
                "{} elements for {} positions",
                elements.len(),
                frac_coords.len()
            )));
        }
        if elements.is_empty() {
            return Err(CrystalError::InvalidStructure(
                "the structure has no site, expected at least one".to_owned(),
            ));
        }
        if let Some((site, x)) = frac_coords
            .iter()
            .enumerate()
            .find(|(_, x)| !x.iter().all(|x| x.abs() <= LARGEST_FRAC_COORD))
        {
            return Err(CrystalError::InvalidStructure(format!(
                "site {site} is at {x:?}, expected finite fractional coordinates up to \
                 {LARGEST_FRAC_COORD}"
            )));
        }
        reject_coinciding_sites(&lattice, &frac_coords)?;
        Ok(Self {
            lattice,
            elements,
            frac_coords,
        })
    }

    /// The same crystal on a right-handed cell: a left-handed one has its vectors and its
    /// fractional coordinates negated, which moves no atom.
    pub fn right_handed(mut self) -> Self {
        if self.lattice.is_left_handed() {
            self.lattice = self.lattice.inverted();
            for x in &mut self.frac_coords {
                // Not -x, which makes -0 of 0.
                *x = x.map(|x| 0.0 - x);
            }
        }
        self
    }

    /// Mass of the cell in unified atomic mass units.
    pub fn mass_u(&self) -> f64 {
        mass_u(&self.elements)
    }

    /// Mass density in g/cm³: `1.66053906660 Σm [u] / V [Å³]`.
    pub fn density_g_cm3(&self) -> f64 {
        mass_density_g_cm3(self.mass_u(), self.lattice.volume())
    }

    /// Formula as chemists write it, in lowest terms, such as `RbCaH3`.
    pub fn formula(&self) -> String {
        formula(&self.elements)
    }

    /// Formula of all atoms of the cell, symbols in alphabetical order, such as `O2Zn2`.
    pub fn cell_formula(&self) -> String {
        cell_formula(&self.elements)
    }
}

/// Total mass, the same to the last bit for every order of the elements: summed as whole
/// nano-units, which tabulated masses are.
pub(crate) fn mass_u(elements: &[Element]) -> f64 {
    const PER_U: f64 = 1e9;
    // Rounded: masses are positive.
    let total: i64 = elements
        .iter()
        .map(|element| (element.mass_u() * PER_U + 0.5) as i64)
        .sum();
    total as f64 / PER_U
}

pub(crate) fn mass_density_g_cm3(mass_u: f64, volume_ang3: f64) -> f64 {
    ATOMIC_MASS_UNIT_1E_24_G * mass_u / volume_ang3
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Oracle: rounding to whole nano-units by the standard library.
    #[test]
    fn masses_are_sums_of_whole_nano_units() {
        for element in Element::all() {
            let units = (1e9 * element.mass_u()).round();
            assert_eq!(mass_u(&[element; 7]), 7.0 * units / 1e9, "{element}");
        }
    }
}
