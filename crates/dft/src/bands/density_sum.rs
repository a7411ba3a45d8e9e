//! The density of occupied bands, and how they occupy the projectors.

use std::num::NonZeroUsize;

use rustfft::num_complex::Complex64;

use super::{solver::BandSums, storage::Bands};
use crate::{
    DftError,
    band_scalar::{BandScalar, RealSpace},
    basis::{PlaneWaveBasis, Precision},
    cancellation::Cancellation,
    parallel::parallel_map,
    shared_products::columns_of_part,
    terms::{
        nonlocal::add_occupations, projector_channels::projector_sides,
        projector_matrices::ProjectorMatrices,
    },
};

/// Occupations below this add nothing to a density.
const OCCUPATION_THRESHOLD: f64 = 1e-14;
/// Densities held at once per thread, each a field on the whole box.
const DENSITIES_PER_THREAD: usize = 8;

/// Sums over bands with these occupations; `projections` are `⟨β_i|ψ_nk⟩`, one column per band, where
/// those of the projectors are wanted.
///
/// Transforms are done in `T`. k-points, and parts of the bands of one, are added up in their order, whatever the
/// number of threads.
///
/// # Errors
/// [`DftError::Cancelled`].
pub(crate) fn band_sums<S: BandScalar, T: Precision>(
    basis: &PlaneWaveBasis,
    bands: &Bands<S>,
    projections: Option<&[Vec<S>]>,
    occupations: &[Vec<f64>],
    threads: NonZeroUsize,
    cancellation: Cancellation<'_>,
) -> Result<BandSums, DftError> {
    let density = smooth_density::<S, T>(basis, bands, occupations, threads, cancellation)?;
    let mut projector_occupations = ProjectorMatrices::zeros(projector_sides(&basis.model));
    let projected = projections.unwrap_or(&[]);
    for ((waves, projections), f) in basis.waves.iter().zip(projected).zip(occupations) {
        let weights: Vec<f64> = f.iter().map(|f| f * waves.k_point.weight).collect();
        add_occupations(basis, projections, &weights, &mut projector_occupations);
    }
    Ok(BandSums {
        density,
        projector_occupations,
    })
}

/// `Σ_k w Σ_n f |ψ_nk|²`
fn smooth_density<S: BandScalar, T: Precision>(
    basis: &PlaneWaveBasis,
    bands: &Bands<S>,
    occupations: &[Vec<f64>],
    threads: NonZeroUsize,
    cancellation: Cancellation<'_>,
) -> Result<Vec<Complex64>, DftError> {
    let grid = &basis.wave_grid;
    let volume = basis.model.cell.volume();
    let density_of = |part: BandsOfPart<'_>| {
        let waves = &basis.waves[part.k];
        let waves_in_box = waves.density_box::<T>(grid);
        let mut density = vec![0.0; waves_in_box.fft.len()];
        let mut space = RealSpace::new(waves_in_box.fft);
        let weights: Vec<f64> = (part.occupations.iter())
            .map(|&f| match f.abs() < OCCUPATION_THRESHOLD {
                true => 0.0,
                false => waves.k_point.weight * f / volume,
            })
            .collect();
        let end = part.first + weights.len();
        let columns = bands.part(part.k, part.first * waves.len()..end * waves.len());
        S::add_density(
            waves_in_box,
            &mut space,
            &columns,
            &weights,
            &mut density,
            cancellation,
        )?;
        Ok::<_, DftError>(density)
    };
    let mut work = parts(occupations).peekable();
    let mut sum = vec![0.0; grid.fft.len()];
    while work.peek().is_some() {
        let some = work.by_ref().take(DENSITIES_PER_THREAD * threads.get());
        for density in parallel_map(threads, some, density_of) {
            for (sum, rho) in sum.iter_mut().zip(density?) {
                *sum += rho;
            }
        }
    }
    Ok(grid.field_to_reciprocal(&sum, &basis.density_grid))
}

/// Some bands at a k-point.
struct BandsOfPart<'a> {
    k: usize,
    first: usize,
    occupations: &'a [f64],
}

/// All bands at all k-points, in parts that follow from their number alone.
fn parts(occupations: &[Vec<f64>]) -> impl Iterator<Item = BandsOfPart<'_>> {
    (occupations.iter().enumerate()).flat_map(|(k, occupations)| {
        let length = columns_of_part(occupations.len());
        let parts = occupations.chunks(length).enumerate();
        parts.map(move |(index, occupations)| BandsOfPart {
            k,
            first: index * length,
            occupations,
        })
    })
}
