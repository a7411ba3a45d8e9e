//! The choices that make a calculation finite.

use super::KMesh;

/// Choices that turn a model into finite matrices.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Discretisation {
    /// Kinetic-energy cutoff of the wavefunctions in hartree.
    pub ecut_ha: f64,
    /// Cutoff of density and potentials in hartree, at least four times the other (which is
    /// where a norm-conserving density ends).
    pub ecut_density_ha: f64,
    /// Mesh of k-points.
    pub k_mesh: KMesh,
    /// Whether the crystal's symmetry, as far as the mesh has it too, reduces the mesh and is
    /// imposed on the density. Time reversal is always used.
    pub use_symmetry: bool,
}
