use crate::scf::ScfResult;

/// Highest occupied and lowest unoccupied level on the k-mesh of the calculation.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BandEdges {
    /// Highest occupied level in hartree.
    pub homo_ha: f64,
    /// Lowest unoccupied level in hartree.
    pub lumo_ha: f64,
}

/// A band counts as occupied from this share of its two electrons on.
const OCCUPIED_SHARE: f64 = 1e-3;

impl BandEdges {
    /// The levels, as `pw.x` prints them for fixed occupations: the largest eigenvalue of the
    /// highest filled band and the smallest of the next. For smeared occupations a level counts
    /// as occupied from 1e-3 of its electrons on.
    ///
    /// `None` if no empty band was computed.
    pub fn of(result: &ScfResult) -> Option<Self> {
        let mut edges = Self {
            homo_ha: f64::NEG_INFINITY,
            lumo_ha: f64::INFINITY,
        };
        for (levels, occupations) in result.eigenvalues_ha.iter().zip(&result.occupations) {
            for (&level, &occupation) in levels.iter().zip(occupations) {
                if occupation / 2.0 > OCCUPIED_SHARE {
                    edges.homo_ha = edges.homo_ha.max(level);
                } else {
                    edges.lumo_ha = edges.lumo_ha.min(level);
                }
            }
        }
        (edges.homo_ha.is_finite() && edges.lumo_ha.is_finite()).then_some(edges)
    }

    /// `LUMO − HOMO` in hartree, 0 where the bands overlap.
    pub fn gap_ha(&self) -> f64 {
        (self.lumo_ha - self.homo_ha).max(0.0)
    }
}
