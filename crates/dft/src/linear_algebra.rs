//! Dense complex matrices, column by column, over `faer`.

use faer::{Accum, MatMut, MatRef, Par, Side, linalg::matmul::matmul};
use rustfft::num_complex::Complex64;

pub(crate) const ZERO: Complex64 = Complex64::new(0.0, 0.0);
pub(crate) const ONE: Complex64 = Complex64::new(1.0, 0.0);

/// `A†B` for `n × a` and `n × b` matrices: `a × b`.
pub(crate) fn adjoint_product(a: &[Complex64], b: &[Complex64], n: usize) -> Vec<Complex64> {
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
        if accumulate {
            Accum::Add
        } else {
            Accum::Replace
        },
        MatRef::from_column_major_slice(a, n, inner),
        MatRef::from_column_major_slice(b, inner, columns),
        Complex64::new(factor, 0.0),
        Par::Seq,
    );
}

/// Eigenvalues (ascending) and eigenvectors (columns) of a Hermitian matrix; `None` if the
/// iteration breaks down.
pub(crate) fn hermitian_eigen(
    matrix: &[Complex64],
    n: usize,
) -> Option<(Vec<f64>, Vec<Complex64>)> {
    let decomposition = MatRef::from_column_major_slice(matrix, n, n)
        .self_adjoint_eigen(Side::Lower)
        .ok()?;
    let values = (0..n).map(|i| decomposition.S()[i].re).collect();
    let vectors = decomposition.U();
    let columns = (0..n).flat_map(|j| (0..n).map(move |i| vectors[(i, j)]));
    Some((values, columns.collect()))
}

/// Makes the columns of `block` orthonormal in the overlap S, and orthogonal to the columns of
/// `basis`, which are orthonormal in it; directions that vanish in the process are dropped.
///
/// `s_basis` and `s_block` are S applied to the two (the columns themselves, and `None`, where S is
/// the identity); `s_block` follows the columns of `block`.
///
/// `W ← W − V (SV)†W`, then `W ← W U λ^{−1/2}` with `W†SW = U λ U†`; twice, since the first pass
/// loses digits when W lies almost within V. `None` if the linear algebra breaks down.
pub(crate) fn orthonormalize_against(
    basis: &[Complex64],
    s_basis: &[Complex64],
    block: &mut Vec<Complex64>,
    mut s_block: Option<&mut Vec<Complex64>>,
    n: usize,
) -> Option<()> {
    for _ in 0..2 {
        if !basis.is_empty() {
            let overlap = adjoint_product(s_basis, block, n);
            product_into(block, true, basis, &overlap, n, -1.0);
            if let Some(s_block) = &mut s_block {
                product_into(s_block, true, s_basis, &overlap, n, -1.0);
            }
        }
        let columns = block.len() / n;
        let gram = match &s_block {
            Some(s_block) => adjoint_product(block, s_block, n),
            None => adjoint_product(block, block, n),
        };
        let (lambda, vectors) = hermitian_eigen(&gram, columns)?;
        let largest = lambda.last().copied().unwrap_or(0.0);
        // Ascending: what is dropped comes first.
        let dropped = lambda.partition_point(|&l| l <= largest * DEPENDENCE_THRESHOLD);
        let mut combinations = vectors[dropped * columns..].to_vec();
        for (column, lambda) in combinations
            .chunks_exact_mut(columns.max(1))
            .zip(&lambda[dropped..])
        {
            for c in column {
                *c *= 1.0 / lambda.sqrt();
            }
        }
        let combine = |from: &mut Vec<Complex64>| {
            let mut to = vec![ZERO; (columns - dropped) * n];
            product_into(&mut to, false, from, &combinations, n, 1.0);
            *from = to;
        };
        combine(block);
        if let Some(s_block) = &mut s_block {
            combine(s_block);
        }
    }
    Some(())
}

/// Eigenvalues of a normalised overlap matrix below this share of the largest are rounding.
const DEPENDENCE_THRESHOLD: f64 = 1e-13;

/// `Σ |v|²`
pub(crate) fn norm2(v: &[Complex64]) -> f64 {
    v.iter().map(|c| c.norm_sqr()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Oracle: the definition, on vectors of which two are the same and one lies in the basis.
    #[test]
    fn dependent_vectors_are_dropped() {
        let n = 7;
        let vector = |seed: usize| -> Vec<Complex64> {
            (0..n)
                .map(|i| Complex64::cis((seed * 5 + i * i * (seed + 2)) as f64))
                .collect()
        };
        let mut basis = [vector(1), vector(2)].concat();
        orthonormalize_against(&[], &[], &mut basis, None, n).unwrap();
        assert_eq!(basis.len(), 2 * n);
        let mut block = [vector(3), vector(4), vector(3), vector(5)].concat();
        orthonormalize_against(&basis, &basis, &mut block, None, n).unwrap();
        assert_eq!(block.len(), 3 * n);
        let all = [basis, block].concat();
        for (index, value) in adjoint_product(&all, &all, n).into_iter().enumerate() {
            let expected = if index % 6 == 0 { 1.0 } else { 0.0 };
            assert!((value - expected).norm() < 1e-13);
        }
    }

    /// Oracle: the equation itself.
    #[test]
    fn eigenvectors_solve_the_equation() {
        let n = 5;
        let entry = |i: usize, j: usize| Complex64::cis((i * 7 + j * 3) as f64);
        let mut matrix = vec![ZERO; n * n];
        for j in 0..n {
            for i in 0..n {
                matrix[j * n + i] = entry(i, j) + entry(j, i).conj();
            }
        }
        let (values, vectors) = hermitian_eigen(&matrix, n).unwrap();
        let mut left = vec![ZERO; n * n];
        product_into(&mut left, false, &matrix, &vectors, n, 1.0);
        for j in 0..n {
            for i in 0..n {
                let difference = left[j * n + i] - vectors[j * n + i] * values[j];
                assert!(difference.norm() < 1e-12);
            }
        }
    }
}
