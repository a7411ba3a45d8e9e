//! Symmetric tensors as six numbers, in Mandel's order and weights: xx, yy, zz, √2 yz, √2 xz, √2 xy.
//!
//! With these weights lengths and rotations are those of an ordinary space of six dimensions; Voigt's
//! matrices, which texts list, follow by [`to_voigt`].

use std::f64::consts::SQRT_2;

/// A tensor of second rank.
pub(crate) type Matrix3 = [[f64; 3]; 3];
pub(super) type Vector6 = [f64; 6];
pub(super) type Matrix6 = [[f64; 6]; 6];

/// The components in Voigt's order.
const COMPONENTS: [(usize, usize); 6] = [(0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1)];
const WEIGHTS: Vector6 = [1.0, 1.0, 1.0, SQRT_2, SQRT_2, SQRT_2];

/// The six numbers of a symmetric tensor (of its symmetric part).
pub(super) fn to_vector(tensor: &Matrix3) -> Vector6 {
    std::array::from_fn(|m| {
        let (i, j) = COMPONENTS[m];
        WEIGHTS[m] * 0.5 * (tensor[i][j] + tensor[j][i])
    })
}

/// The symmetric tensor of six numbers.
pub(super) fn to_tensor(vector: &Vector6) -> Matrix3 {
    let mut tensor = [[0.0; 3]; 3];
    for (m, (i, j)) in COMPONENTS.into_iter().enumerate() {
        tensor[i][j] = vector[m] / WEIGHTS[m];
        tensor[j][i] = tensor[i][j];
    }
    tensor
}

/// The matrix between tensors `σ = C e` in Voigt's notation, where e holds twice the shears.
pub(super) fn to_voigt(matrix: &Matrix6) -> Matrix6 {
    std::array::from_fn(|m| std::array::from_fn(|n| matrix[m][n] / (WEIGHTS[m] * WEIGHTS[n])))
}

/// `R T Rᵀ`
pub(super) fn rotated(tensor: &Matrix3, rotation: &Matrix3) -> Matrix3 {
    let mut sum = [[0.0; 3]; 3];
    for (i, row) in sum.iter_mut().enumerate() {
        for (j, sum) in row.iter_mut().enumerate() {
            for (k, tensor) in tensor.iter().enumerate() {
                for (l, tensor) in tensor.iter().enumerate() {
                    *sum += rotation[i][k] * tensor * rotation[j][l];
                }
            }
        }
    }
    sum
}

/// `sum += u vᵀ`
pub(super) fn add_outer(sum: &mut Matrix6, u: &Vector6, v: &Vector6) {
    for (row, u) in sum.iter_mut().zip(u) {
        for (sum, v) in row.iter_mut().zip(v) {
            *sum += u * v;
        }
    }
}

pub(super) fn multiply(a: &Matrix6, b: &Matrix6) -> Matrix6 {
    std::array::from_fn(|i| std::array::from_fn(|j| (0..6).map(|k| a[i][k] * b[k][j]).sum()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Oracle: by hand, `σ_yz = C_44 · 2 ε_yz` in Voigt's notation.
    #[test]
    fn voigt_counts_a_shear_twice() {
        let strain = to_tensor(&[0.1, 0.2, 0.3, 0.4, 0.5, 0.6]);
        assert_eq!(strain[0][0], 0.1);
        assert_eq!(strain[1][2], strain[2][1]);
        assert!((strain[0][1] - 0.6 / SQRT_2).abs() < 1e-15);
        let back = to_vector(&strain);
        assert!((back[3] - 0.4).abs() < 1e-15 && (back[5] - 0.6).abs() < 1e-15);
        // Hooke's law of an isotropic solid with shear modulus 7: σ = 14 ε for a shear.
        let mut matrix = [[0.0; 6]; 6];
        matrix[3][3] = 14.0;
        assert!((to_voigt(&matrix)[3][3] - 7.0).abs() < 1e-14);
    }
}
