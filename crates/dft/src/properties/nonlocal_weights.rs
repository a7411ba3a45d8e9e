//! Projections of the bands, with the weights that forces and stress need.

use rustfft::num_complex::Complex64;

use super::ground_state::GroundState;
use crate::terms::nonlocal::Projectors;

/// The projections of the bands at one k-point, one column per band.
pub(super) struct CoupledProjections {
    /// `⟨β_j|ψ_n⟩`
    pub(super) projections: Vec<Complex64>,
    /// `w f_n Σ_j (D_ij − ε_n q_ij) ⟨β_j|ψ_n⟩`
    pub(super) coupled: Vec<Complex64>,
}

/// One pass of the projectors over the bands, from which the non-local forces and stress are made.
pub(super) fn coupled_projections(state: &GroundState<'_>, k: usize) -> CoupledProjections {
    let result = state.result;
    let bands = state.bands_at(k);
    let mut spare = Projectors::NONE;
    let projectors = state.projectors.at(state.basis, k, &mut spare);
    let projections = projectors.project(&bands);
    let mut coupled = state.kohn_sham.coupling.apply(&projections);
    let overlap = (state.terms.overlap.as_ref()).map(|overlap| overlap.apply(&projections));
    let side = projections.len() / result.occupations[k].len().max(1);
    let weight = result.k_points[k].weight;
    let bands = result.eigenvalues_ha[k].iter().zip(&result.occupations[k]);
    for (n, (level, occupation)) in bands.enumerate() {
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
            *c *= weight * occupation;
        }
    }
    CoupledProjections {
        projections,
        coupled,
    }
}
