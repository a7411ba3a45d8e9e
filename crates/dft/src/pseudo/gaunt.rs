//! Integrals of three real spherical harmonics.

use std::f64::consts::PI;

use super::spherical_harmonics::real_spherical_harmonics;

/// Gaunt coefficients ⟨Y_a Y_b Y_c⟩ = ∫ Y_a Y_b Y_c dΩ of real spherical harmonics, with which
/// Y_a Y_b = Σ_c ⟨Y_a Y_b Y_c⟩ Y_c.
///
/// a and b run up to l = `l_max`, c up to 2 `l_max`; all are indexed by
/// [`harmonic_index`](super::harmonic_index).
#[derive(Debug, Clone)]
pub struct GauntTable {
    l_max: usize,
    /// For each (a, b): the c that do not vanish and their coefficients.
    entries: Vec<Vec<(usize, f64)>>,
}

impl GauntTable {
    /// Integrates over the sphere: Gauss–Legendre in cos θ times equal steps in φ, both of a size
    /// that is exact for the degree 4 `l_max` of the integrand.
    pub fn new(l_max: usize) -> Self {
        let count = (l_max + 1) * (l_max + 1);
        let count_c = (2 * l_max + 1) * (2 * l_max + 1);
        let mut sums = vec![0.0; count * count * count_c];
        for ([x, y, z], weight) in sphere_quadrature(4 * l_max) {
            let harmonics = real_spherical_harmonics(2 * l_max, [x, y, z]);
            for a in 0..count {
                for b in 0..count {
                    let product = weight * harmonics[a] * harmonics[b];
                    let row = (a * count + b) * count_c;
                    for (sum, c) in sums[row..row + count_c].iter_mut().zip(&harmonics) {
                        *sum += product * c;
                    }
                }
            }
        }
        // Nonzero coefficients are larger than 1e-2; the rest is rounding.
        let entries = sums
            .chunks(count_c)
            .map(|row| {
                row.iter()
                    .copied()
                    .enumerate()
                    .filter(|(_, value)| value.abs() > 1e-10)
                    .collect()
            })
            .collect();
        Self { l_max, entries }
    }

    /// The (c, ⟨Y_a Y_b Y_c⟩) that do not vanish, by ascending c.
    pub fn products(&self, a: usize, b: usize) -> &[(usize, f64)] {
        let count = (self.l_max + 1) * (self.l_max + 1);
        &self.entries[a * count + b]
    }

    /// ⟨Y_a Y_b Y_c⟩.
    pub fn coefficient(&self, a: usize, b: usize, c: usize) -> f64 {
        self.products(a, b)
            .iter()
            .find(|(index, _)| *index == c)
            .map_or(0.0, |(_, value)| *value)
    }
}

/// Directions and weights (sum 4π) that integrate harmonics up to `degree` exactly.
pub fn sphere_quadrature(degree: usize) -> Vec<([f64; 3], f64)> {
    let n_phi = degree + 1;
    let mut points = Vec::new();
    for (z, weight) in gauss_legendre(degree / 2 + 1) {
        let rho = (1.0 - z * z).sqrt();
        for k in 0..n_phi {
            // The half step keeps the points off the axes, where gradients in angle are singular.
            let phi = 2.0 * PI * (k as f64 + 0.5) / n_phi as f64;
            points.push((
                [rho * phi.cos(), rho * phi.sin(), z],
                weight * 2.0 * PI / n_phi as f64,
            ));
        }
    }
    points
}

/// Nodes and weights of the n-point Gauss–Legendre rule on [−1, 1], by Newton's method on P_n.
fn gauss_legendre(n: usize) -> Vec<(f64, f64)> {
    let order = n as f64;
    (0..n)
        .map(|i| {
            let mut x = (PI * (i as f64 + 0.75) / (order + 0.5)).cos();
            let mut slope = 1.0;
            for _ in 0..20 {
                let (mut below, mut p) = (0.0, 1.0);
                for k in 1..=n {
                    let k = k as f64;
                    (below, p) = (p, ((2.0 * k - 1.0) * x * p - (k - 1.0) * below) / k);
                }
                slope = order * (x * p - below) / (x * x - 1.0);
                let step = p / slope;
                x -= step;
                if step.abs() < 1e-16 {
                    break;
                }
            }
            (x, 2.0 / ((1.0 - x * x) * slope * slope))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    // Oracle: the product identity Y_a Y_b = Σ_c ⟨Y_a Y_b Y_c⟩ Y_c at directions that the
    // quadrature never visits.
    #[test]
    fn coefficients_expand_products() {
        let gaunt = GauntTable::new(3);
        for q in [[0.3, -0.5, 0.7], [-1.0, 0.2, -0.4], [0.01, 2.0, 0.3]] {
            let y = real_spherical_harmonics(6, q);
            for a in 0..16 {
                for b in 0..16 {
                    let sum: f64 = gaunt.products(a, b).iter().map(|&(c, g)| g * y[c]).sum();
                    assert!((sum - y[a] * y[b]).abs() < 1e-13, "{a} {b}");
                }
            }
        }
        assert!((gaunt.coefficient(0, 5, 5) - (0.25 / PI).sqrt()).abs() < 1e-14);
        assert_eq!(gaunt.coefficient(0, 5, 4), 0.0);
    }
}
