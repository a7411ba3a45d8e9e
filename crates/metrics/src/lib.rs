//! Metrics of generated crystals.
//!
//! | question | answer |
//! |---|---|
//! | could it be a crystal at all? | [`Validity`] |
//! | are two structures the same? | [`StructureMatcher`] |
//! | which are new among themselves, which to a reference? | [`first_of_each`], [`novel`] |
//! | which compositions are new? | [`Composition`] |
//! | how much of chemistry and symmetry do they cover? | [`Diversity`] |
//!
//! Definitions are those of LeMat-GenBench where it has one, with the exceptions that the items
//! name. Units: Å, degrees, g/cm³.

mod assignment;
mod charge;
mod composition;
mod diversity;
mod error;
mod lattice_mapping;
mod matcher;
mod primitive;
mod tolerances;
mod uniqueness;
mod validity;

pub use charge::{OxidationStates, is_charge_balanced, is_metal};
pub use composition::Composition;
pub use diversity::Diversity;
pub use error::MetricsError;
pub use matcher::{PreparedStructure, StructureMatcher};
pub use primitive::primitive_structure;
pub use tolerances::MatchTolerances;
pub use uniqueness::{first_of_each, novel};
pub use validity::Validity;
