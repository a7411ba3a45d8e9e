//! Properties by an interatomic potential, without DFT.

use std::{sync::Arc, time::Instant};

use crystalgym_crystal::{Crystal, Element, Lattice, Structure};
use crystalgym_potential::{
    InteratomicPotential, Movable, PotentialError, Prediction, RelaxationEnd, RelaxationOptions,
    Relaxed, Request, relax,
};
use serde::Serialize;

use super::needs_references::needs_references;
use crate::{
    Calculator, CalculatorError, CancelToken, EquationOfStateFit, EquationOfStateLimits, Failure,
    FailureCode, Fingerprint, Outcome, Property, Values, fit_murnaghan,
};

/// Volumes of the equation of state relative to the potential's own. Of CHGNet a narrower range says
/// less: its energies are rough within two per cent of the volume, where B' of seven in ten random
/// fillings is none that a solid has; here of two in ten.
const VOLUME_FACTORS: [f64; 7] = [0.91, 0.94, 0.97, 1.0, 1.03, 1.06, 1.09];
/// Pressure in GPa below which a volume is at rest.
const REST_PRESSURE_GPA: f64 = 0.01;
/// To be raised when the numbers change that come of the same potential.
const NUMBERS: u32 = 1;

/// Properties by an interatomic potential, in milliseconds and in process. *No DFT*: what a potential
/// says far from what it was fitted to is a guess.
///
/// | property | what is computed |
/// |---|---|
/// | energy | one evaluation, of the given cell |
/// | density | mass over the volume without pressure; shape of the cell and fractional positions stay |
/// | bulk modulus | Murnaghan's equation of state, seven volumes, 0.91 to 1.09 of that without pressure |
///
/// A potential knows no electrons, so that a band gap fails with
/// [`FailureCode::UnsupportedProperty`], as does the shear modulus. Formation energies and energies
/// above the hull are those of a [`StabilityCalculator`](crate::StabilityCalculator) on top of it.
pub struct PotentialCalculator {
    name: String,
    potential: Arc<dyn InteratomicPotential>,
    largest_atomic_number: u8,
    limits: EquationOfStateLimits,
}

/// What the fingerprint holds.
#[derive(Serialize)]
struct Identity<'a> {
    program: &'static str,
    numbers: u32,
    potential: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    equation_of_state: Option<&'a EquationOfStateLimits>,
}

impl PotentialCalculator {
    /// A calculator by this potential under a name of the command line, for elements up to an atomic
    /// number.
    pub fn new(
        name: impl Into<String>,
        potential: Arc<dyn InteratomicPotential>,
        largest_atomic_number: u8,
    ) -> Self {
        Self {
            name: name.into(),
            potential,
            largest_atomic_number,
            limits: EquationOfStateLimits::default(),
        }
    }

    /// The potential.
    pub fn potential(&self) -> &Arc<dyn InteratomicPotential> {
        &self.potential
    }

    fn unsupported(&self, property: Property) -> Option<String> {
        let title = property.facts().title.to_lowercase();
        match property {
            Property::Energy | Property::Density | Property::BulkModulus => None,
            Property::BandGap => Some(format!(
                "a potential knows no electrons, so that there is no {title}"
            )),
            Property::ShearModulus => Some(format!("it computes no {title}")),
            Property::FormationEnergy | Property::EnergyAboveHull => {
                Some(needs_references(property).message)
            }
        }
    }

    fn compute(
        &self,
        crystal: &Crystal,
        property: Property,
        cancel: &CancelToken,
    ) -> Result<Values, Failure> {
        if let Some(message) = self.unsupported(property) {
            return Err(Failure::new(FailureCode::UnsupportedProperty, message));
        }
        let structure = crystal.structure();
        let given = self.ask(&structure, Request::Derivatives, cancel)?;
        let sites = structure.elements.len() as f64;
        let stress = given.stress_gpa;
        let values = Values {
            value: given.energy_ev / sites,
            total_energy_ev: Some(given.energy_ev),
            pressure_gpa: Some(-(stress[0][0] + stress[1][1] + stress[2][2]) / 3.0),
            ..Values::default()
        };
        match property {
            Property::Density => {
                let rest = self.volume_at_rest(&structure, cancel)?;
                Ok(Values {
                    value: rest.density_g_cm3(),
                    ..values
                })
            }
            Property::BulkModulus => {
                let rest = self.volume_at_rest(&structure, cancel)?;
                let fit = self.equation_of_state(&rest, cancel)?;
                Ok(Values {
                    value: fit.bulk_modulus_gpa,
                    equation_of_state: Some(Box::new(fit)),
                    ..values
                })
            }
            _ => Ok(values),
        }
    }

    fn ask(
        &self,
        structure: &Structure,
        request: Request,
        cancel: &CancelToken,
    ) -> Result<Prediction, Failure> {
        if cancel.is_cancelled() {
            return Err(Failure::new(FailureCode::Cancelled, "cancelled"));
        }
        let found = self.potential.evaluate(structure, request);
        found.map_err(|error| failure_of(&error))
    }

    /// The given cell at the volume without pressure.
    fn volume_at_rest(
        &self,
        structure: &Structure,
        cancel: &CancelToken,
    ) -> Result<Structure, Failure> {
        let options = RelaxationOptions {
            movable: Movable::Volume,
            stress_tolerance_gpa: REST_PRESSURE_GPA,
            // Of a pressure the mean over the group is the pressure itself.
            keep_symmetry: false,
            ..RelaxationOptions::default()
        };
        self.rest(structure, &options, cancel)
    }

    fn rest(
        &self,
        structure: &Structure,
        options: &RelaxationOptions,
        cancel: &CancelToken,
    ) -> Result<Structure, Failure> {
        let asked = Interruptible {
            potential: self.potential.as_ref(),
            cancel,
        };
        let relaxed = relax(&asked, structure, options, |_, _| {});
        if cancel.is_cancelled() {
            return Err(Failure::new(FailureCode::Cancelled, "cancelled"));
        }
        let relaxed = relaxed.map_err(|error| failure_of(&error))?;
        match relaxed.is_converged() {
            true => Ok(relaxed.structure),
            false => Err(Failure::new(
                FailureCode::IonsNotRelaxed,
                not_at_rest(&relaxed),
            )),
        }
    }

    fn equation_of_state(
        &self,
        rest: &Structure,
        cancel: &CancelToken,
    ) -> Result<EquationOfStateFit, Failure> {
        let volume = rest.lattice.volume();
        let mut energies_ev = Vec::with_capacity(VOLUME_FACTORS.len());
        for factor in VOLUME_FACTORS {
            let scaled = scaled(rest, factor)?;
            energies_ev.push(self.ask(&scaled, Request::Energy, cancel)?.energy_ev);
        }
        let volumes = VOLUME_FACTORS.map(|factor| factor * volume);
        fit_murnaghan(&volumes, &energies_ev, volume)
            .and_then(|fit| self.limits.check(&fit, volume).map(|()| fit))
            .map_err(|error| Failure::new(FailureCode::BadEquationOfState, error.to_string()))
    }
}

impl Calculator for PotentialCalculator {
    fn name(&self) -> &str {
        &self.name
    }

    fn fingerprint(&self, _elements: &[Element], property: Property) -> Fingerprint {
        let identity = Identity {
            program: "crystalgym-potential",
            numbers: NUMBERS,
            potential: self.potential.identity(),
            equation_of_state: (property == Property::BulkModulus).then_some(&self.limits),
        };
        // Numbers and strings only: writing them as JSON cannot fail.
        Fingerprint(serde_json::to_string(&identity).unwrap_or_default())
    }

    fn check(&self, elements: &[Element], property: Property) -> Result<(), CalculatorError> {
        let error = |message: String| CalculatorError {
            calculator: self.name.clone(),
            message,
        };
        if let Some(message) = self.unsupported(property) {
            return Err(error(message));
        }
        let largest = self.largest_atomic_number;
        match elements.iter().find(|e| e.atomic_number() > largest) {
            None => Ok(()),
            Some(element) => Err(error(format!(
                "{} does not know {element}, expected Z = 1 to {largest}",
                self.potential.name()
            ))),
        }
    }

    /// A hundredth of what it takes with electrons.
    fn core_seconds(&self, property: Property) -> f64 {
        1e-2 * property.facts().core_seconds
    }

    /// By forces to 0.02 eV/Å and stress to 0.1 GPa.
    fn relax(&self, crystal: &Crystal, cancel: &CancelToken) -> Result<Structure, Failure> {
        self.rest(&crystal.structure(), &RelaxationOptions::default(), cancel)
    }

    fn evaluate(&self, crystal: &Crystal, property: Property, cancel: &CancelToken) -> Outcome {
        let start = Instant::now();
        let computed = self.compute(crystal, property, cancel);
        let seconds = start.elapsed().as_secs_f64();
        match computed {
            Ok(values) => Outcome::Success(Values {
                volume_ang3: crystal.skeleton().lattice.volume(),
                rigid_density_g_cm3: crystal.rigid_density_g_cm3(),
                seconds,
                ..values
            }),
            Err(failure) => Outcome::Failure(Failure { seconds, ..failure }),
        }
    }
}

/// A potential that says nothing more once its caller wants to end.
struct Interruptible<'a> {
    potential: &'a dyn InteratomicPotential,
    cancel: &'a CancelToken,
}

impl InteratomicPotential for Interruptible<'_> {
    fn name(&self) -> &str {
        self.potential.name()
    }

    fn evaluate(
        &self,
        structure: &Structure,
        request: Request,
    ) -> Result<Prediction, PotentialError> {
        match self.cancel.is_cancelled() {
            true => Err(PotentialError::Cancelled),
            false => self.potential.evaluate(structure, request),
        }
    }
}

fn scaled(structure: &Structure, volume_factor: f64) -> Result<Structure, Failure> {
    let edge = volume_factor.cbrt();
    let vectors = structure.lattice.vectors().map(|row| row.map(|x| edge * x));
    let lattice = Lattice::new(vectors)
        .map_err(|error| Failure::new(FailureCode::BadGeometry, error.to_string()))?;
    Ok(Structure {
        lattice,
        ..structure.clone()
    })
}

fn not_at_rest(relaxed: &Relaxed) -> String {
    let asked = relaxed.evaluations;
    match &relaxed.end {
        RelaxationEnd::Left(error) => format!("not at rest: {error}"),
        RelaxationEnd::EvaluationsUsedUp => format!("not at rest after {asked} evaluations"),
        _ => format!("no step lowers the energy after {asked} evaluations"),
    }
}

fn failure_of(error: &PotentialError) -> Failure {
    let code = match error {
        PotentialError::UnknownElement { .. } => FailureCode::UnsupportedProperty,
        PotentialError::IsolatedAtom { .. } | PotentialError::Crystal(_) => {
            FailureCode::BadGeometry
        }
        PotentialError::TooLarge { .. } => FailureCode::TooLarge,
        PotentialError::Cancelled => FailureCode::Cancelled,
        // Of a potential that is computed elsewhere another try may end otherwise.
        PotentialError::Failed { .. } => FailureCode::Crashed,
        _ => FailureCode::ProgramError,
    };
    Failure::new(code, error.to_string())
}
