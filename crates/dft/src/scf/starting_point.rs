//! What a calculation leaves for its neighbours.

use std::{collections::HashMap, sync::Arc};

use rustfft::num_complex::Complex64;

use super::ScfResult;
use crate::{
    DftError,
    bands::KnownBands,
    basis::PlaneWaveBasis,
    cancellation::Cancellation,
    density::Density,
    model::Model,
    terms::atomic_density::{atomic_density, atomic_density_unless},
    terms::projector_matrices::ProjectorMatrices,
};

/// The most that bands may take here, in bytes. NaClFLi in 106 Å³, with eight operations, has about
/// 30 MB of them at 50 Ry, the largest crystals of the benchmark without symmetry 150 to 330 MB.
const MOST_BYTES: usize = 64 << 20;

/// Calculations of the same atoms to start another one from.
#[derive(Debug, Clone, Copy)]
pub struct Neighbours<'a> {
    /// The nearest, whose bands are taken.
    pub nearest: &'a StartingPoint,
    /// One at another volume, if there is one: what bonding does to the density is continued along the
    /// straight line through the two.
    pub before: Option<&'a StartingPoint>,
}

impl<'a> From<&'a StartingPoint> for Neighbours<'a> {
    fn from(nearest: &'a StartingPoint) -> Self {
        Self {
            nearest,
            before: None,
        }
    }
}

impl Neighbours<'_> {
    /// Those of use to a calculation in this basis, if there are any.
    pub(crate) fn fitting(self, wanted: &PlaneWaveBasis) -> Option<Self> {
        let fits = |point: &&StartingPoint| point.fits(wanted);
        Some(Self {
            nearest: Some(self.nearest).filter(fits)?,
            before: self.before.filter(fits),
        })
    }

    /// The atoms' density in the wanted cell, and what bonding did, taken along at equal fractional
    /// positions: `ρ_atoms(G) + Ω₀ (ρ₀ − ρ_atoms,0)(G) / Ω`, and where another volume Ω₁ is known
    /// `(Ω − Ω₀)/(Ω₀ − Ω₁)` times the change from there on to here.
    ///
    /// # Errors
    /// [`DftError::Cancelled`].
    pub(crate) fn density(
        self,
        wanted: &PlaneWaveBasis,
        cancellation: Cancellation<'_>,
    ) -> Result<Density, DftError> {
        let volume = wanted.model.cell.volume();
        let (nearest, mut projector_occupations) =
            (self.nearest, self.nearest.projector_occupations.clone());
        let mut field = atomic_density_unless(cancellation, &wanted.model, &wanted.density_grid)?;
        let from_nearest = nearest.volume() - self.before.map_or(0.0, StartingPoint::volume);
        let ahead = (volume - nearest.volume()) / from_nearest;
        match self.before.filter(|_| ahead.abs() <= MOST_AHEAD) {
            None => nearest.add_bonding(1.0, wanted, &mut field, cancellation)?,
            Some(before) => {
                nearest.add_bonding(1.0 + ahead, wanted, &mut field, cancellation)?;
                before.add_bonding(-ahead, wanted, &mut field, cancellation)?;
                let entries = projector_occupations.entries_mut();
                for (here, there) in entries
                    .iter_mut()
                    .zip(before.projector_occupations.entries())
                {
                    *here += ahead * (*here - there);
                }
            }
        }
        wanted.symmetrizer.symmetrize(&mut field, cancellation)?;
        wanted
            .atom_symmetrizer
            .symmetrize(&mut projector_occupations);
        Ok(Density {
            field,
            projector_occupations,
        })
    }
}

/// Nothing is continued further than this times the way that is known.
const MOST_AHEAD: f64 = 1.5;

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
    bands: KnownBands,
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
        Self {
            model: Arc::clone(&basis.model),
            inversion: basis.inversion.clone(),
            k_points_frac: k_points_frac(basis),
            miller: grid.miller.clone(),
            bonding: bonding.collect(),
            projector_occupations: result.density.projector_occupations.clone(),
            bands: KnownBands::of(basis, result.bands.as_deref(), most_bytes),
        }
    }

    /// The same without bands, to show how the density changes.
    #[must_use]
    pub fn without_bands(self) -> Self {
        Self {
            bands: KnownBands::default(),
            ..self
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

    fn volume(&self) -> f64 {
        self.model.cell.volume()
    }

    /// Adds what bonding did, times `share`, at equal Miller indices.
    fn add_bonding(
        &self,
        share: f64,
        wanted: &PlaneWaveBasis,
        field: &mut [Complex64],
        cancellation: Cancellation<'_>,
    ) -> Result<(), DftError> {
        /// Steps to find one plane wave among the others.
        const STEPS_PER_WAVE: usize = 16;
        let mut pace = cancellation.pace();
        let grid = &wanted.density_grid;
        let scale = share * self.volume() / grid.cell.volume();
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
        Ok(())
    }

    /// What is known of the bands.
    pub(super) fn bands(&self) -> &KnownBands {
        &self.bands
    }
}

fn k_points_frac(basis: &PlaneWaveBasis) -> Vec<[f64; 3]> {
    basis.waves.iter().map(|wave| wave.k_point.frac).collect()
}
