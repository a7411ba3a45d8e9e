//! Dense complex matrices, column by column, over `faer`.

use faer::{Accum, MatMut, MatRef, Par, Side, linalg::matmul::matmul};
use rustfft::num_complex::Complex64;

pub(crate) const ZERO: Complex64 = Complex64::new(0.0, 0.0);
pub(crate) const ONE: Complex64 = Complex64::new(1.0, 0.0);

/// `A†B` for `n × a` and `n × b` matrices: `a × b`.
pub(crate) fn adjoint_product(
    a: &[Complex64],
    b: &[Complex64],
    n: usize,
) -> Vec<Complex64> {
    let (columns_a, columns_b) = (a.len() / n, b.len() / n);
    let mut product = vec![ZERO; columns_a * columns_b];
    if !product.is_empty() {
        matmul(
            MatMut::from_column_major_slice_mut(&mut product, columns_a, columns_b),
            Accum::Replace,
            MatRef::from_column_major_slice(a, n, columns_a).adjoint(),
            MatRef::from_column_major_slice(b, n, columns_b),
            ONE,
            Par::Seq,
        );
    }
    product
}

/// `C = A B`, or `C += α A B`, for an `n × m` and an `m × columns` matrix.
pub(crate) fn product_into(
    c: &mut [Complex64],
    accumulate: bool,
    a: &[Complex64],
    b: &[Complex64],
    n: usize,
    factor: f64,
) {
    let inner = a.len() / n;
    let columns = c.len() / n;
    debug_assert_eq!(b.len(), inner * columns);
    if c.is_empty() {
        return;
    }
    if inner == 0 {
        if !accumulate {
            c.fill(ZERO);
        }
        return;
    }
    matmul(
        MatMut::from_column_major_slice_mut(c, n, columns),
        if accumulate { Accum::Add } else { Accum::Replace },
        MatRef::from_column_major_slice(a, n, inner),
        MatRef::from_column_major_slice(b, inner, columns),
        Complex64::new(factor, 0.0),
        Par::Seq,
    );
}

/// Eigenvalues (ascending) and eigenvectors (columns) of a Hermitian matrix; `None` if the
/// iteration breaks down.
pub(crate) fn hermitian_eigen(matrix: &[Complex64], n: usize) -> Option<(Vec<f64>, Vec<Complex64>)> {
    let decomposition = MatRef::from_column_major_slice(matrix, n, n)
        .self_adjoint_eigen(Side::Lower)
        .ok()?;
    let values = (0..n).map(|i| decomposition.S()[i].re).collect();
    let vectors = decomposition.U();
    let columns = (0..n).flat_map(|j| (0..n).map(move |i| vectors[(i, j)]));
    Some((values, columns.collect()))
}

/// The lowest solutions of `H c = ε S c`, `c†Sc = 1`, by reduction with the Cholesky factor of S:
/// `S = LL†`, `(L⁻¹HL⁻†) y = ε y`, `c = L⁻†y`. `None` if S is not positive definite.
pub(crate) fn generalised_eigen(
    h: &[Complex64],
    s: &[Complex64],
    n: usize,
) -> Option<(Vec<f64>, Vec<Complex64>)> {
    let factor = MatRef::from_column_major_slice(s, n, n).llt(Side::Lower).ok()?;
    let l = factor.L();
    let mut reduced = h.to_vec();
    // A ← L⁻¹H, then (L⁻¹A†)† = L⁻¹ H L⁻†
    l.solve_lower_triangular_in_place(MatMut::from_column_major_slice_mut(&mut reduced, n, n));
    conjugate_transpose(&mut reduced, n);
    l.solve_lower_triangular_in_place(MatMut::from_column_major_slice_mut(&mut reduced, n, n));
    let (values, mut vectors) = hermitian_eigen(&reduced, n)?;
    l.adjoint()
        .solve_upper_triangular_in_place(MatMut::from_column_major_slice_mut(&mut vectors, n, n));
    Some((values, vectors))
}

fn conjugate_transpose(matrix: &mut [Complex64], n: usize) {
    for j in 0..n {
        matrix[j * n + j] = matrix[j * n + j].conj();
        for i in 0..j {
            let upper = matrix[j * n + i];
            matrix[j * n + i] = matrix[i * n + j].conj();
            matrix[i * n + j] = upper.conj();
        }
    }
}

/// `Σ |v|²`
pub(crate) fn norm2(v: &[Complex64]) -> f64 {
    v.iter().map(|c| c.norm_sqr()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Oracle: the equation itself, on a fixed matrix pair.
    #[test]
    fn generalised_eigenvectors_solve_the_equation() {
        let n = 5;
        let entry = |i: usize, j: usize| {
            let x = (i * 7 + j * 3) as f64;
            Complex64::new(x.sin(), x.cos())
        };
        let raw: Vec<Complex64> = (0..n * n).map(|k| entry(k % n, k / n)).collect();
        let mut h = vec![ZERO; n * n];
        for j in 0..n {
            for i in 0..n {
                h[j * n + i] = raw[j * n + i] + raw[i * n + j].conj();
            }
        }
        let mut s = adjoint_product(&raw, &raw, n);
        for i in 0..n {
            s[i * n + i] += 1.0;
        }
        let (values, vectors) = generalised_eigen(&h, &s, n).unwrap();
        let mut left = vec![ZERO; n * n];
        let mut right = vec![ZERO; n * n];
        product_into(&mut left, false, &h, &vectors, n, 1.0);
        product_into(&mut right, false, &s, &vectors, n, 1.0);
        for j in 0..n {
            for i in 0..n {
                let difference = left[j * n + i] - right[j * n + i] * values[j];
                assert!(difference.norm() < 1e-11);
            }
        }
        let overlap = adjoint_product(&vectors, &right, n);
        for j in 0..n {
            for i in 0..n {
                let expected = if i == j { 1.0 } else { 0.0 };
                assert!((overlap[j * n + i] - expected).norm() < 1e-11);
            }
        }
    }
}
