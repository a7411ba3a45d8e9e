//! Form factors on a fine mesh in q, for inner loops.

use super::types::Pseudopotential;

/// Spacing in q of all tables, bohr⁻¹; the one `pw.x` uses.
const SPACING: f64 = 0.01;

/// A function of q ≥ 0 on an even mesh, interpolated by cubics through four points.
///
/// The error is bounded by 3/128 h⁴ max|f⁗|, with h = 0.01 bohr⁻¹ below 1e-9 of the largest value
/// for form factors.
#[derive(Debug, Clone, PartialEq)]
pub struct RadialTable {
    values: Vec<f64>,
}

impl RadialTable {
    /// Tabulates `f` so that [`value`](Self::value) holds up to `q_max` in bohr⁻¹.
    pub fn new(q_max: f64, f: impl Fn(f64) -> f64) -> Self {
        let count = (q_max / SPACING).ceil() as usize + 4;
        Self {
            values: (0..count).map(|i| f(i as f64 * SPACING)).collect(),
        }
    }

    /// Largest q that the table holds, in bohr⁻¹.
    pub fn q_max(&self) -> f64 {
        (self.values.len() - 4) as f64 * SPACING
    }

    /// f(q); beyond the table the last cubic goes on.
    pub fn value(&self, q: f64) -> f64 {
        let (nodes, t) = self.nodes(q);
        // Lagrange's polynomials through t = 0, 1, 2, 3
        let (u, v, w) = (1.0 - t, 2.0 - t, 3.0 - t);
        nodes[0] * u * v * w / 6.0 + nodes[1] * t * v * w / 2.0 - nodes[2] * t * u * w / 2.0
            + nodes[3] * t * u * v / 6.0
    }

    /// df/dq of the interpolating cubic.
    pub fn derivative(&self, q: f64) -> f64 {
        let (nodes, t) = self.nodes(q);
        let (u, v, w) = (1.0 - t, 2.0 - t, 3.0 - t);
        (-nodes[0] * (u * v + v * w + u * w) / 6.0 + nodes[1] * (v * w - t * w - t * v) / 2.0
            - nodes[2] * (u * w - t * w - t * u) / 2.0
            + nodes[3] * (u * v - t * v - t * u) / 6.0)
            / SPACING
    }

    /// The four values around q and the place of q among them in units of the spacing.
    fn nodes(&self, q: f64) -> ([f64; 4], f64) {
        let position = q / SPACING;
        let first = (position as usize).min(self.values.len() - 4);
        let nodes = std::array::from_fn(|i| self.values[first + i]);
        (nodes, position - first as f64)
    }
}

/// The tables of one pseudopotential.
///
/// Projectors, orbitals and augmentation charges, which `pw.x` interpolates too; the other form
/// factors are needed once per shell of the reciprocal lattice and are integrated directly.
#[derive(Debug, Clone, PartialEq)]
pub struct FormFactorTables {
    /// β_i(q) for each projector.
    pub projectors: Vec<RadialTable>,
    /// χ_i(q) for each atomic orbital.
    pub orbitals: Vec<RadialTable>,
    /// Q^L_ij(q) for each augmentation function.
    pub augmentation: Vec<RadialTable>,
}

impl FormFactorTables {
    /// Tabulates up to `q_max_wave` (projectors and orbitals, |k + G|) and `q_max_density`
    /// (augmentation charges, |G|), both in bohr⁻¹.
    pub fn new(potential: &Pseudopotential, q_max_wave: f64, q_max_density: f64) -> Self {
        let functions = potential
            .augmentation()
            .map_or(0, |augmentation| augmentation.functions.len());
        Self {
            projectors: (0..potential.projector_count())
                .map(|i| RadialTable::new(q_max_wave, |q| potential.projector(i, q)))
                .collect(),
            orbitals: (0..potential.orbitals().len())
                .map(|i| RadialTable::new(q_max_wave, |q| potential.orbital(i, q)))
                .collect(),
            augmentation: (0..functions)
                .map(|i| RadialTable::new(q_max_density, |q| potential.augmentation_charge(i, q)))
                .collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // Oracle: the function itself and its derivative, with the stated bounds of interpolation.
    #[test]
    fn interpolation_keeps_its_accuracy() {
        let table = RadialTable::new(3.0, |q| (2.0 * q).sin());
        for step in 0..3000 {
            let q = 1e-3 * f64::from(step);
            let bound = 3.0 / 128.0 * 1e-8 * 16.0;
            assert!((table.value(q) - (2.0 * q).sin()).abs() < 6.0 * bound);
            assert!((table.derivative(q) - 2.0 * (2.0 * q).cos()).abs() < 5e-6);
        }
        assert!(table.q_max() >= 3.0);
    }
}
