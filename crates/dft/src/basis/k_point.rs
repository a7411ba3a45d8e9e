use crate::vector::Vector3;

/// A k-point of the irreducible wedge.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct KPoint {
    /// Position in units of the reciprocal lattice vectors.
    pub frac: Vector3,
    /// Share of the mesh that it stands for; the weights add up to 1.
    pub weight: f64,
}
