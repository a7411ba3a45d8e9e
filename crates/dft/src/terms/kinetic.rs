//! Kinetic energy: `E = Σ f ½|k+G|² |c(G)|²`, operator `½|k+G|²`.

use pulp::{Arch, Simd, WithSimd};
use rustfft::num_complex::Complex64;

use super::strain::add_outer;
use crate::{basis::WaveBasis, cell::Cell, linear_algebra::Scalar, vector::Matrix3};

/// `out ← ½|k+G|² ψ` for a block of bands.
pub(crate) fn apply_kinetic<S: Scalar>(basis: &WaveBasis, psi: &[S], out: &mut [S]) {
    Arch::new().dispatch(Kinetic { basis, psi, out });
}

struct Kinetic<'a, S> {
    basis: &'a WaveBasis,
    psi: &'a [S],
    out: &'a mut [S],
}

impl<S: Scalar> WithSimd for Kinetic<'_, S> {
    type Output = ();

    /// One copy of the loops for each instruction set, with the same bits.
    #[inline(always)]
    fn with_simd<I: Simd>(self, _: I) {
        let n = self.basis.len();
        for (psi, out) in (self.psi.chunks_exact(n)).zip(self.out.chunks_exact_mut(n)) {
            for ((out, &psi), &kinetic) in out.iter_mut().zip(psi).zip(&self.basis.kinetic) {
                *out = psi * kinetic;
            }
        }
    }
}

/// What the bands of one k-point add to `∂E/∂ε_ab = −Σ w f q_a q_b |c(G)|²`, q = k + G: a strain shortens the
/// wave vectors.
pub(crate) fn kinetic_strain(
    cell: &Cell,
    waves: &WaveBasis,
    bands: &[Complex64],
    occupations: &[f64],
) -> Matrix3 {
    let mut charge = vec![0.0; waves.len()];
    for (band, occupation) in bands.chunks_exact(waves.len()).zip(occupations) {
        let weight = waves.k_point.weight * occupation;
        if weight == 0.0 {
            continue;
        }
        for (sum, c) in charge.iter_mut().zip(band) {
            *sum += weight * c.norm_sqr();
        }
    }
    let mut sum = [[0.0; 3]; 3];
    for (q, charge) in waves.q_cart(cell).into_iter().zip(charge) {
        add_outer(&mut sum, -charge, q, q);
    }
    sum
}

/// `½|k+G|² |c(G)|²` summed, for one band.
#[cfg(test)]
pub(crate) fn kinetic_energy<S: Scalar>(basis: &WaveBasis, band: &[S]) -> f64 {
    basis
        .kinetic
        .iter()
        .zip(band)
        .map(|(kinetic, c)| kinetic * c.norm_sqr())
        .sum()
}
