//! Points of a box that symmetry turns into each other.

use crate::{DftError, cancellation::Cancellation, symmetry::SymmetryOperation};

/// The points of the density's box fall into orbits that the space group turns into each other; what
/// depends on a symmetric density and its slope's length alone is the same on each.
///
/// Operations that do not turn the box onto itself are left out: the others are a group too, with
/// more orbits.
#[derive(Debug, Clone)]
pub(crate) struct PointOrbits {
    /// The first point of each orbit in the `[z][y][x]` order of real space, ascending.
    representatives: Vec<u32>,
    /// Points in each orbit.
    sizes: Vec<u32>,
    /// The orbit of each point.
    orbit_of: Vec<u32>,
}

/// Distance of a translation from a point of the box, in units of the lattice vectors, up to which
/// fields at the two are the same.
const TRANSLATION_TOLERANCE: f64 = 1e-8;

impl PointOrbits {
    /// Of a box with these sides.
    ///
    /// # Errors
    /// [`DftError::Cancelled`].
    pub(crate) fn new(
        dims: [usize; 3],
        operations: &[SymmetryOperation],
        cancellation: Cancellation<'_>,
    ) -> Result<Self, DftError> {
        /// No point is in this orbit.
        const NONE: u32 = u32::MAX;
        let on_box: Vec<OnBox> = (operations.iter())
            .filter_map(|operation| OnBox::of(operation, dims))
            .collect();
        let [nx, ny, nz] = dims;
        let mut pace = cancellation.pace();
        let mut orbits = Self {
            representatives: Vec::new(),
            sizes: Vec::new(),
            orbit_of: vec![NONE; nx * ny * nz],
        };
        for point in 0..orbits.orbit_of.len() {
            pace.spend(1)?;
            if orbits.orbit_of[point] != NONE {
                continue;
            }
            pace.spend(on_box.len())?;
            let orbit = orbits.sizes.len() as u32;
            orbits.orbit_of[point] = orbit;
            let mut size = 1;
            let place = [point % nx, point / nx % ny, point / (nx * ny)];
            for operation in &on_box {
                let [x, y, z] = operation.image(place, dims);
                let image = &mut orbits.orbit_of[(z * ny + y) * nx + x];
                if *image == NONE {
                    *image = orbit;
                    size += 1;
                }
            }
            orbits.representatives.push(point as u32);
            orbits.sizes.push(size);
        }
        Ok(orbits)
    }

    /// One point of each orbit, and how many points there are in it.
    pub(crate) fn representatives(&self) -> (&[u32], &[u32]) {
        (&self.representatives, &self.sizes)
    }

    /// The orbit of each point.
    pub(crate) fn orbit_of(&self) -> &[u32] {
        &self.orbit_of
    }
}

/// An operation in steps of the box.
struct OnBox {
    rotation: [[i64; 3]; 3],
    translation: [i64; 3],
}

impl OnBox {
    /// `None` if it does not turn the points of the box into such.
    fn of(operation: &SymmetryOperation, dims: [usize; 3]) -> Option<Self> {
        let mut rotation = [[0; 3]; 3];
        let mut translation = [0; 3];
        for i in 0..3 {
            for j in 0..3 {
                let (n, m) = (dims[i] as i64, dims[j] as i64);
                let scaled = i64::from(operation.rotation[i][j]) * n;
                if scaled % m != 0 {
                    return None;
                }
                rotation[i][j] = scaled / m;
            }
            let steps = operation.translation[i] * dims[i] as f64;
            if (steps - steps.round()).abs() > TRANSLATION_TOLERANCE * dims[i] as f64 {
                return None;
            }
            translation[i] = steps.round() as i64;
        }
        Some(Self {
            rotation,
            translation,
        })
    }

    fn image(&self, place: [usize; 3], dims: [usize; 3]) -> [usize; 3] {
        std::array::from_fn(|i| {
            let turned: i64 = (0..3).map(|j| self.rotation[i][j] * place[j] as i64).sum();
            (turned + self.translation[i]).rem_euclid(dims[i] as i64) as usize
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn orbits(dims: [usize; 3], operations: &[SymmetryOperation]) -> PointOrbits {
        PointOrbits::new(dims, operations, Cancellation::NEVER).unwrap()
    }

    /// Oracle: by hand, inversion pairs all points of an even box but the eight at 0 and ½; a screw by
    /// a half along x of a box with five points there does not turn it onto itself.
    #[test]
    fn inversion_pairs_points_and_misfits_are_left_out() {
        let inversion = SymmetryOperation {
            rotation: [[-1, 0, 0], [0, -1, 0], [0, 0, -1]],
            translation: [0.0; 3],
        };
        let dims = [4, 6, 2];
        let found = orbits(dims, &[SymmetryOperation::identity(), inversion]);
        let (representatives, sizes) = found.representatives();
        assert_eq!(representatives.len(), 8 + (48 - 8) / 2);
        assert_eq!(sizes.iter().sum::<u32>(), 48);
        // (1, 2, 1) and (3, 4, 1)
        assert_eq!(found.orbit_of()[33], found.orbit_of()[43]);
        let screw = SymmetryOperation {
            rotation: [[1, 0, 0], [0, -1, 0], [0, 0, -1]],
            translation: [0.5, 0.0, 0.0],
        };
        let operations = [SymmetryOperation::identity(), screw];
        assert_eq!(orbits(dims, &operations).representatives().0.len(), 24);
        assert_eq!(orbits([5, 6, 2], &operations).representatives().0.len(), 60);
    }
}
