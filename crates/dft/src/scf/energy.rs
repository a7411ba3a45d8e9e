use std::num::NonZeroUsize;

use rustfft::num_complex::Complex64;

use crate::{
    basis::{DensityGrid, PlaneWaveBasis},
    parallel::parallel_map,
    terms::{
        ewald::ewald_energy,
        hartree::{hartree_energy, hartree_potential},
        local::{core_density, local_potential},
        nonlocal::{Coupling, Projectors},
        xc::exchange_correlation,
    },
};

/// The total energy of the cell by terms, in hartree.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct EnergyParts {
    /// Kinetic energy and the non-local pseudopotential together: `Σ f ε − ∫ V ρ`.
    pub kinetic_and_nonlocal_ha: f64,
    /// Local pseudopotential.
    pub local_ha: f64,
    /// Hartree energy.
    pub hartree_ha: f64,
    /// Exchange and correlation.
    pub xc_ha: f64,
    /// Ions with each other.
    pub ewald_ha: f64,
    /// Smearing (−TS for Fermi–Dirac), 0 for fixed occupations.
    pub smearing_ha: f64,
}

impl EnergyParts {
    /// Their sum.
    pub fn total_ha(&self) -> f64 {
        self.kinetic_and_nonlocal_ha
            + self.local_ha
            + self.hartree_ha
            + self.xc_ha
            + self.ewald_ha
            + self.smearing_ha
    }
}

/// All that depends on the crystal and the basis only, computed once.
#[derive(Debug, Clone)]
pub(crate) struct FixedTerms {
    pub(crate) local: Vec<Complex64>,
    pub(crate) core: Option<Vec<Complex64>>,
    pub(crate) coupling: Coupling,
    /// One for each k-point.
    pub(crate) projectors: Vec<Projectors>,
    pub(crate) ewald_ha: f64,
}

/// What a density means: energies and the potential that acts on the bands.
#[derive(Debug, Clone)]
pub(crate) struct DensityFunctionals {
    pub(crate) local_ha: f64,
    pub(crate) hartree_ha: f64,
    pub(crate) xc_ha: f64,
    /// `V_loc + V_H + V_xc` in hartree, on the density grid's G.
    pub(crate) potential: Vec<Complex64>,
}

impl FixedTerms {
    pub(crate) fn new(basis: &PlaneWaveBasis, threads: NonZeroUsize) -> Self {
        let model = &basis.model;
        Self {
            local: local_potential(model, &basis.density_grid),
            core: core_density(model, &basis.density_grid),
            coupling: Coupling::bare(model),
            projectors: parallel_map(threads, &basis.waves, |waves| Projectors::new(model, waves)),
            ewald_ha: ewald_energy(model),
        }
    }

    /// `V_loc + V_H[ρ] + V_xc[ρ]` with its energies.
    pub(crate) fn evaluate(
        &self,
        basis: &PlaneWaveBasis,
        density: &[Complex64],
    ) -> DensityFunctionals {
        let grid: &DensityGrid = &basis.density_grid;
        let core = self.core.as_deref();
        let xc = exchange_correlation(basis.model.functional, grid, density, core);
        let mut potential = grid.to_reciprocal(&xc.potential);
        let hartree = hartree_potential(grid, density);
        for ((v, hartree), local) in potential.iter_mut().zip(hartree).zip(&self.local) {
            *v += hartree + local;
        }
        DensityFunctionals {
            local_ha: grid.integrate_product(&self.local, density),
            hartree_ha: hartree_energy(grid, density),
            xc_ha: xc.energy,
            potential,
        }
    }
}
