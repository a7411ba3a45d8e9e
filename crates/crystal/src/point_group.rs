//! The rotations of a crystal, whatever translations go with them.

use crate::{CrystalError, Lattice, symmetry::dataset};

/// The rotations W of the crystal's space group, each once: `x → W x + t` on fractional columns for
/// some t leaves sites of the given kinds where sites of their kind are. They form a group.
///
/// # Errors
/// [`CrystalError::Symmetry`] if the search fails, [`CrystalError::InvalidStructure`] without sites.
pub fn point_group_rotations(
    lattice: &Lattice,
    frac_coords: &[[f64; 3]],
    kinds: &[i32],
    tolerance_ang: f64,
) -> Result<Vec<[[i32; 3]; 3]>, CrystalError> {
    let dataset = dataset(lattice, frac_coords, kinds, tolerance_ang)?;
    let mut rotations: Vec<_> = (dataset.operations.iter())
        .map(|operation| operation.rotation_as_array())
        .collect();
    rotations.sort_unstable();
    rotations.dedup();
    Ok(rotations)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Oracle: orders of point groups by hand. Diamond has all 48 rotations of the cube, a doubled
    /// cell of it along one axis those 16 that keep the axis, and zinc blende 24.
    #[test]
    fn orders_of_point_groups() {
        let lattice = Lattice::new([[0.0, 2.7, 2.7], [2.7, 0.0, 2.7], [2.7, 2.7, 0.0]]).unwrap();
        let sites = [[0.0; 3], [0.25; 3]];
        let order = |kinds: &[i32]| {
            let found = point_group_rotations(&lattice, &sites, kinds, 1e-4).unwrap();
            found.len()
        };
        assert_eq!(order(&[14, 14]), 48);
        assert_eq!(order(&[31, 33]), 24);
        let cube = Lattice::new([[3.0, 0.0, 0.0], [0.0, 3.0, 0.0], [0.0, 0.0, 6.0]]).unwrap();
        let sites = [[0.0; 3], [0.0, 0.0, 0.5]];
        let doubled = point_group_rotations(&cube, &sites, &[3, 3], 1e-4).unwrap();
        assert_eq!(doubled.len(), 16);
    }
}
