//! Goedecker–Teter–Hutter pseudopotentials in closed form.

use std::f64::consts::{PI, TAU};

use crystalgym_crystal::Element;

use super::{
    gaussian::{gamma_half, gaussian_transform, gaussian_transform_derivative},
    orbital::AtomicOrbital,
};

/// Parameters of a Goedecker–Teter–Hutter pseudopotential, in Hartree atomic units.
///
/// V_loc(r) = −Z/r erf(r/√2 r_loc) + e^{−x²/2} (C₁ + C₂x² + C₃x⁴ + C₄x⁶), x = r/r_loc, and
/// V_nl = Σ_l Σ_ij |p_i^l⟩ h_ij^l ⟨p_j^l| with
/// p_i^l(r) = √2 r^{l+2(i−1)} e^{−r²/2r_l²} / (r_l^{l+(4i−1)/2} √Γ(l+(4i−1)/2)).
///
/// # Source
/// Hartwigsen, Goedecker and Hutter, PRB 58, 3641 (1998), eqs. (1), (2) and (3).
#[derive(Debug, Clone, PartialEq)]
pub struct GthParameters {
    /// The element.
    pub element: Element,
    /// Name of the parameter set, such as `GTH-PBE-q4`.
    pub name: String,
    /// Number of valence electrons.
    pub z_valence: f64,
    /// r_loc in bohr.
    pub r_local: f64,
    /// C₁, C₂, … in hartree.
    pub local: Vec<f64>,
    /// The projectors of each l.
    pub channels: Vec<GthChannel>,
    /// The orbitals of the free pseudo-atom.
    pub(in super::super) orbitals: Vec<AtomicOrbital>,
}

/// The projectors of one angular momentum.
#[derive(Debug, Clone, PartialEq)]
pub struct GthChannel {
    /// r_l in bohr.
    pub radius: f64,
    /// h_ij in hartree, n × n row by row.
    pub coupling: Vec<f64>,
    /// Number of projectors n.
    pub count: usize,
}

impl GthParameters {
    /// (l, i) of each projector, i from 0.
    pub(in super::super) fn projectors(&self) -> impl Iterator<Item = (usize, usize)> {
        self.channels
            .iter()
            .enumerate()
            .flat_map(|(l, channel)| (0..channel.count).map(move |i| (l, i)))
    }

    /// h_ij over all projectors, n × n row by row.
    pub(in super::super) fn coupling(&self) -> Vec<f64> {
        let projectors: Vec<_> = self.projectors().collect();
        let mut coupling = Vec::with_capacity(projectors.len().pow(2));
        for &(l, i) in &projectors {
            for &(other, j) in &projectors {
                let channel = &self.channels[l];
                coupling.push(if l == other {
                    channel.coupling[i * channel.count + j]
                } else {
                    0.0
                });
            }
        }
        coupling
    }

    /// Plane-wave cutoff in rydberg above which the kinetic energy of the free atom's valence
    /// orbitals is below 1 mHa per electron, in steps of 5 Ry.
    ///
    /// Measured on the orbitals, ∫_{q_c}^∞ q²/2 φ(q)² q² dq / (2π)³; total energies of crystals
    /// converge about as fast, differences of energies faster.
    ///
    /// # Source
    /// The criterion of Rappe, Rabe, Kaxiras and Joannopoulos, PRB 41, 1227 (1990).
    pub fn recommended_cutoff_ry(&self) -> f64 {
        const TOLERANCE_HA: f64 = 1e-3;
        const STEP: f64 = 0.05;
        const Q_MAX: f64 = 40.0;
        let tolerance = TOLERANCE_HA * self.z_valence;
        let mut tail = 0.0;
        let mut q = Q_MAX;
        while q > 0.0 && tail < tolerance {
            let shells = self.orbitals.iter();
            let density: f64 = shells
                .map(|orbital| orbital.occupation * orbital.transform(q).powi(2))
                .sum();
            tail += STEP * 0.5 * q.powi(4) * density / TAU.powi(3);
            q -= STEP;
        }
        // q² is the energy in rydberg.
        5.0 * (q * q / 5.0).ceil()
    }

    /// V_loc(r) in hartree.
    pub fn local_at(&self, r: f64) -> f64 {
        let x2 = (r / self.r_local).powi(2);
        let scaled = r / (2f64.sqrt() * self.r_local);
        let coulomb = if scaled < 1e-6 {
            // erf(y)/y → 2/√π
            2.0 / PI.sqrt() / (2f64.sqrt() * self.r_local)
        } else {
            super::super::radial::erf(scaled) / r
        };
        let polynomial = self.local.iter().rev().fold(0.0, |sum, c| sum * x2 + c);
        -self.z_valence * coulomb + (-0.5 * x2).exp() * polynomial
    }

    /// r p(r) of projector `index`.
    pub(in super::super) fn projector_at(&self, index: usize, r: f64) -> f64 {
        let Some((l, i)) = self.projectors().nth(index) else {
            return 0.0;
        };
        let radius = self.channels[l].radius;
        projector_norm(l, i, radius)
            * r.powi((l + 2 * i + 1) as i32)
            * (-0.5 * (r / radius).powi(2)).exp()
    }

    /// V(q) = −4πZ/q² e^{−y²/2} + √(8π³) r_loc³ e^{−y²/2} (C₁ + C₂(3−y²) + …), y = q r_loc; at
    /// q = 0 without the divergent −4πZ/q². The powers come from ∫ r^{2+2n} e^{−r²/2r_loc²} j₀.
    pub(in super::super) fn local(&self, q: f64) -> f64 {
        let a = 0.5 / (self.r_local * self.r_local);
        let short: f64 = self.gaussian_sum(|n| gaussian_transform(0, n, a, q));
        if q < 1e-8 {
            return short + TAU * self.z_valence * self.r_local * self.r_local;
        }
        short - 4.0 * PI * self.z_valence / (q * q) * (-q * q / (4.0 * a)).exp()
    }

    /// dV/dq for q > 0.
    pub(in super::super) fn local_derivative(&self, q: f64) -> f64 {
        let a = 0.5 / (self.r_local * self.r_local);
        self.gaussian_sum(|n| gaussian_transform_derivative(0, n, a, q))
            + 4.0
                * PI
                * self.z_valence
                * (-q * q / (4.0 * a)).exp()
                * (2.0 / (q * q * q) + 1.0 / (2.0 * a * q))
    }

    /// 4π Σ_n C_{n+1} r_loc^{−2n} transform(n).
    fn gaussian_sum(&self, transform: impl Fn(usize) -> f64) -> f64 {
        let terms = self.local.iter().enumerate();
        4.0 * PI
            * terms
                .map(|(n, c)| c * self.r_local.powi(-2 * n as i32) * transform(n))
                .sum::<f64>()
    }

    /// 4π ∫ r² p(r) j_l(qr) dr.
    pub(in super::super) fn projector(&self, index: usize, q: f64) -> f64 {
        self.projector_transform(index, |l, i, a| gaussian_transform(l, i, a, q))
    }

    /// Derivative of [`projector`](Self::projector).
    pub(in super::super) fn projector_derivative(&self, index: usize, q: f64) -> f64 {
        self.projector_transform(index, |l, i, a| gaussian_transform_derivative(l, i, a, q))
    }

    fn projector_transform(
        &self,
        index: usize,
        transform: impl Fn(usize, usize, f64) -> f64,
    ) -> f64 {
        let Some((l, i)) = self.projectors().nth(index) else {
            return 0.0;
        };
        let radius = self.channels[l].radius;
        4.0 * PI * projector_norm(l, i, radius) * transform(l, i, 0.5 / (radius * radius))
    }

    /// 4π ∫ r² R(r) j_l(qr) dr of orbital `index`.
    pub(in super::super) fn orbital(&self, index: usize, q: f64) -> f64 {
        self.orbitals[index].transform(q)
    }

    /// Density of the free pseudo-atom, ∫ Σ n_l r² R_l² j₀(qr) dr.
    pub(in super::super) fn atomic_density(&self, q: f64) -> f64 {
        self.density_transform(|n, a| gaussian_transform(0, n, a, q))
    }

    /// Derivative of [`atomic_density`](Self::atomic_density).
    pub(in super::super) fn atomic_density_derivative(&self, q: f64) -> f64 {
        self.density_transform(|n, a| gaussian_transform_derivative(0, n, a, q))
    }

    fn density_transform(&self, transform: impl Fn(usize, f64) -> f64) -> f64 {
        self.orbitals
            .iter()
            .map(|orbital| orbital.occupation * orbital.density_sum(&transform))
            .sum()
    }
}

impl GthChannel {
    pub(super) fn from_triangle(radius: f64, triangle: &[f64]) -> Self {
        let count = (0..)
            .find(|n| n * (n + 1) / 2 >= triangle.len())
            .unwrap_or(0);
        let mut coupling = vec![0.0; count * count];
        let mut values = triangle.iter();
        for i in 0..count {
            for j in i..count {
                if let Some(&h) = values.next() {
                    coupling[i * count + j] = h;
                    coupling[j * count + i] = h;
                }
            }
        }
        Self {
            radius,
            coupling,
            count,
        }
    }
}

/// √2 / (r_l^{l+(4i−1)/2} √Γ(l+(4i−1)/2)) with i from 1; here `i` counts from 0.
fn projector_norm(l: usize, i: usize, radius: f64) -> f64 {
    // l + (4(i+1) − 1)/2 = (l + 2i + 1) + ½
    let whole = l + 2 * i + 1;
    2f64.sqrt() / (radius.powf(whole as f64 + 0.5) * gamma_half(whole).sqrt())
}

#[cfg(test)]
mod tests;
