//! Lattices, structures, skeletons, symmetry, graphs and k-meshes.
//!
//! The types follow the way a crystal is designed here:
//! [`Structure`] (what a file holds) → [`Skeleton`] (lattice and exact positions, no elements,
//! with its symmetry and its graph, computed once) → [`Crystal`] (a skeleton whose sites are all
//! filled).
//!
//! Units: Å for lengths, degrees for angles, unified atomic mass units for masses. Lattice vectors
//! are the *rows* of a matrix; a Cartesian position is `frac · lattice`.

mod crystal;
mod element;
mod graph;
mod lattice;
mod skeleton;
mod structure;

pub use crystal::Crystal;
pub use element::Element;
pub use graph::{CrystalGraph, DirectedEdge};
pub use lattice::Lattice;
pub use skeleton::{Skeleton, SkeletonSource, SkeletonSymmetry};
pub use structure::Structure;

mod error;
pub use error::CrystalError;
