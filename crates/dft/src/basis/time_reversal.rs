//! Bands that time reversal makes real.

use std::{
    collections::HashMap,
    f64::consts::{FRAC_1_SQRT_2, SQRT_2},
};

use rustfft::num_complex::Complex64;

use super::k_point::KPoint;

/// Plane waves of a k-point that differs from −k by a reciprocal lattice vector: with each q = k + G they
/// hold −q.
///
/// Bands can be chosen real there, `c(−q) = c(q)*`, whatever the crystal's symmetry. One is then written as
/// many real numbers as there are waves, `√2 Re c(q)` in the place of the first wave of each pair and
/// `√2 Im c(q)` in that of the second: a unitary change, so that products between bands are those of the real
/// columns. At Γ the wave q = 0 has no partner and a real coefficient.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct TimeReversal {
    /// Indices of q and −q, the smaller first.
    pairs: Vec<[u32; 2]>,
    /// The index of q = 0.
    alone: Option<u32>,
}

impl TimeReversal {
    /// `None` where −k is another k-point.
    pub(crate) fn of(k_point: KPoint, miller: &[[i32; 3]]) -> Option<Self> {
        let twice = k_point.frac.map(|k| 2.0 * k);
        if twice.iter().any(|k| k.fract() != 0.0) {
            return None;
        }
        let twice = twice.map(|k| k as i32);
        let index_of: HashMap<[i32; 3], u32> = miller.iter().copied().zip(0..).collect();
        let mut pairs = Vec::with_capacity(miller.len() / 2);
        let mut alone = None;
        for (index, m) in (0..).zip(miller) {
            let opposite = std::array::from_fn(|axis| -m[axis] - twice[axis]);
            let partner = *index_of.get(&opposite)?;
            match partner.cmp(&index) {
                std::cmp::Ordering::Greater => pairs.push([index, partner]),
                std::cmp::Ordering::Equal => alone = Some(index),
                std::cmp::Ordering::Less => {}
            }
        }
        Some(Self { pairs, alone })
    }

    /// All pairs, and the wave that is alone as a pair with itself.
    pub(crate) fn pairs(&self) -> impl Iterator<Item = WavePair> {
        let pairs = self.pairs.iter().map(|&[q, opposite]| WavePair {
            q: q as usize,
            opposite: opposite as usize,
        });
        let alone = self.alone.map(|q| q as usize);
        pairs.chain(alone.map(|q| WavePair { q, opposite: q }))
    }

    /// The coefficients of all waves of a band, from its real numbers.
    pub(crate) fn coefficients(&self, numbers: &[f64]) -> Vec<Complex64> {
        let mut coefficients = vec![Complex64::new(0.0, 0.0); numbers.len()];
        for pair in self.pairs() {
            let c = pair.coefficient(numbers);
            coefficients[pair.q] = c;
            coefficients[pair.opposite] = c.conj();
        }
        coefficients
    }

    /// The real numbers of a band, from its coefficients.
    pub(crate) fn numbers(&self, coefficients: &[Complex64]) -> Vec<f64> {
        let mut numbers = vec![0.0; coefficients.len()];
        for pair in self.pairs() {
            pair.add(coefficients[pair.q], &mut numbers);
        }
        numbers
    }
}

/// The indices of the waves q and −q.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct WavePair {
    pub(crate) q: usize,
    pub(crate) opposite: usize,
}

impl WavePair {
    /// `c(q)` from the real numbers of a band.
    #[inline(always)]
    pub(crate) fn coefficient(self, numbers: &[f64]) -> Complex64 {
        match self.q == self.opposite {
            true => Complex64::new(numbers[self.q], 0.0),
            false => Complex64::new(numbers[self.q], numbers[self.opposite]) * FRAC_1_SQRT_2,
        }
    }

    /// Adds `c(q)` to the real numbers of a band.
    #[inline(always)]
    pub(crate) fn add(self, c: Complex64, numbers: &mut [f64]) {
        match self.q == self.opposite {
            true => numbers[self.q] += c.re,
            false => {
                numbers[self.q] += SQRT_2 * c.re;
                numbers[self.opposite] += SQRT_2 * c.im;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sphere(frac: [f64; 3], radius2: f64) -> (KPoint, Vec<[i32; 3]>) {
        let range = || -4..=4;
        let waves = range().flat_map(|i| range().map(move |j| (i, j)));
        let waves = waves.flat_map(|(i, j)| range().map(move |k| [i, j, k]));
        let inside = |m: &[i32; 3]| {
            let q = [0, 1, 2].map(|axis| f64::from(m[axis]) + frac[axis]);
            q.iter().map(|x| x * x).sum::<f64>() <= radius2
        };
        (KPoint { frac, weight: 1.0 }, waves.filter(inside).collect())
    }

    /// Identity: there and back; limits: products of real columns are those of the bands, each wave is in one
    /// pair, and only q = 0 is its own opposite.
    #[test]
    fn real_numbers_are_a_unitary_change() {
        for frac in [[0.0; 3], [0.5, 0.0, 0.0], [0.5, 0.5, -0.5]] {
            let (k_point, miller) = sphere(frac, 6.0);
            let reversal = TimeReversal::of(k_point, &miller).unwrap();
            let mut met = vec![0; miller.len()];
            for pair in reversal.pairs() {
                met[pair.q] += 1;
                met[pair.opposite] += 1;
                assert_eq!(
                    pair.q == pair.opposite,
                    miller[pair.q] == [0; 3] && frac == [0.0; 3]
                );
            }
            assert_eq!(
                met.iter().sum::<i32>() as usize,
                miller.len() + miller.len() % 2
            );
            let band = |seed: usize| -> Vec<f64> {
                (0..miller.len())
                    .map(|i| ((i * i + seed) as f64).sin())
                    .collect()
            };
            let (a, b) = (band(1), band(2));
            let (ca, cb) = (reversal.coefficients(&a), reversal.coefficients(&b));
            for (back, a) in reversal.numbers(&ca).iter().zip(&a) {
                assert!((back - a).abs() < 1e-15);
            }
            let real: f64 = a.iter().zip(&b).map(|(a, b)| a * b).sum();
            let complex: Complex64 = ca.iter().zip(&cb).map(|(a, b)| a.conj() * b).sum();
            assert!((complex - real).norm() < 1e-13);
        }
    }

    #[test]
    fn other_k_points_have_no_pairs() {
        let (k_point, miller) = sphere([0.25, 0.0, 0.0], 6.0);
        assert_eq!(TimeReversal::of(k_point, &miller), None);
        let (k_point, miller) = sphere([0.5, 0.0, 0.0], 6.0);
        assert_eq!(TimeReversal::of(k_point, &miller[1..]), None);
    }
}
