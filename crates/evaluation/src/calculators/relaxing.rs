//! Properties of crystals at rest.

use std::sync::Arc;

use crystalgym_crystal::{Crystal, Element, SYMMETRY_TOLERANCE_ANG, Skeleton, Structure};
use serde::Serialize;

use crate::{
    CalculationSettings, Calculator, CalculatorError, CancelToken, Failure, FailureCode,
    Fingerprint, Outcome, Property, Values,
};

/// Properties by one calculator of what another, or itself, has relaxed before: cell and positions,
/// the space group kept.
///
/// A crystal that does not come to rest fails with what stopped it. Energies are those at rest; the
/// volume and the density of the given cell stay what they are.
pub struct RelaxingCalculator {
    inner: Arc<dyn Calculator>,
    by: Arc<dyn Calculator>,
}

/// Evaluations of a relaxation, as an order of magnitude.
const STEPS: f64 = 10.0;

/// What the fingerprint holds.
#[derive(Serialize)]
struct Identity {
    relaxed_by: (String, String),
    then: String,
}

impl RelaxingCalculator {
    /// Properties by `inner` of what `by` has relaxed.
    pub fn new(inner: Arc<dyn Calculator>, by: Arc<dyn Calculator>) -> Self {
        Self { inner, by }
    }

    fn relaxed(&self, crystal: &Crystal, cancel: &CancelToken) -> Result<Crystal, Failure> {
        let structure = self.by.relax(crystal, cancel)?;
        let label = &crystal.skeleton().label;
        let wrong = |error: crystalgym_crystal::CrystalError| {
            Failure::new(FailureCode::BadGeometry, error.to_string())
        };
        let skeleton = Skeleton::from_structure(label, &structure, SYMMETRY_TOLERANCE_ANG);
        Crystal::new(Arc::new(skeleton.map_err(wrong)?), structure.elements).map_err(wrong)
    }
}

impl Calculator for RelaxingCalculator {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn fingerprint(&self, elements: &[Element], property: Property) -> Fingerprint {
        // Forces and stress are those that a density is computed with.
        let by = self.by.fingerprint(elements, Property::Density);
        let identity = Identity {
            relaxed_by: (self.by.name().to_owned(), by.0),
            then: self.inner.fingerprint(elements, property).0,
        };
        // Strings only: writing them as JSON cannot fail.
        Fingerprint(serde_json::to_string(&identity).unwrap_or_default())
    }

    fn calculation_settings(&self, structure: &Structure) -> Option<CalculationSettings> {
        self.inner.calculation_settings(structure)
    }

    fn check(&self, elements: &[Element], property: Property) -> Result<(), CalculatorError> {
        self.by.check(elements, Property::Density)?;
        self.inner.check(elements, property)
    }

    fn check_skeleton(&self, skeleton: &Skeleton) -> Result<(), CalculatorError> {
        self.by.check_skeleton(skeleton)
    }

    fn core_seconds(&self, property: Property) -> f64 {
        let relaxation = STEPS * self.by.core_seconds(Property::Energy);
        relaxation + self.inner.core_seconds(property)
    }

    fn keeps_the_cell(&self) -> bool {
        self.inner.keeps_the_cell()
    }

    fn relax(&self, crystal: &Crystal, cancel: &CancelToken) -> Result<Structure, Failure> {
        self.by.relax(crystal, cancel)
    }

    fn evaluate(&self, crystal: &Crystal, property: Property, cancel: &CancelToken) -> Outcome {
        let relaxed = match self.relaxed(crystal, cancel) {
            Ok(relaxed) => relaxed,
            Err(failure) => return Outcome::Failure(failure),
        };
        match self.inner.evaluate(&relaxed, property, cancel) {
            Outcome::Success(values) => Outcome::Success(Values {
                volume_ang3: crystal.skeleton().lattice.volume(),
                rigid_density_g_cm3: crystal.rigid_density_g_cm3(),
                ..values
            }),
            failure @ Outcome::Failure(_) => failure,
        }
    }
}
