use std::f64::consts::TAU;

use rustfft::num_complex::Complex64;

use crate::vector::Vector3;

/// `e^{−iG·τ}` of one atom, as a product of three tables, one along each reciprocal axis.
#[derive(Debug, Clone)]
pub(crate) struct StructurePhases {
    tables: [Vec<Complex64>; 3],
    offsets: [i32; 3],
}

impl StructurePhases {
    /// Tables for Miller indices that occur in `miller`.
    pub(crate) fn new(frac: Vector3, miller: &[[i32; 3]]) -> Self {
        let mut low = [0; 3];
        let mut high = [0; 3];
        for m in miller {
            for i in 0..3 {
                low[i] = low[i].min(m[i]);
                high[i] = high[i].max(m[i]);
            }
        }
        let table = |i: usize| {
            (low[i]..=high[i])
                .map(|m| Complex64::cis(-TAU * f64::from(m) * frac[i]))
                .collect()
        };
        Self {
            tables: std::array::from_fn(table),
            offsets: low,
        }
    }

    pub(crate) fn phase(&self, miller: [i32; 3]) -> Complex64 {
        let along = |i: usize| self.tables[i][(miller[i] - self.offsets[i]) as usize];
        along(0) * along(1) * along(2)
    }
}
