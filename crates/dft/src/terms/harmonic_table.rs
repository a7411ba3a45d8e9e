//! Functions of |G| for each spherical harmonic, on the mesh of the form factors.

use crate::{
    pseudo::{Cubic, RadialTable},
    terms::pair_expansion::PairExpansion,
};

/// `m_LM(q) = Σ_f B_fM Q_f(q)` for all L up to some l_max.
///
/// Interpolation is linear in the nodes, so that the sum over the many radial functions Q_f is done
/// at the nodes of their tables, once per atom, and one function per (L, M) is left to interpolate.
#[derive(Debug, Clone)]
pub(crate) struct HarmonicTable {
    /// Number of (L, M).
    count: usize,
    /// Node by node.
    values: Vec<f64>,
}

impl HarmonicTable {
    /// Zero, on the mesh of the tables.
    pub(crate) fn zeros(expansion: &PairExpansion, tables: &[RadialTable]) -> Self {
        let nodes = tables
            .first()
            .map_or(Cubic::NODES, |table| table.nodes().len());
        let count = (expansion.l_max() + 1).pow(2);
        Self {
            count,
            values: vec![0.0; nodes * count],
        }
    }

    /// From the moments B.
    pub(crate) fn of_moments(
        expansion: &PairExpansion,
        tables: &[RadialTable],
        moments: &[f64],
    ) -> Self {
        let mut sum = Self::zeros(expansion, tables);
        for (f, (&l, table)) in expansion.function_l().iter().zip(tables).enumerate() {
            let moments = &moments[expansion.moments_of(f)];
            let rows = sum.values.chunks_exact_mut(sum.count);
            for (row, form) in rows.zip(table.nodes()) {
                for (sum, moment) in row[l * l..].iter_mut().zip(moments) {
                    *sum += form * moment;
                }
            }
        }
        sum
    }

    /// `m_LM(q)`
    pub(crate) fn values(&self, q: f64, out: &mut [f64]) {
        let cubic = self.cubic(q);
        self.combine(cubic.first, cubic.value_weights(), out);
    }

    /// `dm_LM/dq`
    pub(crate) fn derivatives(&self, q: f64, out: &mut [f64]) {
        let cubic = self.cubic(q);
        self.combine(cubic.first, cubic.derivative_weights(), out);
    }

    /// The transpose of [`Self::values`]: adds `w_i c_LM` to each node of weight w_i in a value at q.
    pub(crate) fn add_at(&mut self, q: f64, c: &[f64]) {
        let cubic = self.cubic(q);
        let rows = self.values[cubic.first * self.count..].chunks_exact_mut(self.count);
        for (row, weight) in rows.zip(cubic.value_weights()) {
            for (sum, c) in row.iter_mut().zip(c) {
                *sum += weight * c;
            }
        }
    }

    /// The transpose of [`Self::of_moments`]: `Σ_q Q_f(q) m_LM(q)` over the nodes.
    pub(crate) fn moments(&self, expansion: &PairExpansion, tables: &[RadialTable]) -> Vec<f64> {
        let mut moments = vec![0.0; expansion.moment_count()];
        for (f, (&l, table)) in expansion.function_l().iter().zip(tables).enumerate() {
            let moments = &mut moments[expansion.moments_of(f)];
            for (row, form) in self.values.chunks_exact(self.count).zip(table.nodes()) {
                for (moment, value) in moments.iter_mut().zip(&row[l * l..]) {
                    *moment += form * value;
                }
            }
        }
        moments
    }

    fn cubic(&self, q: f64) -> Cubic {
        Cubic::new(q, self.values.len() / self.count)
    }

    fn combine(&self, first: usize, weights: [f64; Cubic::NODES], out: &mut [f64]) {
        let row = |i: usize| self.values[(first + i) * self.count..].iter();
        let nodes = row(0).zip(row(1)).zip(row(2)).zip(row(3));
        for (out, (((a, b), c), d)) in out[..self.count].iter_mut().zip(nodes) {
            *out = weights[0] * a + weights[1] * b + weights[2] * c + weights[3] * d;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::pseudo::Pseudopotential;

    /// Oracle: the radial functions interpolated one by one and then summed; and the identity
    /// `⟨c, A B⟩ = ⟨Aᵀ c, B⟩` of a linear map and its transpose.
    #[test]
    fn sums_at_nodes_are_sums_anywhere() {
        let path = Path::new("/usr/share/espresso/pseudo/B.pbe-n-kjpaw_psl.1.0.0.UPF");
        if !path.exists() {
            crystalgym_testing::missing(&path.display().to_string());
            return;
        }
        let boron = Pseudopotential::from_upf_file(path).unwrap();
        let expansion = PairExpansion::new(&boron).unwrap();
        let tables = boron.augmentation_tables(9.0);
        let moments: Vec<f64> = (0..expansion.moment_count())
            .map(|i| (1.7 * i as f64).sin())
            .collect();
        let table = HarmonicTable::of_moments(&expansion, &tables, &moments);
        let count = table.count;
        assert_eq!(count, 9);
        for q in [0.0, 0.0034, 1.2345, 8.999] {
            let (mut values, mut derivatives) = (vec![0.0; count], vec![0.0; count]);
            for (f, &l) in expansion.function_l().iter().enumerate() {
                for (m, moment) in moments[expansion.moments_of(f)].iter().enumerate() {
                    values[l * l + m] += tables[f].value(q) * moment;
                    derivatives[l * l + m] += tables[f].derivative(q) * moment;
                }
            }
            let (mut found, mut slope) = (vec![0.0; count], vec![0.0; count]);
            table.values(q, &mut found);
            table.derivatives(q, &mut slope);
            for (a, b) in found.iter().zip(&values) {
                assert!((a - b).abs() < 1e-12, "{q}: {a} {b}");
            }
            for (a, b) in slope.iter().zip(&derivatives) {
                assert!((a - b).abs() < 1e-10, "{q}: {a} {b}");
            }

            let c: Vec<f64> = (0..count).map(|i| (0.9 * i as f64).cos()).collect();
            let mut transpose = HarmonicTable::zeros(&expansion, &tables);
            transpose.add_at(q, &c);
            let by_moment = transpose.moments(&expansion, &tables);
            let product = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
            let difference = product(&c, &found) - product(&by_moment, &moments);
            assert!(difference.abs() < 1e-12, "{q}: {difference}");
        }
    }
}
