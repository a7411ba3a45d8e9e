//! Kinetic energy: `E = Σ f ½|k+G|² |c(G)|²`, operator `½|k+G|²`.

use crate::{basis::WaveBasis, linear_algebra::Scalar};

/// `out ← ½|k+G|² ψ` for a block of bands.
pub(crate) fn apply_kinetic<S: Scalar>(basis: &WaveBasis, psi: &[S], out: &mut [S]) {
    let n = basis.len();
    for (psi, out) in psi.chunks_exact(n).zip(out.chunks_exact_mut(n)) {
        for ((out, &psi), &kinetic) in out.iter_mut().zip(psi).zip(&basis.kinetic) {
            *out = psi * kinetic;
        }
    }
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
