//! Dense complex matrices, column by column, over `faer`.

use std::{
    num::NonZeroUsize,
    ops::{Add, AddAssign, DivAssign, Mul, MulAssign, Sub},
};

use faer::{Accum, MatMut, MatRef, Par, Side, linalg::matmul::matmul, reborrow::ReborrowMut};
use rustfft::num_complex::{Complex32, Complex64};

use crate::parallel::parallel_map_with;

pub(crate) const ZERO: Complex64 = Complex64::new(0.0, 0.0);
#[cfg(test)]
pub(crate) const ONE: Complex64 = Complex64::new(1.0, 0.0);

/// The numbers that bands are made of: complex, or real where inversion or time reversal makes them so.
pub(crate) trait Scalar:
    Copy
    + Send
    + Sync
    + std::fmt::Debug
    + Add<Output = Self>
    + Sub<Output = Self>
    + Mul<f64, Output = Self>
    + AddAssign
    + MulAssign<f64>
    + DivAssign<f64>
    + 'static
{
    /// The same in single precision.
    type Single: Copy + Send + Sync + std::fmt::Debug;

    fn from_real(x: f64) -> Self;

    fn narrowed(self) -> Self::Single;

    fn widened(single: Self::Single) -> Self;

    /// The number, or its real part where the scalar is real.
    fn of_complex(z: Complex64) -> Self;

    /// The scalar as a complex number.
    fn to_complex(self) -> Complex64;

    fn conjugate(self) -> Self;

    /// The product of two.
    fn times(self, other: Self) -> Self;

    /// `|z|²`
    fn norm_sqr(self) -> f64;

    /// `Re a* b`
    fn real_product(a: Self, b: Self) -> f64;

    /// `A†B` for `n × a` and `n × b` matrices: `a × b`.
    fn adjoint_product(a: &[Self], b: &[Self], n: usize) -> Vec<Self>;

    /// `C = A B`, or `C += α A B`, for an `n × m` and an `m × columns` matrix.
    fn product_into(c: &mut [Self], accumulate: bool, a: &[Self], b: &[Self], n: usize, alpha: f64);

    /// `A ← A B` for an `n × m` and an `m × columns` matrix with no more columns than A has, some rows
    /// at a time: the memory of another A is not needed.
    fn multiply_in_place(a: &mut Vec<Self>, b: &[Self], n: usize, threads: NonZeroUsize);

    /// Eigenvalues (ascending) and eigenvectors (columns) of a Hermitian matrix; `None` if the
    /// iteration breaks down.
    fn hermitian_eigen(matrix: &[Self], n: usize) -> Option<(Vec<f64>, Vec<Self>)>;
}

/// Rows of a product that is made in place.
const ROWS_AT_ONCE: usize = 512;

/// A matrix in pieces of so many rows.
fn pieces<S>(matrix: MatMut<'_, S>) -> Vec<MatMut<'_, S>> {
    let mut pieces = Vec::new();
    let mut rest = matrix;
    while rest.nrows() > ROWS_AT_ONCE {
        let (piece, left) = rest.split_at_row_mut(ROWS_AT_ONCE);
        pieces.push(piece);
        rest = left;
    }
    pieces.push(rest);
    pieces
}

/// The matrix operations over `faer`, the same for both kinds of numbers.
macro_rules! matrix_operations {
    () => {
        fn adjoint_product(a: &[Self], b: &[Self], n: usize) -> Vec<Self> {
            let (columns_a, columns_b) = (a.len() / n, b.len() / n);
            let mut product = vec![Self::from_real(0.0); columns_a * columns_b];
            if !product.is_empty() {
                matmul(
                    MatMut::from_column_major_slice_mut(&mut product, columns_a, columns_b),
                    Accum::Replace,
                    MatRef::from_column_major_slice(a, n, columns_a).adjoint(),
                    MatRef::from_column_major_slice(b, n, columns_b),
                    Self::from_real(1.0),
                    Par::Seq,
                );
            }
            product
        }

        fn product_into(
            c: &mut [Self],
            accumulate: bool,
            a: &[Self],
            b: &[Self],
            n: usize,
            alpha: f64,
        ) {
            let inner = a.len() / n;
            let columns = c.len() / n;
            debug_assert_eq!(b.len(), inner * columns);
            if c.is_empty() {
                return;
            }
            if inner == 0 {
                if !accumulate {
                    c.fill(Self::from_real(0.0));
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
                Self::from_real(alpha),
                Par::Seq,
            );
        }

        fn multiply_in_place(a: &mut Vec<Self>, b: &[Self], n: usize, threads: NonZeroUsize) {
            let inner = a.len() / n.max(1);
            if inner == 0 {
                return;
            }
            let columns = b.len() / inner;
            debug_assert!(columns <= inner);
            if columns > 0 {
                let b = MatRef::from_column_major_slice(b, inner, columns);
                let pieces = pieces(MatMut::from_column_major_slice_mut(a, n, inner));
                let multiply = |memory: &mut Vec<Self>, mut rows: MatMut<'_, Self>| {
                    memory.resize(rows.nrows() * columns, Self::from_real(0.0));
                    let mut product =
                        MatMut::from_column_major_slice_mut(memory, rows.nrows(), columns);
                    let one = Self::from_real(1.0);
                    matmul(&mut product, Accum::Replace, &rows, b, one, Par::Seq);
                    rows.rb_mut().subcols_mut(0, columns).copy_from(&product);
                };
                parallel_map_with(threads, pieces, Vec::new, multiply);
            }
            a.truncate(columns * n);
        }

        fn hermitian_eigen(matrix: &[Self], n: usize) -> Option<(Vec<f64>, Vec<Self>)> {
            if n == 0 {
                return Some((Vec::new(), Vec::new()));
            }
            let decomposition = MatRef::from_column_major_slice(matrix, n, n)
                .self_adjoint_eigen(Side::Lower)
                .ok()?;
            let values = (0..n)
                .map(|i| decomposition.S()[i].to_complex().re)
                .collect();
            let vectors = decomposition.U();
            let columns = (0..n).flat_map(|j| (0..n).map(move |i| vectors[(i, j)]));
            Some((values, columns.collect()))
        }
    };
}

impl Scalar for Complex64 {
    type Single = Complex32;

    fn from_real(x: f64) -> Self {
        Self::new(x, 0.0)
    }

    fn narrowed(self) -> Complex32 {
        Complex32::new(self.re as f32, self.im as f32)
    }

    fn widened(single: Complex32) -> Self {
        Self::new(single.re.into(), single.im.into())
    }

    fn of_complex(z: Complex64) -> Self {
        z
    }

    fn to_complex(self) -> Complex64 {
        self
    }

    fn conjugate(self) -> Self {
        self.conj()
    }

    fn times(self, other: Self) -> Self {
        self * other
    }

    fn norm_sqr(self) -> f64 {
        self.re * self.re + self.im * self.im
    }

    fn real_product(a: Self, b: Self) -> f64 {
        a.re * b.re + a.im * b.im
    }

    matrix_operations!();
}

impl Scalar for f64 {
    type Single = f32;

    fn from_real(x: f64) -> Self {
        x
    }

    fn narrowed(self) -> f32 {
        self as f32
    }

    fn widened(single: f32) -> Self {
        single.into()
    }

    fn of_complex(z: Complex64) -> Self {
        z.re
    }

    fn to_complex(self) -> Complex64 {
        Complex64::new(self, 0.0)
    }

    fn conjugate(self) -> Self {
        self
    }

    fn times(self, other: Self) -> Self {
        self * other
    }

    fn norm_sqr(self) -> f64 {
        self * self
    }

    fn real_product(a: Self, b: Self) -> f64 {
        a * b
    }

    matrix_operations!();
}

/// `Σ |v|²`, in eight sums side by side, which do not wait for each other.
pub(crate) fn norm2<S: Scalar>(v: &[S]) -> f64 {
    const LANES: usize = 8;
    let mut sums = [0.0; LANES];
    let blocks = v.chunks_exact(LANES);
    let rest: f64 = blocks.remainder().iter().map(|c| c.norm_sqr()).sum();
    for block in blocks {
        for (sum, c) in sums.iter_mut().zip(block) {
            *sum += c.norm_sqr();
        }
    }
    sums.iter().sum::<f64>() + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Identity: Σ n² = n (n + 1) (2n + 1) / 6, with and without numbers beyond the last whole block.
    #[test]
    fn a_norm_is_the_sum_of_all_squares() {
        for n in 0_u32..40 {
            let numbers: Vec<f64> = (1..=n).map(f64::from).collect();
            assert_eq!(norm2(&numbers), f64::from(n * (n + 1) * (2 * n + 1) / 6));
        }
    }

    /// Identity: the product that is made elsewhere; 512 rows are multiplied at once.
    #[test]
    fn a_product_in_place_is_the_product() {
        for n in [0, 3, 512, 1100] {
            let (inner, columns) = (4, 3);
            let number = |i: usize| Complex64::cis((i * i % 97) as f64);
            let a: Vec<Complex64> = (0..n * inner).map(number).collect();
            let b: Vec<Complex64> = (0..inner * columns).map(number).collect();
            let mut expected = vec![ZERO; n * columns];
            for j in 0..columns {
                for i in 0..n {
                    let terms = (0..inner).map(|k| a[k * n + i] * b[j * inner + k]);
                    expected[j * n + i] = terms.sum();
                }
            }
            let mut product = a;
            let threads = NonZeroUsize::new(2).unwrap();
            Complex64::multiply_in_place(&mut product, &b, n, threads);
            assert_eq!(product.len(), expected.len());
            for (found, expected) in product.iter().zip(&expected) {
                assert!((found - expected).norm() < 1e-14);
            }
            Complex64::multiply_in_place(&mut product, &[], n, threads);
            assert!(product.is_empty());
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
        let (values, vectors) = Complex64::hermitian_eigen(&matrix, n).unwrap();
        let mut left = vec![ZERO; n * n];
        Complex64::product_into(&mut left, false, &matrix, &vectors, n, 1.0);
        for j in 0..n {
            for i in 0..n {
                let difference = left[j * n + i] - vectors[j * n + i] * values[j];
                assert!(difference.norm() < 1e-12);
            }
        }
    }
}
