//! Small sums over the components of a strain.

use crate::vector::{Matrix3, Vector3};

/// The six independent components of a symmetric tensor.
pub(crate) const COMPONENTS: [(usize, usize); 6] = [(0, 0), (1, 1), (2, 2), (0, 1), (0, 2), (1, 2)];

/// `sum += factor u vᵀ`
pub(crate) fn add_outer(sum: &mut Matrix3, factor: f64, u: Vector3, v: Vector3) {
    for (row, u) in sum.iter_mut().zip(u) {
        for (sum, v) in row.iter_mut().zip(v) {
            *sum += factor * u * v;
        }
    }
}

/// `sum += factor 1`
pub(crate) fn add_diagonal(sum: &mut Matrix3, factor: f64) {
    for (axis, row) in sum.iter_mut().enumerate() {
        row[axis] += factor;
    }
}

/// `½ (M + Mᵀ)`
pub(crate) fn symmetric_part(matrix: Matrix3) -> Matrix3 {
    std::array::from_fn(|a| std::array::from_fn(|b| 0.5 * (matrix[a][b] + matrix[b][a])))
}

/// What terms or k-points add to a tensor.
pub(crate) fn sum_of_tensors(parts: impl IntoIterator<Item = Matrix3>) -> Matrix3 {
    let mut sum = [[0.0; 3]; 3];
    for part in parts {
        for (sum, part) in sum.iter_mut().zip(part) {
            for (sum, part) in sum.iter_mut().zip(part) {
                *sum += part;
            }
        }
    }
    sum
}
