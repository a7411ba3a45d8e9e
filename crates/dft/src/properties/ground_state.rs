use std::{borrow::Cow, num::NonZeroUsize};

use rustfft::num_complex::Complex64;

use crate::{
    DftError,
    bands::Bands,
    basis::PlaneWaveBasis,
    scf::{FixedTerms, KohnShamPotential, ScfResult},
    terms::projector_set::ProjectorSet,
};

/// The most that is kept of projectors: each is used a few times only.
const PROJECTOR_BYTES: usize = 64 << 20;

/// What the derivatives of the energy are computed from: the bands, and the potential and the
/// couplings of their density.
pub(super) struct GroundState<'a> {
    pub(super) basis: &'a PlaneWaveBasis,
    pub(super) result: &'a ScfResult,
    bands: &'a Bands<Complex64>,
    pub(super) terms: FixedTerms,
    pub(super) kohn_sham: KohnShamPotential,
    pub(super) projectors: ProjectorSet<Complex64>,
    pub(super) threads: NonZeroUsize,
}

impl<'a> GroundState<'a> {
    pub(super) fn new(
        basis: &'a PlaneWaveBasis,
        result: &'a ScfResult,
        threads: NonZeroUsize,
    ) -> Result<Self, DftError> {
        let Some(bands) = &result.bands else {
            return Err(DftError::NoBands { end: result.end });
        };
        let terms = FixedTerms::new(basis, &|| false)?;
        let kohn_sham = terms.evaluate(basis, &result.density, threads);
        Ok(Self {
            bands,
            projectors: ProjectorSet::new(basis, PROJECTOR_BYTES, threads),
            basis,
            result,
            terms,
            kohn_sham,
            threads,
        })
    }

    /// The bands with eigenvalues at the k-point of this index, one column each.
    pub(super) fn bands_at(&self, k: usize) -> Cow<'_, [Complex64]> {
        let count = self.result.eigenvalues_ha[k].len();
        self.bands.first(k, count * self.basis.waves[k].len())
    }
}
