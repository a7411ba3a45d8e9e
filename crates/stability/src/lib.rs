//! Convex hulls of formation energies and the energy of a crystal above them.
//!
//! A [`ReferenceSet`] holds compositions with energies, from a file or computed by the method that
//! the crystals are judged with. [`ReferenceSet::hull_at`] gives the lowest energy to which a
//! composition can fall apart, and into what.

mod checksum;
mod computed;
mod error;
mod file;
mod linear_program;
mod reference_set;

pub use error::StabilityError;
pub use reference_set::{Decomposition, EnergyScale, Phase, ReferenceSet};
