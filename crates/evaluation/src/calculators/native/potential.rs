//! The engine as an interatomic potential.

use std::{
    fmt,
    sync::{Mutex, PoisonError},
    time::Instant,
};

use crystalgym_crystal::{Crystal, Structure};
use crystalgym_dft::{
    BOHR_ANG, Cancellation, HARTREE_EV, HARTREE_PER_BOHR3_GPA, StartingPoint,
    forces_and_stress_unless,
};
use crystalgym_potential::{InteratomicPotential, PotentialError, Prediction, Request};

use super::{
    calculator::NativeCalculator,
    computation::{Computation, under_pressure},
};
use crate::{CancelToken, Failure, FailureCode, GPA_PER_EV_ANG3, pulay::pulay_pressure};

/// Convergence of the self-consistent field, with which forces are good to 1e-4 eV/Å.
const CONVERGENCE_RY: f64 = 1e-9;

/// Energies, forces and stress of the atoms of one crystal by the engine, for relaxations: cutoffs and
/// divisions of the k-mesh are those of that crystal, occupations are smeared, every calculation starts
/// from the density of the last one, and the stress is corrected for the plane waves of a fixed cutoff
/// as that of a density is.
///
/// As the plane waves within the cutoff change with the cell, energies jump: by some meV/atom at the
/// cutoff that the elements need, and by 0.1 eV/atom far below it. Forces and the corrected stress do
/// not ([`StepJudge::Work`](crystalgym_potential::StepJudge::Work)).
pub struct EnginePotential<'a> {
    calculator: &'a NativeCalculator,
    crystal: Crystal,
    cancel: CancelToken,
    memory: Mutex<Memory>,
}

#[derive(Default)]
struct Memory {
    known: Option<StartingPoint>,
    /// Of the first cell: measured anew it would jump as the energies do, and no cell would be at rest.
    slope: Option<Slope>,
    scf_iterations: u32,
}

/// F′, the change of the energy with the logarithm of the cutoff, and where it was measured.
#[derive(Clone, Copy)]
struct Slope {
    slope_ev: f64,
    volume_ang3: f64,
}

impl Slope {
    /// What the correction adds to the pressure of a volume.
    fn pressure_gpa(&self, volume_ang3: f64) -> f64 {
        pulay_pressure(self.slope_ev, volume_ang3) * GPA_PER_EV_ANG3
    }
}

impl NativeCalculator {
    /// The engine as a potential for structures of the same atoms as a crystal, in the same order.
    pub fn potential(&self, crystal: &Crystal, cancel: &CancelToken) -> EnginePotential<'_> {
        EnginePotential {
            calculator: self,
            crystal: crystal.clone(),
            cancel: cancel.clone(),
            memory: Mutex::default(),
        }
    }
}

impl EnginePotential<'_> {
    /// SCF iterations so far.
    pub fn scf_iterations(&self) -> u32 {
        self.memory
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .scf_iterations
    }

    /// What the last correction for the plane waves added to the pressure, in GPa: the higher, the further
    /// the cutoff is below what the elements need, and the less are volumes to be trusted. 0 before the
    /// first calculation with a stress, and where the stress is not corrected.
    pub fn basis_set_pressure_gpa(&self) -> f64 {
        let memory = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
        (memory.slope).map_or(0.0, |slope| slope.pressure_gpa(slope.volume_ang3))
    }

    fn compute(
        &self,
        structure: &Structure,
        request: Request,
        memory: &mut Memory,
    ) -> Result<Prediction, Failure> {
        let (settings, library) = (self.calculator.settings(), self.calculator.library());
        let mut computation = Computation::new(
            settings,
            library,
            &self.crystal,
            &self.cancel,
            Instant::now(),
        );
        let ingredients = computation.ingredients()?;
        let convergence_ry =
            computation.convergence_ry(settings.derivative_convergence_ry.min(CONVERGENCE_RY));
        let known = memory.known.as_ref();
        let solved = computation.solve_structure(structure, &ingredients, convergence_ry, known)?;
        let energy_ev = solved.energy_ev();
        let mut forces_ev_ang = Vec::new();
        let mut stress_gpa = [[0.0; 3]; 3];
        let mut starting_point = None;
        if request == Request::Derivatives {
            let is_cancelled = computation.is_cancelled();
            let (forces, stress) = forces_and_stress_unless(
                Cancellation::by(&is_cancelled),
                &solved.basis,
                &solved.result,
                settings.threads,
            )
            .map_err(|error| computation.invalid(error))?;
            let volume = solved.basis.model().cell.volume();
            let density = starting_point.insert(solved.into_starting_point());
            let volume_ang3 = structure.lattice.volume();
            let slope = match memory.slope {
                Some(slope) => slope,
                None => Slope {
                    slope_ev: match settings.corrects_stress() {
                        true => computation.basis_set_slope_ev(&ingredients, density)?,
                        false => 0.0,
                    },
                    volume_ang3,
                },
            };
            memory.slope = Some(slope);
            let slope_ev = slope.slope_ev;
            let stress = under_pressure(stress, pulay_pressure(slope_ev / HARTREE_EV, volume));
            forces_ev_ang = forces
                .iter()
                .map(|force| force.map(|x| x * HARTREE_EV / BOHR_ANG))
                .collect();
            stress_gpa = stress.map(|row| row.map(|x| x * HARTREE_PER_BOHR3_GPA));
        } else {
            starting_point = Some(solved.into_starting_point());
        }
        memory.known = starting_point;
        memory.scf_iterations += computation.scf_iterations();
        Ok(Prediction {
            energy_ev,
            forces_ev_ang,
            stress_gpa,
            site_energies_ev: None,
            magnetic_moments: None,
            features: None,
        })
    }
}

impl InteratomicPotential for EnginePotential<'_> {
    fn name(&self) -> &str {
        "native"
    }

    /// # Errors
    /// [`PotentialError::Failed`] with what the engine says; [`PotentialError::Cancelled`].
    fn evaluate(
        &self,
        structure: &Structure,
        request: Request,
    ) -> Result<Prediction, PotentialError> {
        let failed = |message: String| PotentialError::Failed {
            potential: self.name().to_owned(),
            message,
        };
        if structure.elements != self.crystal.elements() {
            return Err(failed(format!(
                "{} are other atoms than those of {}",
                structure.formula(),
                self.crystal.formula()
            )));
        }
        let mut memory = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
        let found = self.compute(structure, request, &mut memory);
        found.map_err(|failure| match failure.code {
            FailureCode::Cancelled => PotentialError::Cancelled,
            code => failed(format!("{code}: {}", failure.message)),
        })
    }
}

impl fmt::Debug for EnginePotential<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EnginePotential")
            .field("crystal", &self.crystal.formula())
            .finish_non_exhaustive()
    }
}
