//! Lattices, structures, skeletons, symmetry, graphs and k-meshes.
//!
//! The types follow the way a crystal is designed here:
//! [`Structure`] (what a file holds) → [`Skeleton`] (lattice and exact positions, no elements,
//! with its symmetry and its graph, computed once) → [`Crystal`] (a skeleton whose sites are all
//! filled).
//!
//! Units: Å for lengths, degrees for angles, unified atomic mass units for masses. Lattice vectors
//! are the *rows* of a matrix; a Cartesian position is `frac · lattice`.

mod benchmark_skeletons;
mod canonical;
mod coincidence;
mod crystal;
mod crystal_nn;
mod element;
mod element_data;
mod element_table;
mod error;
mod fillings;
mod formula;
mod graph;
mod io;
mod k_path;
mod kpoints;
mod lattice;
mod matrix;
mod memo;
mod niggli;
mod point_group;
mod site_names;
mod skeleton;
mod skeleton_symmetry;
mod structure;
mod symmetry;
mod voronoi;

pub use canonical::{CanonicalCrystal, SAME_CRYSTAL_ANG};
pub use crystal::Crystal;
pub use element::Element;
pub use element_data::ElementData;
pub use error::CrystalError;
pub use fillings::{CanonicalFilling, canonical_fillings, count_canonical_fillings};
pub use formula::{cell_formula, formula, formula_of_counts};
pub use graph::{CrystalGraph, DirectedEdge};
pub use io::{
    AtomicFile, EnclosedFolder, EntryKind, StructureFormat, data_folder, is_unfinished_write,
    open_regular, read_bytes, read_text, write_atomically,
};
pub use k_path::{KPath, KPathPoint, SpecialPoint};
pub use kpoints::automatic_density;
pub use lattice::Lattice;
pub use niggli::niggli_reduce;
pub use point_group::point_group_rotations;
pub use skeleton::{Skeleton, SkeletonGeometry, SkeletonSource};
pub use skeleton_symmetry::SkeletonSymmetry;
pub use structure::Structure;
pub use symmetry::{SYMMETRY_TOLERANCE_ANG, space_group, standard_orientation};
