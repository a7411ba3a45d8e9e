//! The space group of a crystal, and what gives fields and projectors its symmetry.

mod atom_symmetrizer;
mod derivatives;
mod space_group;
mod symmetrizer;

pub use space_group::{SymmetryOperation, space_group_operations};

pub(crate) use atom_symmetrizer::AtomSymmetrizer;
pub(crate) use derivatives::{symmetrized_forces, symmetrized_tensor};
pub(crate) use space_group::{image_of_atoms, space_group_operations_unless};
pub(crate) use symmetrizer::Symmetrizer;
