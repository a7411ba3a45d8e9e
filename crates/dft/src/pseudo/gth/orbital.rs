//! An atomic orbital as a sum of Gaussians.

use std::f64::consts::PI;

use super::gaussian::gaussian_transform;

/// R(r) = r^l Σ_k c_k e^{−a_k r²}, normalised.
#[derive(Debug, Clone, PartialEq)]
pub(in super::super) struct AtomicOrbital {
    /// Number of the shell of this l, from 0.
    pub(in super::super) shell: usize,
    pub(in super::super) l: usize,
    pub(in super::super) occupation: f64,
    /// (a_k, c_k).
    pub(super) gaussians: Vec<(f64, f64)>,
}

impl AtomicOrbital {
    /// r R(r).
    pub(in super::super) fn radial(&self, r: f64) -> f64 {
        let terms = self.gaussians.iter();
        r.powi(self.l as i32 + 1) * terms.map(|(a, c)| c * (-a * r * r).exp()).sum::<f64>()
    }

    /// 4π ∫ r² R(r) j_l(qr) dr.
    pub(in super::super) fn transform(&self, q: f64) -> f64 {
        let terms = self.gaussians.iter();
        4.0 * PI
            * terms
                .map(|&(a, c)| c * gaussian_transform(self.l, 0, a, q))
                .sum::<f64>()
    }

    /// Σ over pairs of c_k c_k' f(l, a_k + a_k'), for integrals of R².
    pub(in super::super) fn density_sum(&self, f: impl Fn(usize, f64) -> f64) -> f64 {
        let mut sum = 0.0;
        for &(a, c) in &self.gaussians {
            for &(b, d) in &self.gaussians {
                sum += c * d * f(self.l, a + b);
            }
        }
        sum
    }
}
