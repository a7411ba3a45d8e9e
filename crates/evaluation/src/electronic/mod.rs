//! The levels of a crystal: bands along its high-symmetry path, densities of states, and what lies between
//! filled and empty bands.

mod band_structure;
mod edges;
mod states;

use crystalgym_crystal::{CrystalError, Lattice};
use crystalgym_dft::DftError;

pub use band_structure::BandStructure;
pub use edges::{BandEdge, GapEdges};
pub use states::{StatesOptions, StatesPerEv};

/// Distance of neighbouring k-points along a path in Å⁻¹, 2π included.
pub const PATH_SPACING_PER_ANG: f64 = 0.05;
/// The same on a dense mesh, along each reciprocal vector.
pub const DENSE_SPACING_PER_ANG: f64 = 0.2;

/// Why levels could not be computed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ElectronicError {
    /// No path, or no points on it.
    #[error(transparent)]
    Path(#[from] CrystalError),
    /// The engine refused, was stopped, or found no bands.
    #[error(transparent)]
    Engine(#[from] DftError),
}

/// Divisions of the even mesh whose points are at most so far apart along each reciprocal vector, 2π
/// included.
pub fn dense_divisions(lattice: &Lattice, spacing_per_ang: f64) -> [u32; 3] {
    lattice.reciprocal().map(|b| {
        let length = std::f64::consts::TAU * b.iter().map(|x| x * x).sum::<f64>().sqrt();
        let divisions = (length / spacing_per_ang - 1e-9).ceil().clamp(1.0, 1e6) as u32;
        divisions.next_multiple_of(2)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// By hand: the reciprocal vectors of a cube of 4 Å are 1.571 Å⁻¹ long.
    #[test]
    fn dense_meshes_are_even() {
        let lattice = Lattice::from_parameters([4.0, 4.0, 8.0], [90.0; 3]).unwrap();
        assert_eq!(dense_divisions(&lattice, 0.2), [8, 8, 4]);
        assert_eq!(dense_divisions(&lattice, 100.0), [2, 2, 2]);
    }
}
