//! Products of tall matrices by several threads.
//!
//! Their columns are dealt with in parts whose number follows from the shape alone, so that the bits do not
//! depend on how many threads there are.

use std::num::NonZeroUsize;

use crate::{linear_algebra::Scalar, parallel::parallel_map};

/// Columns of a part at most.
const COLUMNS_AT_ONCE: usize = 40;

/// The length of all parts but the last.
pub(crate) fn columns_of_part(columns: usize) -> usize {
    let parts = columns.div_ceil(COLUMNS_AT_ONCE).max(1);
    columns.div_ceil(parts).max(1)
}

/// [`Scalar::adjoint_product`]
pub(crate) fn adjoint_product<S: Scalar>(
    threads: NonZeroUsize,
    a: &[S],
    b: &[S],
    n: usize,
) -> Vec<S> {
    let part = columns_of_part(b.len() / n) * n;
    if part >= b.len() {
        return S::adjoint_product(a, b, n);
    }
    parallel_map(threads, b.chunks(part), |b| S::adjoint_product(a, b, n)).concat()
}

/// [`Scalar::product_into`]
pub(crate) fn product_into<S: Scalar>(
    threads: NonZeroUsize,
    c: &mut [S],
    accumulate: bool,
    [a, b]: [&[S]; 2],
    n: usize,
    alpha: f64,
) {
    let inner = a.len() / n;
    let part = columns_of_part(c.len() / n);
    if part * n >= c.len() || inner == 0 {
        return S::product_into(c, accumulate, a, b, n, alpha);
    }
    let parts = c.chunks_mut(part * n).zip(b.chunks(part * inner));
    parallel_map(threads, parts, |(c, b)| {
        S::product_into(c, accumulate, a, b, n, alpha);
    });
}

#[cfg(test)]
mod tests {
    use rustfft::num_complex::Complex64;

    use super::*;

    fn numbers(count: usize, seed: usize) -> Vec<Complex64> {
        let number = |i: usize| Complex64::cis(((i + seed) * i % 89) as f64);
        (0..count).map(number).collect()
    }

    /// Identity: the whole product to rounding, the same bits on any number of threads; columns that fill one
    /// part, several, and the last only in part.
    #[test]
    fn parts_are_the_whole() {
        let n = 30;
        for (inner, columns) in [(3, 0), (0, 90), (3, 1), (50, 40), (7, 41), (90, 131)] {
            let (a, b) = (numbers(n * inner, 1), numbers(n * columns, 2));
            let coefficients = numbers(inner * columns, 3);
            let on = |threads: usize| {
                let threads = NonZeroUsize::new(threads).unwrap();
                let mut c = b.clone();
                product_into(threads, &mut c, true, [&a, &coefficients], n, -0.5);
                (adjoint_product(threads, &a, &b, n), c)
            };
            let (adjoint, sum) = on(1);
            assert_eq!((adjoint.clone(), sum.clone()), on(2));
            assert_eq!((adjoint.clone(), sum.clone()), on(5));
            let mut expected = b.clone();
            Complex64::product_into(&mut expected, true, &a, &coefficients, n, -0.5);
            for (found, expected) in sum.iter().zip(&expected) {
                assert!((found - expected).norm() < 1e-12);
            }
            let expected = Complex64::adjoint_product(&a, &b, n);
            assert_eq!(adjoint.len(), expected.len());
            for (found, expected) in adjoint.iter().zip(&expected) {
                assert!((found - expected).norm() < 1e-12);
            }
        }
    }
}
