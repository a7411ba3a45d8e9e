use std::num::NonZeroUsize;

use rustfft::num_complex::Complex64;

use crate::{
    basis::PlaneWaveBasis,
    scf::{DensityFunctionals, FixedTerms, ScfResult},
    terms::projector_set::ProjectorSet,
};

/// The most that is kept of projectors: each is used a few times only.
const PROJECTOR_BYTES: usize = 64 << 20;

/// What the derivatives of the energy are computed from: the bands, and the potential and the
/// couplings of their density.
pub(super) struct GroundState<'a> {
    pub(super) basis: &'a PlaneWaveBasis,
    pub(super) result: &'a ScfResult,
    pub(super) terms: FixedTerms,
    pub(super) functionals: DensityFunctionals,
    pub(super) projectors: ProjectorSet<Complex64>,
    pub(super) threads: NonZeroUsize,
}

impl<'a> GroundState<'a> {
    pub(super) fn new(
        basis: &'a PlaneWaveBasis,
        result: &'a ScfResult,
        threads: NonZeroUsize,
    ) -> Self {
        let terms = FixedTerms::new(basis);
        let functionals = terms.evaluate(basis, &result.density, threads);
        Self {
            projectors: ProjectorSet::new(basis, PROJECTOR_BYTES, threads),
            basis,
            result,
            terms,
            functionals,
            threads,
        }
    }
}
