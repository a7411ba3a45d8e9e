//! Lengths below which a crystal cannot be one.

/// Atoms of a cell with a shorter vector lie on their own images.
pub(crate) const SHORTEST_LATTICE_VECTOR_BOHR: f64 = 0.5;
/// Atoms that are closer lie on top of each other.
pub(crate) const SHORTEST_DISTANCE_BOHR: f64 = 0.1;
