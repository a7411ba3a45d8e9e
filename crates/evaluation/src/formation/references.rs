//! Energies of the elements, which formation energies are measured from.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use crystalgym_crystal::{Crystal, Element, SYMMETRY_TOLERANCE_ANG, Skeleton};
use serde::Deserialize;

use super::{
    own_elements::check_built_in,
    structures::{ElementalStructure, reference_structure},
};
use crate::{
    Calculator, CalculatorConfig, CalculatorError, CalculatorName, CancelToken, ElementEnergies,
    Outcome, Property, Relaxation, ResultStore, StabilitySettings, evaluate,
};

/// k-points per reciprocal atom for a molecule in its cell: two divisions at most.
const MOLECULE_KPPA: f64 = 20.0;
/// A reference may take longer than an episode.
const TIME_LIMIT_SECONDS: f64 = 3600.0;

/// Energies of the elements with the settings of one calculator, each computed once and kept in the
/// store of the benchmark.
pub struct ElementalReferences {
    config: CalculatorConfig,
    calculator: Arc<dyn Calculator>,
    store: Option<Arc<ResultStore>>,
    known: Mutex<BTreeMap<ReferenceKey, Result<f64, String>>>,
}

/// Element, and the bits of its two cutoffs.
type ReferenceKey = (Element, [u64; 2]);

/// The cutoffs in a fingerprint of the built-in engine; a family may recommend others for each
/// crystal, and only energies of the same cutoffs can be subtracted.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
struct Cutoffs {
    ecutwfc_ry: f64,
    ecutrho_ry: f64,
}

impl ElementalReferences {
    /// References by the calculator of a benchmark, kept nowhere.
    ///
    /// # Errors
    /// [`CalculatorError`] if it cannot work, or knows no energies.
    pub fn new(config: &CalculatorConfig) -> Result<Self, CalculatorError> {
        if !matches!(config.name, CalculatorName::Native | CalculatorName::Qe) {
            return Err(CalculatorError {
                calculator: config.name.name().to_owned(),
                message: "it knows no energies; formation energies need native or qe".to_owned(),
            });
        }
        Ok(Self::by(config, config.build()?))
    }

    /// References by a calculator that was made of these settings.
    pub(crate) fn by(config: &CalculatorConfig, calculator: Arc<dyn Calculator>) -> Self {
        Self {
            config: config.clone(),
            calculator,
            store: None,
            known: Mutex::default(),
        }
    }

    /// The same, kept in a store.
    #[must_use]
    pub fn with_store(mut self, store: Arc<ResultStore>) -> Self {
        self.store = Some(store);
        self
    }

    /// The calculator.
    pub fn calculator(&self) -> &dyn Calculator {
        self.calculator.as_ref()
    }

    /// Energy per atom in eV of an element, at the cutoffs that a crystal of `companions` has.
    ///
    /// Occupations are smeared, as the density's are.
    ///
    /// # Errors
    /// Why there is none, in words.
    pub fn energy_ev_per_atom(
        &self,
        element: Element,
        companions: &[Element],
        cancel: &CancelToken,
    ) -> Result<f64, String> {
        let cutoffs = self.cutoffs(companions);
        let key = (
            element,
            [cutoffs.ecutwfc_ry.to_bits(), cutoffs.ecutrho_ry.to_bits()],
        );
        let known = self
            .known
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&key)
            .cloned();
        if let Some(known) = known {
            return known;
        }
        let found = self.compute(element, cutoffs, cancel);
        if !cancel.is_cancelled() {
            let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
            known.insert(key, found.clone());
        }
        found
    }

    fn compute(
        &self,
        element: Element,
        cutoffs: Cutoffs,
        cancel: &CancelToken,
    ) -> Result<f64, String> {
        let reference = reference_structure(element).map_err(|error| error.to_string())?;
        let Some(reference) = reference else {
            return Err(format!("no elemental structure of {element} is built in"));
        };
        let label = format!("element-{element}");
        let skeleton =
            Skeleton::from_structure(&label, &reference.structure, SYMMETRY_TOLERANCE_ANG);
        let skeleton = Arc::new(skeleton.map_err(|error| error.to_string())?);
        let elements = vec![element; skeleton.sites()];
        let crystal = Crystal::new(skeleton, elements).map_err(|error| error.to_string())?;
        let calculator = self
            .settings(&reference, cutoffs)
            .build()
            .map_err(|error| error.to_string())?;
        let store = self.store.as_deref();
        let evaluation = evaluate(
            calculator.as_ref(),
            store,
            &crystal,
            Property::Density,
            cancel,
        );
        match evaluation.outcome {
            Outcome::Success(values) => {
                let energy = values
                    .total_energy_ev
                    .ok_or("the calculator gave no energy")?;
                Ok(energy / crystal.elements().len() as f64)
            }
            Outcome::Failure(failure) => Err(format!("{}: {}", failure.code, failure.message)),
        }
    }

    fn cutoffs(&self, elements: &[Element]) -> Cutoffs {
        match self.config.name {
            CalculatorName::Native => {
                let text = self.calculator.fingerprint(elements, Property::Density).0;
                serde_json::from_str(&text).unwrap_or_default()
            }
            // The decks of pw.x have fixed cutoffs.
            _ => Cutoffs::default(),
        }
    }

    fn settings(&self, reference: &ElementalStructure, cutoffs: Cutoffs) -> CalculatorConfig {
        let mut config = CalculatorConfig {
            relaxation: Relaxation::None,
            stability: StabilitySettings::default(),
            ..self.config.clone()
        };
        if cutoffs.ecutwfc_ry > 0.0 {
            config.native.ecutwfc_ry = Some(cutoffs.ecutwfc_ry);
            config.native.ecutrho_ry = Some(cutoffs.ecutrho_ry);
        }
        if reference.is_molecule {
            config.native.kppa = Some(MOLECULE_KPPA);
            config.qe.pw.kppa = MOLECULE_KPPA;
        }
        config.native.time_limit_seconds = Some(TIME_LIMIT_SECONDS);
        config.qe.time_limit_seconds = Some(TIME_LIMIT_SECONDS);
        config
    }
}

impl ElementEnergies for ElementalReferences {
    fn check(&self, element: Element) -> Result<(), String> {
        check_built_in(element)
    }

    fn energy_ev_per_atom(
        &self,
        element: Element,
        companions: &[Element],
        cancel: &CancelToken,
    ) -> Result<f64, String> {
        Self::energy_ev_per_atom(self, element, companions, cancel)
    }
}

/// `(E − Σ_i n_i μ_i) / N` in eV per atom of a crystal with total energy E in eV.
///
/// # Errors
/// The first element without a reference, and why.
pub fn formation_energy_ev_per_atom(
    crystal: &Crystal,
    total_energy_ev: f64,
    references: &ElementalReferences,
    cancel: &CancelToken,
) -> Result<f64, (Element, String)> {
    let mut elements = crystal.elements().to_vec();
    elements.sort_unstable();
    elements.dedup();
    let mut rest_ev = total_energy_ev;
    for &element in crystal.elements() {
        let reference_ev = references
            .energy_ev_per_atom(element, &elements, cancel)
            .map_err(|reason| (element, reason))?;
        rest_ev -= reference_ev;
    }
    Ok(rest_ev / crystal.elements().len() as f64)
}
