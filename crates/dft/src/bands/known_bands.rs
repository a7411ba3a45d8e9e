//! Bands of a neighbouring calculation, to start from.

use std::collections::HashMap;

use rustfft::num_complex::{Complex32, Complex64};

use super::solver::KeptBands;
use crate::{
    band_scalar::BandScalar,
    basis::{PlaneWaveBasis, WaveBasis},
    linear_algebra::Scalar,
};

/// Bands of the same atoms in a slightly different cell or with slightly different cutoffs, by the Miller
/// indices of their plane waves.
#[derive(Debug, Clone, Default)]
pub(crate) struct KnownBands {
    at_k_points: Vec<AtKPoint>,
}

#[derive(Debug, Clone)]
struct AtKPoint {
    miller: Vec<[i32; 3]>,
    /// In single precision, whose rounding is far below what they are changed by.
    coefficients: Vec<Complex32>,
}

impl KnownBands {
    /// Those of a calculation, unless they take more memory than that.
    pub(crate) fn of(
        basis: &PlaneWaveBasis,
        bands: Option<&dyn KeptBands>,
        most_bytes: usize,
    ) -> Self {
        let kept =
            bands.filter(|bands| bands.coefficient_count() * size_of::<Complex32>() <= most_bytes);
        let at_k_points = kept.map_or(Vec::new(), |bands| {
            let of = |(k, waves): (usize, &WaveBasis)| AtKPoint {
                miller: waves.miller.clone(),
                coefficients: bands
                    .columns(basis, k)
                    .iter()
                    .map(|c| c.narrowed())
                    .collect(),
            };
            basis.waves.iter().enumerate().map(of).collect()
        });
        Self { at_k_points }
    }

    /// Those at the k-point of this index: coefficients of equal Miller indices. `None` where none are kept.
    pub(super) fn bands<S: BandScalar>(&self, wanted: &PlaneWaveBasis, k: usize) -> Option<Vec<S>> {
        let known = self.at_k_points.get(k)?;
        let index_of: HashMap<[i32; 3], usize> = (known.miller.iter().copied().zip(0..)).collect();
        let waves = &wanted.waves[k];
        let places: Vec<Option<usize>> = (waves.miller.iter())
            .map(|miller| index_of.get(miller).copied())
            .collect();
        let count = known.coefficients.len() / known.miller.len();
        let mut bands = Vec::with_capacity(count * places.len());
        for band in known.coefficients.chunks_exact(known.miller.len()) {
            bands.extend(places.iter().map(|place| match place {
                Some(place) => Complex64::widened(band[*place]),
                None => Complex64::new(0.0, 0.0),
            }));
        }
        Some(S::of_coefficients(waves, bands))
    }
}
