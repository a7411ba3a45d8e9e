use serde::{Deserialize, Serialize};

use crate::{CrystalGraph, Lattice};

/// The empty frame of a crystal: a lattice and positions whose elements are still to be chosen.
///
/// The geometry is exact: positions and lattice are snapped to the symmetry that they have within
/// a tolerance, so that a DFT code finds every operation. What the source listed is kept in
/// [`SkeletonSource`].
#[derive(Debug, Clone)]
pub struct Skeleton {
    /// Unique label, such as `C2` or the stem of a file.
    pub label: String,
    /// Lattice with exact symmetry, row vectors in Å.
    pub lattice: Lattice,
    /// Exact fractional positions.
    pub frac_coords: Vec<[f64; 3]>,
    /// Symmetry of the *empty* skeleton (all sites alike).
    pub symmetry: SkeletonSymmetry,
    /// CrystalNN bonds, computed once from the geometry alone.
    pub graph: CrystalGraph,
    /// Where the skeleton comes from and the geometry as it was published.
    pub source: SkeletonSource,
}

/// Symmetry of an empty skeleton.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SkeletonSymmetry {
    /// Space-group number of the empty skeleton, 1 to 230.
    pub space_group_number: u16,
    /// Its Hermann–Mauguin symbol.
    pub space_group_symbol: String,
    /// Distinct permutations that its operations cause: site `i` goes to site `permutation[i]`.
    /// Sorted, the identity first; a group under composition.
    pub site_permutations: Vec<Vec<usize>>,
}

/// Provenance of a skeleton and its geometry before snapping.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SkeletonSource {
    /// Plain name, such as `perovskite RbCaH3`.
    pub name: String,
    /// Row of the MP-20 validation table, for the benchmark skeletons.
    pub mp20_row: Option<u32>,
    /// Materials Project identifier, such as `mp-23949`.
    pub material_id: Option<String>,
    /// Formula of the source material.
    pub formula: Option<String>,
    /// Space-group number of the *source material*, elements and all.
    pub space_group_number: u16,
    /// Lattice after the Niggli reduction and rebuilding from its parameters, not snapped.
    pub published_lattice: Lattice,
    /// Fractional positions in that lattice, not snapped.
    pub published_frac_coords: Vec<[f64; 3]>,
}
