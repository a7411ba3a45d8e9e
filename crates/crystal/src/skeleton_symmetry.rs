//! What the symmetry of an empty skeleton is.

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
