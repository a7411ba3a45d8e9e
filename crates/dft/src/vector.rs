//! Helpers for 3-vectors and 3×3 matrices.

pub(crate) type Vector3 = [f64; 3];
pub(crate) type Matrix3 = [[f64; 3]; 3];

pub(crate) fn dot(u: Vector3, v: Vector3) -> f64 {
    u[0] * v[0] + u[1] * v[1] + u[2] * v[2]
}

pub(crate) fn cross(u: Vector3, v: Vector3) -> Vector3 {
    [
        u[1] * v[2] - u[2] * v[1],
        u[2] * v[0] - u[0] * v[2],
        u[0] * v[1] - u[1] * v[0],
    ]
}

pub(crate) fn norm(v: Vector3) -> f64 {
    dot(v, v).sqrt()
}

pub(crate) fn subtract(u: Vector3, v: Vector3) -> Vector3 {
    std::array::from_fn(|i| u[i] - v[i])
}

/// `Σᵢ cᵢ rowᵢ`: the row vector `c` times the matrix.
pub(crate) fn combine_rows(c: Vector3, rows: Matrix3) -> Vector3 {
    std::array::from_fn(|x| (0..3).map(|i| c[i] * rows[i][x]).sum())
}
