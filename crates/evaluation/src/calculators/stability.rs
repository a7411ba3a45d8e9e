//! Formation energies and energies above the hull, on top of a calculator that has energies.

use std::sync::Arc;

use crystalgym_crystal::{Crystal, Element, Skeleton, Structure};
use crystalgym_metrics::Composition;
use crystalgym_stability::{EnergyScale, ReferenceSet, StabilityError};
use serde::Serialize;

use crate::{
    CalculationSettings, Calculator, CalculatorError, CancelToken, Failure, FailureCode,
    Fingerprint, Outcome, Property, Values,
};

/// Energies of the elements by the method of a calculator.
pub trait ElementEnergies: Send + Sync {
    /// Looks whether there is an energy of an element, without computing it.
    ///
    /// # Errors
    /// Why there is none, in words.
    fn check(&self, element: Element) -> Result<(), String>;

    /// Energy per atom in eV of an element, comparable with crystals of these elements.
    ///
    /// # Errors
    /// Why there is none, in words.
    fn energy_ev_per_atom(
        &self,
        element: Element,
        companions: &[Element],
        cancel: &CancelToken,
    ) -> Result<f64, String>;
}

/// A calculator with formation energies and, if it has a reference set, energies above the hull; all
/// else is as without it.
///
/// Energies are those of [`Property::Energy`]. Of a set of total energies the elements are the set's;
/// of a set of formation energies, or without a set, they are computed by the calculator itself.
pub struct StabilityCalculator {
    inner: Arc<dyn Calculator>,
    elements: Arc<dyn ElementEnergies>,
    references: Option<Arc<ReferenceSet>>,
    checksum: Option<String>,
}

/// What the fingerprint holds.
#[derive(Serialize)]
struct Identity<'a> {
    energy: String,
    /// Whether the elements are the calculator's own.
    own_elements: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    references: Option<&'a str>,
}

impl StabilityCalculator {
    /// A calculator with these energies of elements, and without a reference set.
    pub fn new(inner: Arc<dyn Calculator>, elements: Arc<dyn ElementEnergies>) -> Self {
        Self {
            inner,
            elements,
            references: None,
            checksum: None,
        }
    }

    /// The same with a reference set.
    #[must_use]
    pub fn with_references(self, references: Arc<ReferenceSet>) -> Self {
        Self {
            checksum: Some(references.checksum()),
            references: Some(references),
            ..self
        }
    }

    /// The set that energies above the hull are measured from.
    pub fn references(&self) -> Option<&Arc<ReferenceSet>> {
        self.references.as_ref()
    }

    /// The set, where it holds energies of elements on the calculator's own scale.
    fn total_energies(&self) -> Option<&ReferenceSet> {
        let set = self.references.as_deref()?;
        (set.scale() == EnergyScale::Total).then_some(set)
    }

    fn error(&self, message: String) -> CalculatorError {
        CalculatorError {
            calculator: self.inner.name().to_owned(),
            message,
        }
    }

    fn judged(
        &self,
        crystal: &Crystal,
        property: Property,
        values: Values,
        cancel: &CancelToken,
    ) -> Result<Values, Failure> {
        let composition = Composition::of(crystal.elements());
        let energy_ev = values.value;
        let formation_ev = || -> Result<f64, Failure> {
            match self.total_energies() {
                Some(set) => set
                    .formation_energy(&composition, energy_ev)
                    .map_err(|error| failure_of(&error)),
                None => self.over_elements(crystal, energy_ev, cancel),
            }
        };
        let value = match (property, &self.references) {
            (Property::FormationEnergy, _) => formation_ev()?,
            (_, Some(set)) => {
                let energy_ev = match set.scale() {
                    EnergyScale::Total => energy_ev,
                    EnergyScale::Formation => formation_ev()?,
                };
                set.energy_above_hull(&composition, energy_ev)
                    .map_err(|error| failure_of(&error))?
            }
            (_, None) => return Err(Failure::new(FailureCode::UnsupportedProperty, NO_SET)),
        };
        Ok(Values { value, ..values })
    }

    /// `E/N − Σ x_i μ_i` with the calculator's own energies of the elements.
    fn over_elements(
        &self,
        crystal: &Crystal,
        energy_ev: f64,
        cancel: &CancelToken,
    ) -> Result<f64, Failure> {
        let elements = distinct(crystal.elements());
        let sites = crystal.elements().len() as f64;
        let mut rest_ev = energy_ev;
        for &element in &elements {
            let reference_ev = self
                .elements
                .energy_ev_per_atom(element, &elements, cancel)
                .map_err(|reason| match cancel.is_cancelled() {
                    true => Failure::new(FailureCode::Cancelled, "cancelled"),
                    false => Failure::new(
                        FailureCode::MissingReference,
                        format!("no energy of {element}: {reason}"),
                    ),
                })?;
            let count = crystal.elements().iter().filter(|e| **e == element).count();
            rest_ev -= reference_ev * count as f64 / sites;
        }
        Ok(rest_ev)
    }
}

const NO_SET: &str = "the energy above the hull needs a reference set: name a file of energies, or a \
                      folder of structures, as calculator.stability.references";

fn distinct(elements: &[Element]) -> Vec<Element> {
    let mut elements = elements.to_vec();
    elements.sort_unstable();
    elements.dedup();
    elements
}

fn failure_of(error: &StabilityError) -> Failure {
    let code = match error {
        StabilityError::MissingElements { .. } => FailureCode::MissingReference,
        _ => FailureCode::ProgramError,
    };
    Failure::new(code, error.to_string())
}

impl Calculator for StabilityCalculator {
    fn name(&self) -> &str {
        self.inner.name()
    }

    /// A reference set is a file of this machine, and stays.
    fn travelling_settings(&self) -> Option<serde_json::Value> {
        match &self.references {
            None => self.inner.travelling_settings(),
            Some(_) => None,
        }
    }

    fn fingerprint(&self, elements: &[Element], property: Property) -> Fingerprint {
        if !property.is_relative() {
            return self.inner.fingerprint(elements, property);
        }
        // A formation energy depends on the set only where the elements are the set's.
        let uses_set = property == Property::EnergyAboveHull || self.total_energies().is_some();
        let identity = Identity {
            energy: self.inner.fingerprint(elements, Property::Energy).0,
            own_elements: self.total_energies().is_none(),
            references: self.checksum.as_deref().filter(|_| uses_set),
        };
        // Strings only: writing them as JSON cannot fail.
        Fingerprint(serde_json::to_string(&identity).unwrap_or_default())
    }

    fn calculation_settings(&self, structure: &Structure) -> Option<CalculationSettings> {
        self.inner.calculation_settings(structure)
    }

    fn check(&self, elements: &[Element], property: Property) -> Result<(), CalculatorError> {
        if !property.is_relative() {
            return self.inner.check(elements, property);
        }
        self.inner.check(elements, Property::Energy)?;
        match &self.references {
            None if property == Property::EnergyAboveHull => {
                return Err(self.error(NO_SET.to_owned()));
            }
            Some(set)
                if property == Property::EnergyAboveHull || self.total_energies().is_some() =>
            {
                let missing = set.missing_elements(elements);
                if !missing.is_empty() {
                    let missing: Vec<&str> = missing.iter().map(|e| e.symbol()).collect();
                    return Err(self.error(format!(
                        "the reference set {} has no {}",
                        set.name(),
                        missing.join(", ")
                    )));
                }
            }
            _ => {}
        }
        if self.total_energies().is_some() {
            return Ok(());
        }
        elements.iter().try_for_each(|&element| {
            let known = self.elements.check(element);
            known.map_err(|reason| self.error(format!("no energy of {element}: {reason}")))
        })
    }

    fn check_skeleton(&self, skeleton: &Skeleton) -> Result<(), CalculatorError> {
        self.inner.check_skeleton(skeleton)
    }

    fn looks_up(&self) -> bool {
        self.inner.looks_up()
    }

    fn is_instant(&self) -> bool {
        self.inner.is_instant()
    }

    fn core_seconds(&self, property: Property) -> f64 {
        self.inner.core_seconds(match property.is_relative() {
            true => Property::Energy,
            false => property,
        })
    }

    fn keeps_the_cell(&self) -> bool {
        self.inner.keeps_the_cell()
    }

    fn relax(&self, crystal: &Crystal, cancel: &CancelToken) -> Result<Structure, Failure> {
        self.inner.relax(crystal, cancel)
    }

    fn evaluate(&self, crystal: &Crystal, property: Property, cancel: &CancelToken) -> Outcome {
        if !property.is_relative() {
            return self.inner.evaluate(crystal, property, cancel);
        }
        let values = match self.inner.evaluate(crystal, Property::Energy, cancel) {
            Outcome::Success(values) => values,
            failure @ Outcome::Failure(_) => return failure,
        };
        let (scf_iterations, seconds) = (values.scf_iterations, values.seconds);
        match self.judged(crystal, property, values, cancel) {
            Ok(values) => Outcome::Success(values),
            Err(failure) => Outcome::Failure(Failure {
                scf_iterations,
                seconds,
                ..failure
            }),
        }
    }
}
