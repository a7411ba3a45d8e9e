//! The bulk modulus, by each of its definitions ([`BulkModulusDefinition`]).

use crystalgym_dft::{
    Cancellation, HARTREE_EV, HARTREE_PER_BOHR3_GPA, Neighbours, StartingPoint, pressure,
    stress_unless,
};

use super::{
    computation::{Computation, Ingredients, Scale},
    equation_of_state::{BasisSetError, effective_cutoff_log},
    settings::BulkModulusDefinition,
};
use crate::{EquationOfStateFit, Failure, FailureCode, Values, pulay::pulay_pressure};

/// Change of ln V to either side by which a derivative of the pressure is taken.
const VOLUME_STEP: f64 = 0.02;
/// On the way to equilibrium: the longest step in ln V, and how near is near enough for the five volumes
/// of a fit to lie on both sides.
const LONGEST_STEP: f64 = 0.12;
const NEAR: f64 = 0.005;
/// Bulk modulus that the first step is measured by, in GPa.
const FIRST_MODULUS_GPA: f64 = 50.0;
const MOST_STEPS: usize = 20;
/// Largest |ln(V/V given)| that is looked at: an eighth to eight times the volume.
const FARTHEST: f64 = 2.08;

/// What a calculation at some volume leaves.
struct AtVolume {
    energy_ev: f64,
    /// Of a fixed set of plane waves, in hartree/bohr³.
    pressure_ha: f64,
    start: StartingPoint,
}

impl AtVolume {
    /// The pressure at a fixed cutoff, from the Pulay pressure that the given volume would have with the F′ of
    /// this one.
    fn total_ha(&self, pulay_ha: f64, log_volume: f64) -> f64 {
        self.pressure_ha + pulay_ha * (-log_volume).exp()
    }
}

impl Computation<'_> {
    pub(super) fn bulk_modulus(&mut self) -> Result<Values, Failure> {
        let ingredients = self.ingredients()?;
        // The given volume first: a crystal that fails there needs no other calculation.
        let (values, given) = self.at_volume(Scale::GIVEN, &ingredients, None)?;
        let (value_gpa, fit, error) = match self.settings.bulk_modulus {
            BulkModulusDefinition::Extrapolated => {
                let (fit, error) =
                    self.equation_of_state(1.0, &ingredients, given.energy_ev, &given.start, None)?;
                (fit.bulk_modulus_gpa, Some(fit), error)
            }
            BulkModulusDefinition::Cell => {
                let (value_gpa, error) = self.cell_modulus_gpa(&ingredients, &given)?;
                (value_gpa, None, error)
            }
            BulkModulusDefinition::Equilibrium => {
                let (fit, error) = self.at_equilibrium(&ingredients, &given)?;
                (fit.bulk_modulus_gpa, Some(fit), Some(error))
            }
        };
        let correction = match (self.settings.corrects_stress(), error) {
            (false, _) => 0.0,
            (true, Some(error)) => self.pulay_ha(error.slope_ev),
            (true, None) => {
                let slope_ev = self.basis_set_slope_ev(&ingredients, &given.start)?;
                self.pulay_ha(slope_ev)
            }
        };
        Ok(Values {
            value: value_gpa,
            pressure_gpa: Some((given.pressure_ha + correction) * HARTREE_PER_BOHR3_GPA),
            equation_of_state: fit.map(Box::new),
            ..values
        })
    }

    fn at_volume(
        &mut self,
        scale: Scale,
        ingredients: &Ingredients,
        known: Option<&StartingPoint>,
    ) -> Result<(Values, AtVolume), Failure> {
        let settings = self.settings;
        let convergence_ry = self.convergence_ry(settings.derivative_convergence_ry);
        let known = known.map(Neighbours::from);
        let solved = self.solve(scale, ingredients, self.smeared(), convergence_ry, known)?;
        let is_cancelled = self.is_cancelled();
        let stress = stress_unless(
            Cancellation::by(&is_cancelled),
            &solved.basis,
            &solved.result,
            settings.threads,
        )
        .map_err(|error| self.invalid(error))?;
        let (values, energy_ev) = (solved.values(), solved.energy_ev());
        let at_volume = AtVolume {
            energy_ev,
            pressure_ha: pressure(&stress),
            start: solved.into_starting_point(),
        };
        Ok((values, at_volume))
    }

    /// The Pulay pressure of the given cell in hartree/bohr³.
    fn pulay_ha(&self, slope_ev: f64) -> f64 {
        pulay_pressure(slope_ev / HARTREE_EV, self.volume_bohr3())
    }

    /// `−V dP/dV` at the given volume, central difference in ln V.
    ///
    /// With the plane waves of the given volume P is −dE/dV to rounding, and smooth. What the change of
    /// their effective cutoff adds to the energy is `−F(−⅔ ln x)` (see `equation_of_state`), to
    /// `−V dP/dV` therefore `−⅔ F′/V − 4/9 F″/V`.
    fn cell_modulus_gpa(
        &mut self,
        ingredients: &Ingredients,
        given: &AtVolume,
    ) -> Result<(f64, Option<BasisSetError>), Failure> {
        let has_fixed_plane_waves = self.settings.has_fixed_plane_waves();
        let mut pressure_ha = |log_volume: f64| -> Result<f64, Failure> {
            let volume = log_volume.exp();
            let cutoff = match has_fixed_plane_waves {
                true => effective_cutoff_log(volume).exp(),
                false => 1.0,
            };
            let scale = Scale { volume, cutoff };
            let (_, found) = self.at_volume(scale, ingredients, Some(&given.start))?;
            Ok(found.pressure_ha)
        };
        let change = pressure_ha(VOLUME_STEP)? - pressure_ha(-VOLUME_STEP)?;
        let modulus_ha = -change / (2.0 * VOLUME_STEP);
        if !has_fixed_plane_waves {
            return Ok((modulus_ha * HARTREE_PER_BOHR3_GPA, None));
        }
        let error = self.basis_set_error(1.0, ingredients, given.energy_ev, &given.start)?;
        let curvature = 4.0 / 9.0 * error.curvature_ev / HARTREE_EV / self.volume_bohr3();
        let modulus_ha = modulus_ha + self.pulay_ha(error.slope_ev) - curvature;
        Ok((modulus_ha * HARTREE_PER_BOHR3_GPA, Some(error)))
    }

    /// The volume without pressure, followed along the pressure by secants, and the fit around it.
    ///
    /// The Pulay pressure falls off as 1/V as long as F′ does not depend on the volume. Where a small basis
    /// makes it do so, F′ is measured again at each volume that looks like the one.
    fn at_equilibrium(
        &mut self,
        ingredients: &Ingredients,
        given: &AtVolume,
    ) -> Result<(EquationOfStateFit, BasisSetError), Failure> {
        let given_error = self.basis_set_error(1.0, ingredients, given.energy_ev, &given.start)?;
        let mut error = given_error;
        let mut measured_at = 0.0;
        let mut here = None;
        let mut known: Option<(f64, f64)> = None;
        let mut modulus_ha = FIRST_MODULUS_GPA / HARTREE_PER_BOHR3_GPA;
        let mut log_volume = 0.0_f64;
        for _ in 0..MOST_STEPS {
            let at = here.as_ref().unwrap_or(given);
            let mut pressure_ha = at.total_ha(self.pulay_ha(error.slope_ev), log_volume);
            if let Some((log, before_ha)) = known {
                modulus_ha = (before_ha - pressure_ha) / (log_volume - log);
            }
            let mut step = step_along(pressure_ha, modulus_ha);
            if step.abs() < NEAR && measured_at != log_volume {
                let volume = log_volume.exp();
                error = self.basis_set_error(volume, ingredients, at.energy_ev, &at.start)?;
                measured_at = log_volume;
                pressure_ha = at.total_ha(self.pulay_ha(error.slope_ev), log_volume);
                step = step_along(pressure_ha, modulus_ha);
            }
            if step.abs() < NEAR {
                let volume = log_volume.exp();
                let (fit, _) = self.equation_of_state(
                    volume,
                    ingredients,
                    at.energy_ev,
                    &at.start,
                    Some(error),
                )?;
                return match fit.brackets_minimum() {
                    true => Ok((fit, given_error)),
                    false => Err(no_equilibrium(format!(
                        "the pressure vanishes at {volume:.3} times the cell's volume, and the energy \
                         has its minimum elsewhere"
                    ))),
                };
            }
            known = Some((log_volume, pressure_ha));
            log_volume += step;
            if log_volume.abs() > FARTHEST {
                let pressure_gpa = pressure_ha * HARTREE_PER_BOHR3_GPA;
                return Err(no_equilibrium(format!(
                    "the pressure is still {pressure_gpa:.1} GPa at {:.2} times the cell's volume",
                    (log_volume - step).exp()
                )));
            }
            let scale = Scale {
                volume: log_volume.exp(),
                cutoff: 1.0,
            };
            let start = here
                .as_ref()
                .map_or(&given.start, |at: &AtVolume| &at.start);
            here = Some(self.at_volume(scale, ingredients, Some(start))?.1);
        }
        Err(no_equilibrium(format!(
            "not found in {MOST_STEPS} steps along the pressure"
        )))
    }
}

/// The next step in ln V. Where the modulus is negative, the pressure still says where the energy falls.
fn step_along(pressure_ha: f64, modulus_ha: f64) -> f64 {
    match modulus_ha > 0.0 {
        true => (pressure_ha / modulus_ha).clamp(-LONGEST_STEP, LONGEST_STEP),
        false => LONGEST_STEP.copysign(pressure_ha),
    }
}

fn no_equilibrium(found: String) -> Failure {
    let message = format!("no equilibrium volume: {found}");
    Failure::new(FailureCode::BadEquationOfState, message)
}
