//! The rotations that relate strains.

use crystalgym_crystal::{CrystalError, Structure, point_group_rotations};

use super::tensors::Matrix3;

/// Distance in Å within which positions are the same: exact symmetry only, as the engine finds it.
const TOLERANCE_ANG: f64 = 1e-4;

/// Cartesian rotations of the crystal's point group that leave a Γ-centred mesh of k-points as it
/// is: what was computed on the mesh has no other symmetry.
///
/// # Errors
/// [`CrystalError::Symmetry`] if the search fails.
pub(crate) fn cartesian_rotations(
    structure: &Structure,
    divisions: [u32; 3],
) -> Result<Vec<Matrix3>, CrystalError> {
    let kinds: Vec<i32> = (structure.elements.iter())
        .map(|element| element.atomic_number().into())
        .collect();
    let (lattice, sites) = (&structure.lattice, &structure.frac_coords);
    let mut rotations = point_group_rotations(lattice, sites, &kinds, TOLERANCE_ANG)?;
    rotations.retain(|rotation| keeps_mesh(rotation, divisions));
    let (vectors, reciprocal) = (lattice.vectors(), lattice.reciprocal());
    let to_cartesian = |w: [[i32; 3]; 3]| -> Matrix3 {
        std::array::from_fn(|x| {
            std::array::from_fn(|y| {
                let mut sum = 0.0;
                for i in 0..3 {
                    for j in 0..3 {
                        sum += vectors[i][x] * f64::from(w[i][j]) * reciprocal[j][y];
                    }
                }
                sum
            })
        })
    };
    Ok(rotations.into_iter().map(to_cartesian).collect())
}

/// Whether `Wᵀ k` is a point n/N of the mesh for every point k of it.
fn keeps_mesh(rotation: &[[i32; 3]; 3], divisions: [u32; 3]) -> bool {
    let n = divisions.map(i64::from);
    (0..3).all(|i| (0..3).all(|j| n[i] * i64::from(rotation[j][i]) % n[j] == 0))
}
