//! What a calculation leaves for its neighbours.

use std::{collections::HashMap, sync::Arc};

use rustfft::num_complex::{Complex32, Complex64};

use super::ScfResult;
use crate::{
    DftError,
    basis::{PlaneWaveBasis, WaveBasis},
    cancellation::Cancellation,
    density::Density,
    hamiltonian::BandScalar,
    linear_algebra::Scalar,
    model::Model,
    terms::local::{atomic_density, atomic_density_unless},
    terms::projector_matrices::ProjectorMatrices,
};

/// The most that bands may take here, in bytes. NaClFLi in 106 Å³, with eight operations, has about
/// 30 MB of them at 50 Ry, the largest crystals of the benchmark without symmetry 150 to 330 MB.
const MOST_BYTES: usize = 64 << 20;

/// What a calculation leaves for those of the same atoms in slightly different cells, or with
/// slightly different cutoffs: what bonding did to the density, and, up to 64 MiB, the bands.
#[derive(Debug, Clone)]
pub struct StartingPoint {
    model: Arc<Model>,
    inversion: Option<Vec<usize>>,
    k_points_frac: Vec<[f64; 3]>,
    /// Miller indices of the density's G, and `ρ(G) − ρ_atoms(G)`.
    miller: Vec<[i32; 3]>,
    bonding: Vec<Complex64>,
    projector_occupations: ProjectorMatrices,
    bands: Vec<KnownBands>,
}

#[derive(Debug, Clone)]
struct KnownBands {
    miller: Vec<[i32; 3]>,
    /// In single precision, whose rounding is far below what they are changed by.
    coefficients: Vec<Complex32>,
}

impl StartingPoint {
    /// From a calculation's result and its basis.
    pub fn of(basis: &PlaneWaveBasis, result: &ScfResult) -> Self {
        Self::with_limit(basis, result, MOST_BYTES)
    }

    pub(crate) fn with_limit(
        basis: &PlaneWaveBasis,
        result: &ScfResult,
        most_bytes: usize,
    ) -> Self {
        let grid = &basis.density_grid;
        let atoms = atomic_density(&basis.model, grid);
        let bonding = (result.density.field.iter().zip(&atoms)).map(|(a, b)| a - b);
        let kept = (result.bands.as_ref())
            .filter(|bands| bands.len() * size_of::<Complex32>() <= most_bytes);
        let bands = kept.map_or(Vec::new(), |bands| {
            let of = |(k, waves): (usize, &WaveBasis)| KnownBands {
                miller: waves.miller.clone(),
                coefficients: bands.at(k).iter().map(|c| c.narrowed()).collect(),
            };
            basis.waves.iter().enumerate().map(of).collect()
        });
        Self {
            model: Arc::clone(&basis.model),
            inversion: basis.inversion.clone(),
            k_points_frac: k_points_frac(basis),
            miller: grid.miller.clone(),
            bonding: bonding.collect(),
            projector_occupations: result.density.projector_occupations.clone(),
            bands,
        }
    }

    /// Whether the species, the atoms, their inversion and the k-points are those of `wanted`.
    pub(crate) fn fits(&self, wanted: &PlaneWaveBasis) -> bool {
        let (a, b) = (&self.model, &wanted.model);
        let same = |(a, b): (&Arc<_>, &Arc<_>)| Arc::ptr_eq(a, b);
        a.species.len() == b.species.len()
            && a.species.iter().zip(&b.species).all(same)
            && a.atoms == b.atoms
            && self.inversion == wanted.inversion
            && self.k_points_frac == k_points_frac(wanted)
    }

    /// The atoms' density in the wanted cell, and what bonding did, taken along at equal fractional
    /// positions: `ρ_atoms(G) + (ρ₀ − ρ_atoms,0)(G) Ω₀/Ω`.
    ///
    /// # Errors
    /// [`DftError::Cancelled`].
    pub(crate) fn density(
        &self,
        wanted: &PlaneWaveBasis,
        cancellation: Cancellation<'_>,
    ) -> Result<Density, DftError> {
        /// Steps to find one plane wave among the others.
        const STEPS_PER_WAVE: usize = 16;
        let mut pace = cancellation.pace();
        let grid = &wanted.density_grid;
        let scale = self.model.cell.volume() / grid.cell.volume();
        let mut field = atomic_density_unless(cancellation, &wanted.model, grid)?;
        let mut bonding_at = HashMap::with_capacity(self.miller.len());
        for (miller, bonding) in self.miller.iter().zip(&self.bonding) {
            pace.spend(STEPS_PER_WAVE)?;
            bonding_at.insert(miller, bonding);
        }
        for (rho, miller) in field.iter_mut().zip(&grid.miller) {
            pace.spend(STEPS_PER_WAVE)?;
            if let Some(bonding) = bonding_at.get(miller) {
                *rho += **bonding * scale;
            }
        }
        wanted.symmetrizer.symmetrize(&mut field, cancellation)?;
        Ok(Density {
            field,
            projector_occupations: self.projector_occupations.clone(),
        })
    }

    /// The known bands at the k-point of this index: coefficients of equal Miller indices. `None`
    /// where none are kept.
    pub(crate) fn bands<S: BandScalar>(&self, wanted: &PlaneWaveBasis, k: usize) -> Option<Vec<S>> {
        let known = self.bands.get(k)?;
        let index_of: HashMap<[i32; 3], usize> = (known.miller.iter().copied().zip(0..)).collect();
        let places: Vec<Option<usize>> = (wanted.waves[k].miller.iter())
            .map(|miller| index_of.get(miller).copied())
            .collect();
        let count = known.coefficients.len() / known.miller.len();
        let mut bands = Vec::with_capacity(count * places.len());
        for band in known.coefficients.chunks_exact(known.miller.len()) {
            bands.extend(places.iter().map(|place| match place {
                Some(place) => S::of_complex(Complex64::widened(band[*place])),
                None => S::from_real(0.0),
            }));
        }
        Some(bands)
    }
}

fn k_points_frac(basis: &PlaneWaveBasis) -> Vec<[f64; 3]> {
    basis.waves.iter().map(|wave| wave.k_point.frac).collect()
}
