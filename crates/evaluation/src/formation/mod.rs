//! Energies of the elements by the method of a calculator, which formation energies are measured from.

mod own_elements;
mod references;
mod structures;

pub use own_elements::OwnElements;
pub use references::{ElementalReferences, formation_energy_ev_per_atom};
pub use structures::{ElementalStructure, reference_structure};
