//! What the derivatives of the energy are computed from.

use std::{num::NonZeroUsize, sync::Arc};

use super::all_terms::{KohnShamPotential, Terms};
use crate::{
    DftError,
    bands::{BandContractions, BandWeights, KeptBands},
    basis::PlaneWaveBasis,
    cancellation::Cancellation,
    density::Density,
};

/// Bands, how they are filled, and their density.
#[derive(Clone, Copy)]
pub(crate) struct FilledLevels<'a> {
    pub(crate) bands: &'a dyn KeptBands,
    /// In hartree: shape (k-points, bands).
    pub(crate) eigenvalues_ha: &'a [Vec<f64>],
    /// Electrons in each band.
    pub(crate) occupations: &'a [Vec<f64>],
    pub(crate) density: &'a Density,
}

/// What the derivatives of the energy are computed from: sums over the bands, their density, and the
/// potential and the couplings that it makes.
#[derive(Clone)]
pub(crate) struct GroundState<'a> {
    pub(crate) basis: &'a PlaneWaveBasis,
    pub(super) density: &'a Density,
    pub(super) bands: Arc<dyn BandContractions + 'a>,
    levels: FilledLevels<'a>,
    pub(super) terms: Terms,
    pub(super) kohn_sham: KohnShamPotential,
    pub(super) threads: NonZeroUsize,
    pub(super) cancellation: Cancellation<'a>,
}

impl<'a> GroundState<'a> {
    /// # Errors
    /// [`DftError::Cancelled`].
    pub(crate) fn new(
        basis: &'a PlaneWaveBasis,
        levels: FilledLevels<'a>,
        threads: NonZeroUsize,
        cancellation: Cancellation<'a>,
    ) -> Result<Self, DftError> {
        let terms = Terms::new(basis, cancellation)?;
        let kohn_sham = terms.evaluate(basis, levels.density, threads, cancellation)?;
        Ok(Self {
            bands: levels.bands.contractions(basis, threads, cancellation)?,
            basis,
            density: levels.density,
            levels,
            terms,
            kohn_sham,
            threads,
            cancellation,
        })
    }

    /// What the bands are weighted with.
    pub(super) fn weights(&self) -> BandWeights<'_> {
        BandWeights {
            occupations: self.levels.occupations,
            eigenvalues_ha: self.levels.eigenvalues_ha,
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
