//! The electrons of a crystal themselves, for band structures and densities of states.

use std::time::Instant;

use crystalgym_crystal::{Crystal, Structure};
use crystalgym_dft::{BandOptions, Cancellation, PlaneWaveBasis, ScfResult};

use super::{
    calculator::NativeCalculator,
    computation::{Computation, Scale, Solved},
};
use crate::{
    CancelToken, ElectronicError, Failure,
    electronic::{BandStructure, StatesOptions, StatesPerEv},
};

/// A converged calculation of a crystal in its own cell.
#[derive(Debug)]
pub struct GroundState {
    /// The exact geometry that was computed, turned as a whole.
    pub structure: Structure,
    /// Plane waves and k-points.
    pub basis: PlaneWaveBasis,
    /// What was found.
    pub result: ScfResult,
}

impl NativeCalculator {
    /// One self-consistent field with the calculator's smearing.
    ///
    /// # Errors
    /// [`Failure`], as of an evaluation.
    pub fn ground_state(
        &self,
        crystal: &Crystal,
        cancel: &CancelToken,
    ) -> Result<GroundState, Failure> {
        let start = Instant::now();
        let (settings, library) = (self.settings(), self.library());
        let mut computation = Computation::new(settings, library, crystal, cancel, start);
        let ingredients = computation.ingredients()?;
        let convergence_ry = computation.convergence_ry(settings.convergence_ry);
        let occupations = computation.smeared();
        let solved = computation.solve(
            Scale::GIVEN,
            &ingredients,
            occupations,
            convergence_ry,
            None,
        );
        let Solved { basis, result } = solved.map_err(|failure| Failure {
            scf_iterations: computation.scf_iterations(),
            seconds: start.elapsed().as_secs_f64(),
            ..failure
        })?;
        Ok(GroundState {
            structure: computation.structure()?,
            basis,
            result,
        })
    }

    /// The bands of a ground state along its high-symmetry path.
    ///
    /// # Errors
    /// [`ElectronicError`].
    pub fn band_structure(
        &self,
        state: &GroundState,
        spacing_per_ang: f64,
        bands: Option<usize>,
        cancel: &CancelToken,
    ) -> Result<BandStructure, ElectronicError> {
        let is_cancelled = || cancel.is_cancelled();
        let options = self.band_options(bands, &is_cancelled);
        let GroundState {
            structure,
            basis,
            result,
        } = state;
        BandStructure::of(structure, basis, result, spacing_per_ang, options)
    }

    /// The density of states of a ground state.
    ///
    /// # Errors
    /// [`ElectronicError`].
    pub fn density_of_states(
        &self,
        state: &GroundState,
        wanted: &StatesOptions,
        bands: Option<usize>,
        cancel: &CancelToken,
    ) -> Result<StatesPerEv, ElectronicError> {
        let is_cancelled = || cancel.is_cancelled();
        let options = self.band_options(bands, &is_cancelled);
        let GroundState {
            structure,
            basis,
            result,
        } = state;
        StatesPerEv::of(structure, basis, result, wanted, options)
    }

    fn band_options<'a>(
        &self,
        bands: Option<usize>,
        is_cancelled: &'a (dyn Fn() -> bool + Sync),
    ) -> BandOptions<'a> {
        BandOptions {
            bands,
            threads: self.settings().threads,
            cancellation: Cancellation::by(is_cancelled),
        }
    }
}
