//! What the derivatives of the energy are computed from.

use std::{borrow::Cow, num::NonZeroUsize};

use rustfft::num_complex::Complex64;

use crate::{
    DftError,
    bands::Bands,
    basis::PlaneWaveBasis,
    cancellation::Cancellation,
    scf::{FixedTerms, KohnShamPotential, ScfResult},
    terms::projector_set::ProjectorSet,
};

/// The most that is kept of projectors: each is used a few times only.
const PROJECTOR_BYTES: usize = 64 << 20;

/// What the derivatives of the energy are computed from: the bands, and the potential and the
/// couplings of their density.
#[derive(Clone)]
pub(crate) struct GroundState<'a> {
    pub(super) basis: &'a PlaneWaveBasis,
    pub(super) result: &'a ScfResult,
    bands: &'a Bands<Complex64>,
    pub(super) terms: FixedTerms,
    pub(super) kohn_sham: KohnShamPotential,
    pub(super) projectors: ProjectorSet<Complex64>,
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
            bands,
            projectors: ProjectorSet::new(basis, PROJECTOR_BYTES, threads, cancellation)?,
            basis,
            result,
            terms,
            kohn_sham,
            threads,
            cancellation,
        })
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

    /// The bands with eigenvalues at the k-point of this index, one column each.
    pub(super) fn bands_at(&self, k: usize) -> Cow<'_, [Complex64]> {
        let count = self.result.eigenvalues_ha[k].len();
        self.bands.first(k, count * self.basis.waves[k].len())
    }
}
