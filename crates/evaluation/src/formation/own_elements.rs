//! Energies of the elements by a calculator that takes milliseconds.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use crystalgym_crystal::{Crystal, Element, SYMMETRY_TOLERANCE_ANG, Skeleton};

use super::structures::reference_structure;
use crate::{Calculator, CancelToken, ElementEnergies, Outcome, Property};

/// Energies of the elements in their built-in structures, as they are, each computed once.
pub struct OwnElements {
    calculator: Arc<dyn Calculator>,
    known: Mutex<BTreeMap<Element, Result<f64, String>>>,
}

impl OwnElements {
    /// Energies by this calculator.
    pub fn new(calculator: Arc<dyn Calculator>) -> Self {
        Self {
            calculator,
            known: Mutex::default(),
        }
    }

    fn compute(&self, element: Element, cancel: &CancelToken) -> Result<f64, String> {
        let reference = reference_structure(element)
            .map_err(|error| error.to_string())?
            .ok_or_else(none_built_in)?;
        let label = format!("element-{element}");
        let skeleton =
            Skeleton::from_structure(&label, &reference.structure, SYMMETRY_TOLERANCE_ANG)
                .map_err(|error| error.to_string())?;
        let elements = vec![element; skeleton.sites()];
        let crystal =
            Crystal::new(Arc::new(skeleton), elements).map_err(|error| error.to_string())?;
        match self.calculator.evaluate(&crystal, Property::Energy, cancel) {
            Outcome::Success(values) => Ok(values.value),
            Outcome::Failure(failure) => Err(format!("{}: {}", failure.code, failure.message)),
        }
    }
}

fn none_built_in() -> String {
    "no elemental structure is built in; a reference set of total energies brings its own"
        .to_owned()
}

/// Whether an element has a built-in structure.
///
/// # Errors
/// Says that it has none.
pub(super) fn check_built_in(element: Element) -> Result<(), String> {
    match reference_structure(element) {
        Ok(Some(_)) => Ok(()),
        Ok(None) => Err(none_built_in()),
        Err(error) => Err(error.to_string()),
    }
}

impl ElementEnergies for OwnElements {
    fn check(&self, element: Element) -> Result<(), String> {
        check_built_in(element)
    }

    fn energy_ev_per_atom(
        &self,
        element: Element,
        _companions: &[Element],
        cancel: &CancelToken,
    ) -> Result<f64, String> {
        let known = || self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = known().get(&element) {
            return known.clone();
        }
        let found = self.compute(element, cancel);
        if !cancel.is_cancelled() {
            known().insert(element, found.clone());
        }
        found
    }
}
