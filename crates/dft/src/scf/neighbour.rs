use std::{collections::HashMap, sync::Arc};

use rustfft::num_complex::Complex64;

use super::ScfResult;
use crate::{
    basis::{PlaneWaveBasis, WaveBasis},
    density::Density,
    hamiltonian::BandScalar,
    terms::local::atomic_density,
};

/// What was found for the same atoms in a slightly different cell, to start from.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Neighbour<'a> {
    basis: &'a PlaneWaveBasis,
    result: &'a ScfResult,
}

impl<'a> Neighbour<'a> {
    /// `None` if the atoms, their number of operations or the k-points are not those of `wanted`.
    pub(crate) fn of(
        basis: &'a PlaneWaveBasis,
        result: &'a ScfResult,
        wanted: &PlaneWaveBasis,
    ) -> Option<Self> {
        let k_points = |basis: &PlaneWaveBasis| -> Vec<[f64; 3]> {
            basis.waves.iter().map(|wave| wave.k_point.frac).collect()
        };
        let (a, b) = (&basis.model, &wanted.model);
        let same = |(a, b): (&Arc<_>, &Arc<_>)| Arc::ptr_eq(a, b);
        let fits = a.species.len() == b.species.len()
            && a.species.iter().zip(&b.species).all(same)
            && a.atoms == b.atoms
            && basis.inversion == wanted.inversion
            && k_points(basis) == k_points(wanted)
            && result.bands.len() == basis.waves.len();
        fits.then_some(Self { basis, result })
    }

    /// The atoms' density in the wanted cell, and the change by bonding that was found, taken along
    /// at equal fractional positions: `ρ_atoms(G) + (ρ₀ − ρ_atoms,0)(G) Ω₀/Ω`.
    pub(crate) fn density(&self, wanted: &PlaneWaveBasis) -> Density {
        let known_grid = &self.basis.density_grid;
        let atoms = atomic_density(&self.basis.model, known_grid);
        let change = self
            .result
            .density
            .field
            .iter()
            .zip(&atoms)
            .map(|(a, b)| a - b);
        let by_miller: HashMap<[i32; 3], Complex64> =
            known_grid.miller.iter().copied().zip(change).collect();
        let grid = &wanted.density_grid;
        let scale = known_grid.cell.volume() / grid.cell.volume();
        let mut field = atomic_density(&wanted.model, grid);
        for (rho, miller) in field.iter_mut().zip(&grid.miller) {
            if let Some(change) = by_miller.get(miller) {
                *rho += change * scale;
            }
        }
        wanted.symmetrizer.symmetrize(&mut field);
        Density {
            field,
            projector_occupations: self.result.density.projector_occupations.clone(),
        }
    }

    /// The known bands at the k-point of this index: coefficients of equal Miller indices.
    pub(crate) fn bands<S: BandScalar>(&self, waves: &WaveBasis, k: usize) -> Vec<S> {
        let known = &self.basis.waves[k];
        let index_of: HashMap<[i32; 3], usize> = (known.miller.iter().copied().zip(0..)).collect();
        let places: Vec<Option<usize>> = (waves.miller.iter())
            .map(|miller| index_of.get(miller).copied())
            .collect();
        let bands = [&self.result.bands[k], &self.result.spare_bands[k]];
        bands
            .into_iter()
            .flat_map(|bands| bands.chunks_exact(known.len()))
            .flat_map(|band| {
                let coefficient = |place: &Option<usize>| match place {
                    Some(place) => S::of_complex(band[*place]),
                    None => S::from_real(0.0),
                };
                places.iter().map(coefficient)
            })
            .collect()
    }
}
