//! Mirror planes through an atom.

use crate::{
    cell::Cell,
    model::Model,
    symmetry::{SymmetryOperation, image_of_atoms},
    vector::{Matrix3, Vector3, combine_rows, cross, dot},
};

/// Up to two mirror planes at right angles through an atom, as those of y and z in a frame of their own.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Mirrors {
    /// The unit vectors along x, y and z of the frame, one a row.
    frame: Matrix3,
    /// Whether y → −y and z → −z are symmetries.
    is_mirror: [bool; 2],
}

/// Components nearer than this are the same.
const TOLERANCE: f64 = 1e-9;
/// Directions nearer than this to a mirror plane lie in it.
const IN_PLANE: f64 = 1e-12;

impl Mirrors {
    /// None.
    pub(super) const NONE: Self = Self {
        frame: [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]],
        is_mirror: [false; 2],
    };

    /// Two planes with these normals, if they are at right angles, and else one of them. The frame is the
    /// crystal's own where normals are along y and z.
    fn of_normals(mut normals: Vec<Vector3>) -> Self {
        let [x, y, z] = Self::NONE.frame;
        let along = |a: Vector3, b: Vector3| (dot(a, b) - 1.0).abs() < TOLERANCE;
        normals.sort_by_key(|&normal| match normal {
            normal if along(normal, z) => 0,
            normal if along(normal, y) => 1,
            _ => 2,
        });
        for (index, &first) in normals.iter().enumerate() {
            let second = (normals[index + 1..].iter()).find(|n| dot(first, **n).abs() < TOLERANCE);
            if let Some(&second) = second {
                return Self {
                    frame: [cross(second, first), second, first],
                    is_mirror: [true, true],
                };
            }
        }
        match normals.first() {
            None => Self::NONE,
            Some(&normal) if along(normal, z) => Self {
                is_mirror: [false, true],
                ..Self::NONE
            },
            Some(&normal) => {
                // Any direction within the plane, z if it is one.
                let beside = match dot(normal, z).abs() < TOLERANCE {
                    true => z,
                    false => unit(cross(normal, if normal[0].abs() < 0.9 { x } else { y })),
                };
                Self {
                    frame: [cross(normal, beside), normal, beside],
                    is_mirror: [true, false],
                }
            }
        }
    }

    /// A vector of the frame along the crystal's axes.
    pub(super) fn to_crystal(&self, vector: Vector3) -> Vector3 {
        combine_rows(vector, self.frame)
    }

    /// The operations that the planes generate, as signs of x, y and z in the frame.
    pub(super) fn operations(&self) -> Vec<Vector3> {
        let [y, z] = self.is_mirror.map(|is_mirror| match is_mirror {
            true => vec![1.0, -1.0],
            false => vec![1.0],
        });
        let pairs = z.iter().flat_map(|&z| y.iter().map(move |&y| [1.0, y, z]));
        pairs.collect()
    }

    /// One of each set of points that are each other's images, in the frame, with their weights' sum. The
    /// points must come with their images.
    pub(super) fn representatives(&self, mut points: Vec<(Vector3, f64)>) -> Vec<(Vector3, f64)> {
        for (axis, is_mirror) in [1, 2].into_iter().zip(self.is_mirror) {
            if is_mirror {
                points.retain(|(point, _)| point[axis] > -IN_PLANE);
                for (point, weight) in &mut points {
                    if point[axis] > IN_PLANE {
                        *weight *= 2.0;
                    }
                }
            }
        }
        points
    }
}

/// A vector with other signs.
pub(super) fn mirrored(signs: Vector3, vector: Vector3) -> Vector3 {
    std::array::from_fn(|axis| signs[axis] * vector[axis])
}

/// The planes through each atom.
pub(super) fn mirrors_of_atoms(model: &Model, operations: &[SymmetryOperation]) -> Vec<Mirrors> {
    let mut normals = vec![Vec::new(); model.atoms.len()];
    for operation in operations {
        let Some(normal) = mirror_normal(operation, &model.cell) else {
            continue;
        };
        let images = image_of_atoms(model, operation).unwrap_or_default();
        for (atom, image) in images.into_iter().enumerate() {
            if image == atom {
                normals[atom].push(normal);
            }
        }
    }
    normals.into_iter().map(Mirrors::of_normals).collect()
}

/// The normal of a reflection `1 − 2 n nᵀ`, its largest component positive; `None` for other rotations.
fn mirror_normal(operation: &SymmetryOperation, cell: &Cell) -> Option<Vector3> {
    let r = operation.cartesian_rotation(cell);
    let determinant = dot(r[0], cross(r[1], r[2]));
    let trace = r[0][0] + r[1][1] + r[2][2];
    if determinant > 0.0 || (trace - 1.0).abs() > TOLERANCE {
        return None;
    }
    let largest = (0..3).min_by(|&i, &j| r[i][i].total_cmp(&r[j][j]))?;
    let mut column: Vector3 = std::array::from_fn(|i| -r[i][largest]);
    column[largest] += 1.0;
    Some(unit(column))
}

fn unit(vector: Vector3) -> Vector3 {
    let length = dot(vector, vector).sqrt();
    vector.map(|x| x / length)
}
