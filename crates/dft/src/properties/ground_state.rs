//! What the derivatives of the energy are computed from.

use std::{num::NonZeroUsize, sync::Arc};

use crate::{
    DftError,
    bands::{BandContractions, BandWeights},
    basis::PlaneWaveBasis,
    cancellation::Cancellation,
    scf::{FixedTerms, KohnShamPotential, ScfResult},
};

/// What the derivatives of the energy are computed from: sums over the bands, and the potential and the
/// couplings of their density.
#[derive(Clone)]
pub(crate) struct GroundState<'a> {
    pub(super) basis: &'a PlaneWaveBasis,
    pub(super) result: &'a ScfResult,
    pub(super) bands: Arc<dyn BandContractions + 'a>,
    pub(super) terms: FixedTerms,
    pub(super) kohn_sham: KohnShamPotential,
    pub(super) threads: NonZeroUsize,
    pub(super) cancellation: Cancellation<'a>,
}

impl<'a> GroundState<'a> {
    pub(crate) fn new(
        basis: &'a PlaneWaveBasis,
        result: &'a ScfResult,
        threads: NonZeroUsize,
        cancellation: Cancellation<'a>,
    ) -> Result<Self, DftError> {
        let Some(bands) = &result.bands else {
            return Err(DftError::NoBands { end: result.end });
        };
        let terms = FixedTerms::new(basis, cancellation)?;
        let kohn_sham = terms.evaluate(basis, &result.density, threads, cancellation)?;
        Ok(Self {
            bands: bands.contractions(basis, threads, cancellation)?,
            basis,
            result,
            terms,
            kohn_sham,
            threads,
            cancellation,
        })
    }

    /// What the bands are weighted with.
    pub(super) fn weights(&self) -> BandWeights<'_> {
        BandWeights {
            occupations: &self.result.occupations,
            eigenvalues_ha: &self.result.eigenvalues_ha,
            coupling: &self.kohn_sham.coupling,
            overlap: self.terms.overlap.as_ref(),
        }
    }

    /// The same, asking another whether to go on.
    #[cfg(test)]
    pub(crate) fn asking<'b>(&self, cancellation: Cancellation<'b>) -> GroundState<'b>
    where
        'a: 'b,
    {
        GroundState {
            cancellation,
            ..self.clone()
        }
    }
}
