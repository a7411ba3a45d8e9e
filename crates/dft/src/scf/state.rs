//! What the loop improves.

use super::{
    ScfEnd, ScfIteration, ScfOptions, ScfResult,
    band_accuracy::BandAccuracy,
    stagnation::{Stagnation, Turn},
};
use crate::{
    bands::{Accuracy, BandSolver, Exactness, Solved},
    basis::PlaneWaveBasis,
    density::Density,
    occupation::{Filling, Occupations},
    terms::EnergyParts,
};

/// What is known after each iteration.
pub(super) struct State {
    /// Output density of the last iteration; before the first one, the input.
    pub(super) density: Density,
    /// What the next iteration's bands are solved to.
    accuracy: BandAccuracy,
    eigenvalues_ha: Vec<Vec<f64>>,
    /// Before the first iteration a guess of which bands will hold electrons.
    occupations: Vec<Vec<f64>>,
    fermi_level_ha: Option<f64>,
    energies: EnergyParts,
    /// What H was in the last iteration.
    pub(super) exactness: Exactness,
    pub(super) history: Vec<ScfIteration>,
    stagnation: Stagnation,
}

impl State {
    /// Before the first iteration, for so many bands; see [`ScfOptions::stagnation_window`].
    pub(super) fn new(
        basis: &PlaneWaveBasis,
        bands: usize,
        density: Density,
        accuracy: BandAccuracy,
        stagnation_window: Option<usize>,
    ) -> Self {
        let mut occupations = vec![vec![2.0; bands]; basis.waves.len()];
        if basis.model.occupations == Occupations::Fixed {
            let pairs = (basis.model.electron_count() / 2.0).round() as usize;
            for bands in &mut occupations {
                bands[pairs..].fill(0.0);
            }
        }
        Self {
            density,
            accuracy,
            eigenvalues_ha: Vec::new(),
            occupations,
            fermi_level_ha: None,
            energies: EnergyParts::default(),
            exactness: Exactness::Full,
            history: Vec::new(),
            stagnation: Stagnation::new(stagnation_window, basis.model.occupations),
        }
    }

    /// What the next bands are asked for.
    pub(super) fn wanted(&self, options: &ScfOptions) -> Accuracy<'_> {
        let last = self.history.last();
        Accuracy {
            residual2: self.accuracy.residual2,
            occupations: &self.occupations,
            density_error_ha: last.map_or(f64::INFINITY, |last| last.estimated_error_ha),
            wanted_error_ha: options.convergence_ha,
        }
    }

    /// Takes what an iteration found.
    pub(super) fn record(
        &mut self,
        solved: Solved,
        filling: Filling,
        density: Density,
        energies: EnergyParts,
        error_ha: f64,
        turn: Option<Turn>,
    ) -> ScfIteration {
        let iteration = ScfIteration {
            number: self.history.len() + 1,
            total_energy_ha: energies.total_ha(),
            estimated_error_ha: error_ha,
            hamiltonian_applications: solved.applications,
            unconverged_bands: solved.unconverged,
        };
        self.history.push(iteration);
        self.stagnation.record(&self.history, turn);
        self.density = density;
        self.eigenvalues_ha = solved.eigenvalues_ha;
        self.exactness = solved.exactness;
        self.occupations = filling.occupation;
        self.fermi_level_ha = filling.fermi_level;
        self.energies = energies;
        iteration
    }

    /// Whether the last iteration was the last one; if not, follows its error.
    pub(super) fn end(&mut self, options: &ScfOptions) -> Option<ScfEnd> {
        let error_ha = self.history.last()?.estimated_error_ha;
        let bands_are_good = self.accuracy.is_enough() && self.exactness == Exactness::Full;
        self.accuracy.follow(error_ha);
        if error_ha < options.convergence_ha && bands_are_good {
            return Some(ScfEnd::Converged);
        }
        let has_stagnated = self.stagnation.is_reached(&self.history);
        has_stagnated.then_some(ScfEnd::Stagnated)
    }

    /// What the loop leaves: bands too, unless it was cancelled or broke down.
    pub(super) fn into_result(
        self,
        basis: &PlaneWaveBasis,
        end: ScfEnd,
        preparation: Vec<ScfIteration>,
        solver: Box<dyn BandSolver + '_>,
    ) -> ScfResult {
        ScfResult {
            end,
            energies: self.energies,
            k_points: basis.k_points(),
            eigenvalues_ha: self.eigenvalues_ha,
            occupations: self.occupations,
            fermi_level_ha: self.fermi_level_ha,
            history: self.history,
            preparation,
            density: self.density,
            bands: match end {
                ScfEnd::Cancelled | ScfEnd::DiagonalizationFailed => None,
                _ => solver.into_bands(),
            },
        }
    }
}
