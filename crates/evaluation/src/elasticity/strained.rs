//! Strained lattices.

use crystalgym_crystal::{CrystalError, Lattice};

use super::tensors::Matrix3;

/// The lattice with every vector x turned into `(1 + ε) x`, ε symmetric.
///
/// # Errors
/// [`CrystalError::InvalidLattice`] where no lattice is left.
pub(crate) fn strained(lattice: &Lattice, strain: &Matrix3) -> Result<Lattice, CrystalError> {
    Lattice::new(
        lattice.vectors().map(|x| {
            std::array::from_fn(|i| x[i] + (0..3).map(|j| strain[i][j] * x[j]).sum::<f64>())
        }),
    )
}
