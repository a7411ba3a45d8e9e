//! Kinetic energy: `E = Σ f ½|k+G|² |c(G)|²`, operator `½|k+G|²`.

use rustfft::num_complex::Complex64;

use crate::basis::WaveBasis;

/// `out ← ½|k+G|² ψ` for a block of bands.
pub(crate) fn apply_kinetic(basis: &WaveBasis, psi: &[Complex64], out: &mut [Complex64]) {
    let n = basis.len();
    for (psi, out) in psi.chunks_exact(n).zip(out.chunks_exact_mut(n)) {
        for ((out, psi), kinetic) in out.iter_mut().zip(psi).zip(&basis.kinetic) {
            *out = psi * kinetic;
        }
    }
}

/// `½|k+G|² |c(G)|²` summed, for one band.
pub(crate) fn kinetic_energy(basis: &WaveBasis, band: &[Complex64]) -> f64 {
    basis
        .kinetic
        .iter()
        .zip(band)
        .map(|(kinetic, c)| kinetic * c.norm_sqr())
        .sum()
}
