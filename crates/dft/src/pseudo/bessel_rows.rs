//! Spherical Bessel functions of all orders at many arguments, several at once.

use pulp::{Arch, Simd, WithSimd};

/// What j_0 … j_l at many arguments are made of, for one largest order.
///
/// The branches of [`spherical_bessel`](super::radial::spherical_bessel), each over a run of the
/// arguments: the power series below l + 1, the upward recursion above.
#[derive(Debug, Clone)]
pub(super) struct BesselRows {
    /// For each order, the coefficients of `x^l (−x²/2)^k`, as many as matter below l + 1.
    series: Vec<Vec<f64>>,
}

impl BesselRows {
    pub(super) fn new(orders: usize) -> Self {
        Self {
            series: (0..orders).map(series_coefficients).collect(),
        }
    }

    /// Number of orders.
    pub(super) fn orders(&self) -> usize {
        self.series.len()
    }

    /// Fills one row an order with j_l(x); the arguments ascend from zero or more, and their sines and
    /// cosines are given.
    pub(super) fn fill(&self, x: &[f64], sin: &[f64], cos: &[f64], rows: &mut [&mut [f64]]) {
        Arch::new().dispatch(Filling {
            series: &self.series,
            x,
            sin,
            cos,
            rows,
        });
    }
}

/// `1 / ((2l+1)!! k! (2l+3)(2l+5)…(2l+2k+1))`, up to what rounding hides at x = l + 1.
fn series_coefficients(l: usize) -> Vec<f64> {
    let half_square = 0.5 * ((l + 1) * (l + 1)) as f64;
    let first: f64 = (0..=l).map(|k| 1.0 / (2 * k + 1) as f64).product();
    let mut coefficients = vec![first];
    let (mut coefficient, mut largest, mut term) = (first, first, first);
    while term > 1e-19 * largest {
        let k = coefficients.len();
        let ratio = 1.0 / (k * (2 * (l + k) + 1)) as f64;
        coefficient *= ratio;
        term *= ratio * half_square;
        largest = term.max(largest);
        coefficients.push(coefficient);
    }
    coefficients
}

struct Filling<'a, 'b> {
    series: &'a [Vec<f64>],
    x: &'a [f64],
    sin: &'a [f64],
    cos: &'a [f64],
    rows: &'a mut [&'b mut [f64]],
}

impl WithSimd for Filling<'_, '_> {
    type Output = ();

    /// One copy of the loops for each instruction set, with the same bits.
    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        for (l, series) in self.series.iter().enumerate() {
            let below = self.x.partition_point(|&x| x < (l + 1) as f64);
            let (lower, rest) = self.rows.split_at_mut(l);
            let (head, tail) = rest[0].split_at_mut(below);
            power_series(l, series, &self.x[..below], head);
            let x = &self.x[below..];
            match lower {
                [] => {
                    for ((j, x), sin) in tail.iter_mut().zip(x).zip(&self.sin[below..]) {
                        *j = sin / x;
                    }
                }
                [zeroth] => {
                    let lower = zeroth[below..].iter().zip(&self.cos[below..]);
                    for ((j, x), (j0, cos)) in tail.iter_mut().zip(x).zip(lower) {
                        *j = (j0 - cos) / x;
                    }
                }
                [.., second, last] => {
                    // j_l = (2l−1)/x j_{l−1} − j_{l−2}
                    let factor = (2 * l - 1) as f64;
                    let lower = last[below..].iter().zip(&second[below..]);
                    for ((j, x), (last, second)) in tail.iter_mut().zip(x).zip(lower) {
                        *j = factor / x * last - second;
                    }
                }
            }
        }
    }
}

/// `x^l Σ_k c_k (−x²/2)^k`
#[inline(always)]
fn power_series(l: usize, coefficients: &[f64], x: &[f64], out: &mut [f64]) {
    const BLOCK: usize = 16;
    for (x, out) in x.chunks(BLOCK).zip(out.chunks_mut(BLOCK)) {
        let mut square = [0.0; BLOCK];
        let mut power = [1.0; BLOCK];
        for ((square, power), x) in square.iter_mut().zip(&mut power).zip(x) {
            *square = -0.5 * x * x;
            for _ in 0..l {
                *power *= x;
            }
        }
        let mut sum = [0.0; BLOCK];
        for c in coefficients.iter().rev() {
            for (sum, square) in sum.iter_mut().zip(&square) {
                *sum = *sum * square + c;
            }
        }
        for (out, (sum, power)) in out.iter_mut().zip(sum.iter().zip(&power)) {
            *out = sum * power;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pseudo::radial::spherical_bessel;

    /// Oracle: the functions one by one, which have their own.
    #[test]
    fn rows_are_the_functions() {
        const ORDERS: usize = 8;
        let x: Vec<f64> = (0..900).map(|i| f64::from(i * i) * 5e-5).collect();
        let sin: Vec<f64> = x.iter().map(|x| x.sin()).collect();
        let cos: Vec<f64> = x.iter().map(|x| x.cos()).collect();
        let mut values = vec![vec![0.0; x.len()]; ORDERS];
        let mut rows: Vec<&mut [f64]> = values.iter_mut().map(|row| &mut row[..]).collect();
        BesselRows::new(ORDERS).fill(&x, &sin, &cos, &mut rows);
        for (l, row) in values.iter().enumerate() {
            for (&x, &found) in x.iter().zip(row) {
                let expected = spherical_bessel(l, x);
                let bound = 4e-15 * expected.abs().max(1e-2);
                assert!(
                    (found - expected).abs() <= bound,
                    "{l} {x}: {found} {expected}"
                );
            }
        }
    }
}
