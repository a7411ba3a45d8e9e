//! 3×3 helpers for the few places that need more than a dot product.

use crate::CrystalError;

pub(crate) type Matrix3 = [[f64; 3]; 3];

pub(crate) const IDENTITY: Matrix3 = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]];

pub(crate) fn multiply(a: Matrix3, b: Matrix3) -> Matrix3 {
    std::array::from_fn(|i| std::array::from_fn(|j| (0..3).map(|k| a[i][k] * b[k][j]).sum()))
}

pub(crate) fn transpose(a: Matrix3) -> Matrix3 {
    std::array::from_fn(|i| std::array::from_fn(|j| a[j][i]))
}

/// The column vector `a · x`.
pub(crate) fn apply(a: Matrix3, x: [f64; 3]) -> [f64; 3] {
    a.map(|row| dot(row, x))
}

pub(crate) fn determinant(a: Matrix3) -> f64 {
    dot(a[0], cross(a[1], a[2]))
}

pub(crate) fn dot(u: [f64; 3], v: [f64; 3]) -> f64 {
    u[0] * v[0] + u[1] * v[1] + u[2] * v[2]
}

/// # Errors
/// [`CrystalError::InvalidLattice`] for a singular matrix.
pub(crate) fn inverse(a: Matrix3) -> Result<Matrix3, CrystalError> {
    let volume = determinant(a);
    if volume.abs() < f64::MIN_POSITIVE {
        return Err(CrystalError::InvalidLattice(format!("{a:?} is singular")));
    }
    let rows = [cross(a[1], a[2]), cross(a[2], a[0]), cross(a[0], a[1])];
    Ok(transpose(rows.map(|row| scale(row, 1.0 / volume))))
}

pub(crate) fn cross(u: [f64; 3], v: [f64; 3]) -> [f64; 3] {
    [
        u[1] * v[2] - u[2] * v[1],
        u[2] * v[0] - u[0] * v[2],
        u[0] * v[1] - u[1] * v[0],
    ]
}

pub(crate) fn add(u: [f64; 3], v: [f64; 3]) -> [f64; 3] {
    std::array::from_fn(|i| u[i] + v[i])
}

pub(crate) fn subtract(u: [f64; 3], v: [f64; 3]) -> [f64; 3] {
    std::array::from_fn(|i| u[i] - v[i])
}

pub(crate) fn scale(u: [f64; 3], factor: f64) -> [f64; 3] {
    u.map(|x| x * factor)
}
