//! Projections of the bands, with the weights that forces and stress need.

use rustfft::num_complex::Complex64;

use super::projectors::Projectors;
use crate::terms::projector_matrices::ProjectorMatrices;

/// The projections of the bands at one k-point, one column per band.
pub(crate) struct CoupledProjections {
    /// `⟨β_j|ψ_n⟩`
    pub(super) projections: Vec<Complex64>,
    /// `w f_n Σ_j (D_ij − ε_n q_ij) ⟨β_j|ψ_n⟩`
    pub(super) coupled: Vec<Complex64>,
}

/// The bands of one k-point, and how they are filled.
pub(crate) struct FilledBands<'a> {
    /// Coefficients, one column per band.
    pub(crate) psi: &'a [Complex64],
    /// w of the k-point.
    pub(crate) weight: f64,
    /// f of each band.
    pub(crate) occupations: &'a [f64],
    /// ε of each band in hartree.
    pub(crate) eigenvalues_ha: &'a [f64],
}

impl CoupledProjections {
    /// One pass of the projectors over the bands, from which the non-local forces and stress are made.
    pub(crate) fn new(
        projectors: &Projectors<Complex64>,
        bands: &FilledBands<'_>,
        coupling: &ProjectorMatrices,
        overlap: Option<&ProjectorMatrices>,
    ) -> Self {
        let projections = projectors.project(bands.psi);
        let mut coupled = coupling.apply(&projections);
        let overlap = overlap.map(|overlap| overlap.apply(&projections));
        let side = projections.len() / bands.occupations.len().max(1);
        let levels = bands.eigenvalues_ha.iter().zip(bands.occupations);
        for (n, (level, occupation)) in levels.enumerate() {
            let range = n * side..(n + 1) * side;
            if let Some(overlap) = &overlap {
                for (c, q) in coupled[range.clone()]
                    .iter_mut()
                    .zip(&overlap[range.clone()])
                {
                    *c -= q * *level;
                }
            }
            for c in &mut coupled[range] {
                *c *= bands.weight * occupation;
            }
        }
        Self {
            projections,
            coupled,
        }
    }
}
