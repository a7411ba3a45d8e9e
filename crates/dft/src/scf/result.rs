//! What a self-consistency loop leaves.

use std::sync::Arc;

use crate::{
    bands::KeptBands,
    basis::{KPoint, PlaneWaveBasis},
    density::Density,
    scf::ScfEnd,
    terms::EnergyParts,
};

/// One round of the loop.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ScfIteration {
    /// Counted from 1.
    pub number: usize,
    /// Energy of the output density in hartree.
    pub total_energy_ha: f64,
    /// Estimated error of the energy in hartree: the Hartree energy of `ρ_out − ρ_in`, half of
    /// what `pw.x` calls "estimated scf accuracy" in Rydberg.
    pub estimated_error_ha: f64,
    /// Vectors that the Hamiltonian was applied to.
    pub hamiltonian_applications: usize,
    /// Bands, over all k-points, that were not as accurate as wished.
    pub unconverged_bands: usize,
}

/// Outcome of a self-consistency loop, converged or not.
#[derive(Debug, Clone)]
pub struct ScfResult {
    /// How it ended.
    pub end: ScfEnd,
    /// Energies of the last iteration.
    pub energies: EnergyParts,
    /// Irreducible k-points.
    pub k_points: Vec<KPoint>,
    /// Eigenvalues at each k-point in hartree, ascending.
    pub eigenvalues_ha: Vec<Vec<f64>>,
    /// Electrons in each band, 0 to 2.
    pub occupations: Vec<Vec<f64>>,
    /// Fermi level in hartree, for smeared occupations.
    pub fermi_level_ha: Option<f64>,
    /// What happened in each iteration.
    pub history: Vec<ScfIteration>,
    /// The iterations on a coarser mesh of k-points, if there was one, from whose density the loop
    /// began.
    pub preparation: Vec<ScfIteration>,
    /// Valence density.
    pub(crate) density: Density,
    /// Bands at each k-point, those with eigenvalues first, and unconverged ones beyond them, of use
    /// to start from; `None` where the loop was cancelled or a solver broke down.
    pub(crate) bands: Option<Arc<dyn KeptBands>>,
}

impl ScfResult {
    /// Whether the loop converged.
    pub fn is_converged(&self) -> bool {
        self.end == ScfEnd::Converged
    }

    /// The integral of the valence density over the cell of `basis`.
    pub fn valence_electrons(&self, basis: &PlaneWaveBasis) -> f64 {
        self.density.field[0].re * basis.model.cell.volume()
    }

    /// Total energy of the cell in hartree.
    pub fn total_energy_ha(&self) -> f64 {
        self.energies.total_ha()
    }
}
