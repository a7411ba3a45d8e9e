//! The analytic pseudopotentials of Goedecker, Teter and Hutter.

mod atom;
mod built_in;
mod entry;
mod gaussian;
mod orbital;
mod parameters;
mod symmetric_eigen;
mod table;
mod upf_writer;

use crystalgym_crystal::Element;

pub use built_in::gth_elements;
pub use parameters::{GthChannel, GthParameters};

use super::{
    error::PseudoError,
    table_cache::TableCache,
    types::{OrbitalInfo, Pseudopotential, PseudopotentialKind, Source},
};
use crate::xc::Functional;

impl Pseudopotential {
    /// The built-in GTH-PBE pseudopotential of an element.
    ///
    /// # Errors
    /// [`PseudoError::NoGth`] for an element that the table lacks.
    ///
    /// # Source
    /// Goedecker, Teter and Hutter, PRB 54, 1703 (1996); Hartwigsen, Goedecker and Hutter,
    /// PRB 58, 3641 (1998); parameters of Krack, Theor. Chem. Acc. 114, 145 (2005).
    pub fn gth_pbe(element: Element) -> Result<Self, PseudoError> {
        GthParameters::pbe(element).map(Self::from_gth)
    }

    /// The pseudopotential of given GTH parameters.
    pub fn from_gth(gth: GthParameters) -> Self {
        let projector_l: Vec<usize> = gth.projectors().map(|(l, _)| l).collect();
        let coupling = gth.coupling();
        let orbitals = gth
            .orbitals
            .iter()
            .map(|orbital| OrbitalInfo {
                label: format!(
                    "{}{}",
                    orbital.l + 1,
                    ["S", "P", "D", "F"][orbital.l.min(3)]
                ),
                l: orbital.l,
                occupation: orbital.occupation,
            })
            .collect();
        Self {
            element: gth.element,
            kind: PseudopotentialKind::NormConserving,
            functional: Functional::Pbe,
            z_valence: gth.z_valence,
            projector_l,
            coupling,
            orbitals,
            has_core_charge: false,
            is_spin_orbit_average: false,
            tables: TableCache::default(),
            source: Source::Analytic(Box::new(gth)),
        }
    }
}

/// Label of a pseudo-orbital: the shells of each l count from n = l + 1.
fn orbital_label(l: usize, shell: usize) -> String {
    format!("{}{}", l + 1 + shell, ["S", "P", "D", "F"][l.min(3)])
}
