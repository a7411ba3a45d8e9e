//! What forces and stress need of the bands.

use std::{num::NonZeroUsize, sync::Arc};

use rustfft::num_complex::Complex64;

use super::{
    projector_set::ProjectorSet,
    solver::{BandContractions, BandWeights, KeptBands},
    storage::Bands,
};
use crate::{
    DftError,
    band_scalar::BandScalar,
    basis::PlaneWaveBasis,
    cancellation::Cancellation,
    parallel::parallel_map,
    terms::{
        kinetic::kinetic_strain,
        nonlocal::{CoupledProjections, FilledBands, Projectors, nonlocal_forces, nonlocal_strain},
        strain::sum_of_tensors,
        sum_of_forces::sum_of_forces,
    },
    vector::{Matrix3, Vector3},
};

/// The most that is kept of projectors, in bytes: each is used a few times only.
const PROJECTOR_BYTES: usize = 64 << 20;

impl<S: BandScalar> KeptBands for Bands<S> {
    fn coefficient_count(&self) -> usize {
        self.len()
    }

    fn columns(&self, basis: &PlaneWaveBasis, k: usize) -> Vec<Complex64> {
        S::coefficients(&basis.waves[k], &self.at(k))
    }

    fn contractions<'a>(
        &'a self,
        basis: &'a PlaneWaveBasis,
        threads: NonZeroUsize,
        cancellation: Cancellation<'_>,
    ) -> Result<Arc<dyn BandContractions + 'a>, DftError> {
        Ok(Arc::new(Contractions {
            projectors: ProjectorSet::new(basis, PROJECTOR_BYTES, threads, cancellation)?,
            bands: self,
            basis,
            threads,
        }))
    }
}

/// Contractions in complex numbers: what an atom adds to them has no inversion.
struct Contractions<'a, S: BandScalar> {
    basis: &'a PlaneWaveBasis,
    bands: &'a Bands<S>,
    projectors: ProjectorSet<Complex64>,
    threads: NonZeroUsize,
}

/// One k-point's share.
struct AtKPoint<'a> {
    projectors: &'a Projectors<Complex64>,
    bands: Vec<Complex64>,
    coupled: CoupledProjections,
}

impl<S: BandScalar> Contractions<'_, S> {
    /// So many bands at the k-point of this index.
    fn bands_at(&self, k: usize, count: usize) -> Vec<Complex64> {
        let waves = &self.basis.waves[k];
        S::coefficients(waves, &self.bands.part(k, 0..count * waves.len()))
    }

    /// `f` at each k-point, in their order.
    fn at_each<R: Send>(
        &self,
        cancellation: Cancellation<'_>,
        f: impl Fn(usize) -> Result<R, DftError> + Sync,
    ) -> Result<Vec<R>, DftError> {
        let by_k_point = parallel_map(self.threads, 0..self.basis.waves.len(), |k| {
            cancellation.check()?;
            f(k)
        });
        by_k_point.into_iter().collect()
    }

    /// `f` of each k-point's projections.
    fn at_each_coupled<R: Send>(
        &self,
        weights: BandWeights<'_>,
        cancellation: Cancellation<'_>,
        f: impl Fn(usize, AtKPoint<'_>) -> Result<R, DftError> + Sync,
    ) -> Result<Vec<R>, DftError> {
        self.at_each(cancellation, |k| {
            let bands = self.bands_at(k, weights.eigenvalues_ha[k].len());
            let mut spare = Projectors::NONE;
            let projectors = self.projectors.at(self.basis, k, &mut spare);
            let filled = FilledBands {
                psi: &bands,
                weight: self.basis.waves[k].k_point.weight,
                occupations: &weights.occupations[k],
                eigenvalues_ha: &weights.eigenvalues_ha[k],
            };
            let (coupling, overlap) = (weights.coupling, weights.overlap);
            let coupled = CoupledProjections::new(projectors, &filled, coupling, overlap);
            let at_k_point = AtKPoint {
                projectors,
                bands,
                coupled,
            };
            f(k, at_k_point)
        })
    }
}

impl<S: BandScalar> BandContractions for Contractions<'_, S> {
    fn kinetic_strain(
        &self,
        weights: BandWeights<'_>,
        cancellation: Cancellation<'_>,
    ) -> Result<Matrix3, DftError> {
        let cell = &self.basis.model.cell;
        let by_k_point = self.at_each(cancellation, |k| {
            let bands = self.bands_at(k, weights.eigenvalues_ha[k].len());
            let waves = &self.basis.waves[k];
            Ok(kinetic_strain(cell, waves, &bands, &weights.occupations[k]))
        })?;
        Ok(sum_of_tensors(by_k_point))
    }

    fn nonlocal_forces(
        &self,
        weights: BandWeights<'_>,
        cancellation: Cancellation<'_>,
    ) -> Result<Vec<Vector3>, DftError> {
        let (cell, sides) = (&self.basis.model.cell, weights.coupling.sides());
        let by_k_point = self.at_each_coupled(weights, cancellation, |k, at| {
            let (waves, coupled) = (&self.basis.waves[k], &at.coupled);
            nonlocal_forces(
                cell,
                waves,
                at.projectors,
                &at.bands,
                coupled,
                sides,
                cancellation,
            )
        })?;
        Ok(sum_of_forces(sides.len(), by_k_point))
    }

    fn nonlocal_strain(
        &self,
        weights: BandWeights<'_>,
        cancellation: Cancellation<'_>,
    ) -> Result<Matrix3, DftError> {
        let model = &self.basis.model;
        let by_k_point = self.at_each_coupled(weights, cancellation, |k, at| {
            let waves = &self.basis.waves[k];
            nonlocal_strain(model, waves, &at.bands, &at.coupled, cancellation)
        })?;
        Ok(sum_of_tensors(by_k_point))
    }
}
