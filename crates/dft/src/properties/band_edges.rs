//! Highest occupied and lowest unoccupied level.

use crate::scf::ScfResult;

/// Highest occupied and lowest unoccupied level on the k-mesh of the calculation.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BandEdges {
    /// Highest occupied level in hartree.
    pub homo_ha: f64,
    /// Lowest unoccupied level in hartree.
    pub lumo_ha: f64,
}

/// Electrons count as an even number up to this.
const ELECTRON_TOLERANCE: f64 = 1e-6;

impl BandEdges {
    /// With N electrons the largest eigenvalue of band N/2 and the smallest of the next, over all
    /// k-points.
    ///
    /// Fixed occupations: the levels as `pw.x` prints them, which may overlap. Smeared occupations:
    /// where these bands overlap, or band N/2 is half filled because N is odd, the crystal is a
    /// metal, and both levels are the Fermi level. Occupations themselves don't decide: smearing
    /// half empties levels below the gap of a narrow semiconductor, and a coarse mesh may have none
    /// near the Fermi level of a metal.
    ///
    /// `None` if no empty band was computed.
    pub fn of(result: &ScfResult) -> Option<Self> {
        let metal = |fermi_level_ha| Self {
            homo_ha: fermi_level_ha,
            lumo_ha: fermi_level_ha,
        };
        let Some(filled) = filled_bands(result) else {
            return result.fermi_level_ha.map(metal);
        };
        let edges = Self::between(&result.eigenvalues_ha, filled)?;
        match result.fermi_level_ha {
            Some(fermi_level_ha) if edges.gap_ha() == 0.0 => Some(metal(fermi_level_ha)),
            _ => Some(edges),
        }
    }

    /// The top of the bands below this index and the bottom of the others.
    pub(super) fn between(eigenvalues_ha: &[Vec<f64>], filled: usize) -> Option<Self> {
        let mut edges = Self {
            homo_ha: f64::NEG_INFINITY,
            lumo_ha: f64::INFINITY,
        };
        for levels in eigenvalues_ha {
            let (below, above) = levels.split_at(filled.min(levels.len()));
            edges.homo_ha = below.iter().copied().fold(edges.homo_ha, f64::max);
            edges.lumo_ha = above.iter().copied().fold(edges.lumo_ha, f64::min);
        }
        (edges.homo_ha.is_finite() && edges.lumo_ha.is_finite()).then_some(edges)
    }

    /// `LUMO − HOMO` in hartree, 0 where the bands overlap.
    pub fn gap_ha(&self) -> f64 {
        (self.lumo_ha - self.homo_ha).max(0.0)
    }
}

/// N/2, from `N = Σ w f`; `None` where N is not even.
fn filled_bands(result: &ScfResult) -> Option<usize> {
    let at_k_points = result.k_points.iter().zip(&result.occupations);
    let electrons: f64 = at_k_points
        .map(|(k, occupations)| k.weight * occupations.iter().sum::<f64>())
        .sum();
    let pairs = (electrons / 2.0).round();
    ((electrons - 2.0 * pairs).abs() < ELECTRON_TOLERANCE).then_some(pairs as usize)
}
