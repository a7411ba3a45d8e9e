//! Meshes of k-points and their irreducible points.

use super::k_point::KPoint;
use crate::{DftError, cancellation::Cancellation, symmetry::SymmetryOperation, vector::Vector3};

/// A Monkhorst–Pack mesh: `k = (n + s/2) / N` along each reciprocal lattice vector.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KMesh {
    /// N along each reciprocal lattice vector, at least 1.
    pub divisions: [u32; 3],
    /// Whether the mesh is shifted by half a step along each (s); unshifted it holds Γ.
    pub shifted: [bool; 3],
}

impl KMesh {
    /// A Γ-centred mesh.
    pub fn gamma_centred(divisions: [u32; 3]) -> Self {
        Self {
            divisions,
            shifted: [false; 3],
        }
    }

    /// # Errors
    /// [`DftError::InvalidSetting`] for divisions that no mesh has.
    pub(crate) fn check(&self) -> Result<(), DftError> {
        match self.divisions.iter().all(|n| (1..=1000).contains(n)) {
            true => Ok(()),
            false => Err(DftError::InvalidSetting {
                setting: "k_mesh.divisions",
                found: format!("{:?}", self.divisions),
                expected: "three numbers from 1 to 1000",
            }),
        }
    }

    /// Whether the operation turns every point of the mesh into a point of it.
    pub fn is_invariant_under(&self, operation: &SymmetryOperation) -> bool {
        // A corner and its three neighbours span the mesh.
        let corners = [[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]];
        corners.iter().all(|&corner| {
            let turned = operation.rotate_wave_vector(self.point(corner));
            self.index_of(turned).is_some()
        })
    }

    /// The point with indices n, in units of the reciprocal lattice vectors.
    fn point(&self, n: [usize; 3]) -> Vector3 {
        std::array::from_fn(|i| (n[i] as f64 + self.shift(i)) / f64::from(self.divisions[i]))
    }

    fn shift(&self, axis: usize) -> f64 {
        if self.shifted[axis] { 0.5 } else { 0.0 }
    }

    /// The corners of the mesh's cell that holds a wave vector: itself where it is a point of the mesh.
    pub(crate) fn points_around(&self, k: Vector3) -> Vec<Vector3> {
        const TOLERANCE: f64 = 1e-6;
        let along = |axis: usize| {
            let divisions = f64::from(self.divisions[axis]);
            let n = k[axis] * divisions - self.shift(axis);
            let (below, above) = ((n + TOLERANCE).floor(), (n - TOLERANCE).ceil());
            let numbers = if above > below {
                vec![below, above]
            } else {
                vec![below]
            };
            let place = |n: f64| (n + self.shift(axis)) / divisions;
            numbers.into_iter().map(place).collect::<Vec<f64>>()
        };
        let mut points = Vec::new();
        for x in along(0) {
            for y in along(1) {
                points.extend(along(2).into_iter().map(|z| [x, y, z]));
            }
        }
        points
    }

    /// The running index of a wave vector, if it is a point of the mesh.
    pub(crate) fn index_of(&self, k: Vector3) -> Option<usize> {
        let mut index = 0;
        for (i, k) in k.into_iter().enumerate() {
            let n = k * f64::from(self.divisions[i]) - self.shift(i);
            let nearest = n.round();
            if (n - nearest).abs() > 1e-6 {
                return None;
            }
            let divisions = i64::from(self.divisions[i]);
            index = index * divisions as usize + (nearest as i64).rem_euclid(divisions) as usize;
        }
        Some(index)
    }
}

/// The points of the mesh that none of the operations, nor time reversal (k → −k), turns into
/// each other. The operations must leave the mesh as it is ([`KMesh::is_invariant_under`]).
pub fn irreducible_k_points(mesh: KMesh, operations: &[SymmetryOperation]) -> Vec<KPoint> {
    irreducible_k_points_unless(Cancellation::NEVER, mesh, operations).unwrap_or_default()
}

/// As [`irreducible_k_points`], unless it is cancelled.
pub(crate) fn irreducible_k_points_unless(
    cancellation: Cancellation<'_>,
    mesh: KMesh,
    operations: &[SymmetryOperation],
) -> Result<Vec<KPoint>, DftError> {
    ReducedMesh::new(cancellation, mesh, operations).map(|reduced| reduced.k_points)
}

/// The irreducible points of a mesh, and which of them stands for each point.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ReducedMesh {
    pub(crate) k_points: Vec<KPoint>,
    /// Index into the irreducible points of each point of the mesh, the last axis running fastest.
    pub(crate) representatives: Vec<u32>,
}

impl ReducedMesh {
    /// # Errors
    /// [`DftError::Cancelled`].
    pub(crate) fn new(
        cancellation: Cancellation<'_>,
        mesh: KMesh,
        operations: &[SymmetryOperation],
    ) -> Result<Self, DftError> {
        const NONE: u32 = u32::MAX;
        let mut pace = cancellation.pace();
        let [n1, n2, n3] = mesh.divisions.map(|n| n as usize);
        let total = n1 * n2 * n3;
        let position = |index: usize| -> Vector3 {
            let point = mesh.point([index / (n2 * n3), index / n3 % n2, index % n3]);
            point.map(|x| if x > 0.5 + 1e-9 { x - 1.0 } else { x })
        };
        let mut representatives = vec![NONE; total];
        let mut k_points = Vec::new();
        for first in 0..total {
            pace.spend(1)?;
            if representatives[first] != NONE {
                continue;
            }
            pace.spend(8 * operations.len())?;
            let representative = k_points.len() as u32;
            representatives[first] = representative;
            let mut star = 1;
            let k = position(first);
            for operation in operations {
                let turned = operation.rotate_wave_vector(k);
                for image in [turned, turned.map(|x| -x)] {
                    if let Some(index) = mesh.index_of(image)
                        && representatives[index] == NONE
                    {
                        representatives[index] = representative;
                        star += 1;
                    }
                }
            }
            k_points.push(KPoint {
                frac: k,
                weight: f64::from(star) / total as f64,
            });
        }
        Ok(Self {
            k_points,
            representatives,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Oracle: by hand, time reversal alone pairs up all points but the eight with 2k = 0.
    #[test]
    fn time_reversal_halves_the_mesh() {
        let mesh = KMesh::gamma_centred([4, 4, 4]);
        let points = irreducible_k_points(mesh, &[SymmetryOperation::identity()]);
        assert_eq!(points.len(), 8 + (64 - 8) / 2);
        let sum: f64 = points.iter().map(|point| point.weight).sum();
        assert!((sum - 1.0).abs() < 1e-12);
    }

    /// Oracle: by hand; a point of the mesh is alone, the middle of an edge has two neighbours.
    #[test]
    fn a_wave_vector_has_the_corners_of_its_cell_around_it() {
        let mesh = KMesh {
            divisions: [3, 2, 4],
            shifted: [false, true, false],
        };
        let third = 1.0 / 3.0;
        let around = |k| mesh.points_around(k);
        assert_eq!(around([-third, 0.25, 0.5]), vec![[-third, 0.25, 0.5]]);
        let edge = around([0.5, -0.25, 0.0]);
        assert_eq!(edge, vec![[third, -0.25, 0.0], [2.0 * third, -0.25, 0.0]]);
        assert_eq!(around([0.1, 0.0, 0.1]).len(), 8);
    }

    /// Oracle: by hand, a 2×2×2 mesh shifted by half a step has four pairs ±k.
    #[test]
    fn shifted_mesh() {
        let mesh = KMesh {
            divisions: [2; 3],
            shifted: [true; 3],
        };
        let points = irreducible_k_points(mesh, &[SymmetryOperation::identity()]);
        assert_eq!(points.len(), 4);
        assert!(points.iter().all(|point| point.weight == 0.25));
    }

    /// Oracle: by hand, a mesh of 1×1×2 points keeps of a cube's 48 operations the 16 that do not
    /// move the third axis elsewhere.
    #[test]
    fn mesh_with_less_symmetry_than_the_cube() {
        let signs = || [-1, 1].into_iter();
        let axes = [
            [0, 1, 2],
            [0, 2, 1],
            [1, 0, 2],
            [1, 2, 0],
            [2, 0, 1],
            [2, 1, 0],
        ];
        let mut kept = 0;
        for axes in axes {
            for (x, y, z) in
                signs().flat_map(|x| signs().flat_map(move |y| signs().map(move |z| (x, y, z))))
            {
                let mut rotation = [[0; 3]; 3];
                for (row, sign) in [x, y, z].into_iter().enumerate() {
                    rotation[row][axes[row]] = sign;
                }
                let operation = SymmetryOperation {
                    rotation,
                    translation: [0.0; 3],
                };
                let mesh = KMesh::gamma_centred([1, 1, 2]);
                kept += usize::from(mesh.is_invariant_under(&operation));
            }
        }
        assert_eq!(kept, 16);
    }
}
