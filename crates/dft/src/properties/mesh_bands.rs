//! Bands on a mesh of k-points of their own, denser than that of the density.

use super::{
    band_edges::BandEdges,
    band_energies::{BandOptions, at_k_points},
    tetrahedra::Tetrahedra,
};
use crate::{
    DftError,
    basis::{KMesh, KPoint, PlaneWaveBasis, ReducedMesh},
    scf::ScfResult,
};

/// Electrons count as an even number up to this.
const ELECTRON_TOLERANCE: f64 = 1e-6;

/// Most points of a mesh, whose tetrahedra take 100 bytes each.
const MOST_POINTS: f64 = 4e6;

/// Band energies on a mesh, in the potential of a converged density that was found on another one.
#[derive(Debug, Clone)]
pub struct MeshBands {
    /// The mesh.
    pub k_mesh: KMesh,
    /// Its irreducible points.
    pub k_points: Vec<KPoint>,
    /// Band energies at each of them in hartree, ascending.
    pub energies_ha: Vec<Vec<f64>>,
    /// Number of electrons in the cell.
    pub electrons: f64,
    pub(super) tetrahedra: Tetrahedra,
}

impl MeshBands {
    /// Computes them; symmetry operations of the calculation that the mesh has too save k-points.
    ///
    /// # Errors
    /// As [`band_energies`](super::band_energies), and [`DftError::InvalidSetting`] for divisions out
    /// of range.
    pub fn of(
        basis: &PlaneWaveBasis,
        result: &ScfResult,
        k_mesh: KMesh,
        options: BandOptions<'_>,
    ) -> Result<Self, DftError> {
        k_mesh.check()?;
        if k_mesh.divisions.map(f64::from).iter().product::<f64>() > MOST_POINTS {
            return Err(DftError::InvalidSetting {
                setting: "k_mesh.divisions",
                found: format!("{:?}", k_mesh.divisions),
                expected: "divisions of up to four million points in all",
            });
        }
        let mut operations = basis.operations.clone();
        operations.retain(|operation| k_mesh.is_invariant_under(operation));
        let reduced = ReducedMesh::new(options.cancellation, k_mesh, &operations)?;
        let tetrahedra = Tetrahedra::new(&basis.model.cell, k_mesh, &reduced);
        Ok(Self {
            k_mesh,
            energies_ha: at_k_points(basis, result, &reduced.k_points, options)?,
            k_points: reduced.k_points,
            electrons: basis.model.electron_count(),
            tetrahedra,
        })
    }

    /// Of N electrons the largest energy of band N/2 and the smallest of the next on the mesh; where
    /// they overlap, or N is odd, both are the Fermi level of the linear tetrahedra.
    ///
    /// `None` if too few bands were computed.
    pub fn band_edges(&self) -> Option<BandEdges> {
        let pairs = (self.electrons / 2.0).round();
        let is_even = (self.electrons - 2.0 * pairs).abs() < ELECTRON_TOLERANCE;
        let edges = is_even
            .then(|| BandEdges::between(&self.energies_ha, pairs as usize))
            .flatten();
        match edges {
            Some(edges) if edges.gap_ha() > 0.0 => Some(edges),
            _ => self.tetrahedra_fermi_level_ha().map(|level| BandEdges {
                homo_ha: level,
                lumo_ha: level,
            }),
        }
    }

    /// Where the linear tetrahedra hold the electrons, in hartree; the top of the valence band where
    /// there is a gap. `None` if too few bands were computed.
    fn tetrahedra_fermi_level_ha(&self) -> Option<f64> {
        let all = || self.energies_ha.iter().flatten().copied();
        let mut low = all().fold(f64::INFINITY, f64::min);
        let mut high = all().fold(f64::NEG_INFINITY, f64::max);
        let states = |level: f64| 2.0 * self.tetrahedra.states_below(&self.energies_ha, level);
        if states(high) < self.electrons - ELECTRON_TOLERANCE {
            return None;
        }
        // Until nothing is left between two numbers.
        for _ in 0..200 {
            let middle = 0.5 * (low + high);
            if states(middle) < self.electrons - ELECTRON_TOLERANCE {
                low = middle;
            } else {
                high = middle;
            }
        }
        Some(high)
    }
}
