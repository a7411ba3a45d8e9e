//! What a calculator is, and how it is told to stop.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use crystalgym_crystal::{Crystal, Element, Skeleton, Structure};
use serde::{Deserialize, Serialize};

use crate::{CalculationSettings, Evaluation, Failure, FailureCode, Outcome, Property};

/// Computes properties of crystals.
///
/// An implementation never panics on data, honours `cancel` within about a second, leaves no
/// child process behind, and returns the same outcome for the same crystal whatever the thread.
pub trait Calculator: Send + Sync {
    /// The name used on the command line and in files, such as `qe` or `rigid`.
    fn name(&self) -> &str;

    /// All that the outcome depends on besides the crystal and the property: settings, program
    /// version, and the pseudopotentials of these elements. Part of the store's key.
    fn fingerprint(&self, elements: &[Element], property: Property) -> Fingerprint;

    /// Cutoffs, mesh and pseudopotentials that a structure is computed with, for people and tables;
    /// `None` for a calculator that has none.
    fn calculation_settings(&self, structure: &Structure) -> Option<CalculationSettings> {
        let _ = structure;
        None
    }

    /// Looks whether the calculator could work for these elements and this property: program,
    /// pseudopotentials, settings. Called before anything runs.
    ///
    /// # Errors
    /// [`CalculatorError`] that names what is missing or wrong.
    fn check(&self, elements: &[Element], property: Property) -> Result<(), CalculatorError> {
        let _ = (elements, property);
        Ok(())
    }

    /// Looks whether the calculator could work on every filling of a skeleton, as [`Self::check`] does
    /// for elements.
    ///
    /// # Errors
    /// [`CalculatorError`] that says why not.
    fn check_skeleton(&self, skeleton: &Skeleton) -> Result<(), CalculatorError> {
        let _ = skeleton;
        Ok(())
    }

    /// The settings as a [`CalculatorConfig`](crate::CalculatorConfig) writes them, without what concerns
    /// a machine (commands, folders, threads), from which a worker elsewhere can make the calculator;
    /// `None` for one that no configuration makes.
    fn travelling_settings(&self) -> Option<serde_json::Value> {
        None
    }

    /// Whether outcomes are looked up that were computed before, and nothing is computed.
    fn looks_up(&self) -> bool {
        false
    }

    /// Whether an evaluation takes microseconds, so that it is done in place: no worker, no store.
    fn is_instant(&self) -> bool {
        false
    }

    /// Whether an outcome depends on which site holds which element, be it in the last bit. If not, an
    /// instant calculator is given crystals as they are asked for, in no canonical order.
    fn sees_sites(&self) -> bool {
        true
    }

    /// Whether outcomes are defined for the cell as it was given and published, and not for the
    /// crystal however it is written down. Then a supercell or another setting is another result.
    fn keeps_the_cell(&self) -> bool {
        false
    }

    /// The structure at rest: cell and positions relaxed, the symmetry kept. Its sites are in the order
    /// of the crystal's.
    ///
    /// # Errors
    /// The [`Failure`] of a calculation on the way, or [`FailureCode::UnsupportedProperty`] for a
    /// calculator that has no forces.
    fn relax(&self, crystal: &Crystal, cancel: &CancelToken) -> Result<Structure, Failure> {
        let _ = (crystal, cancel);
        let message = format!("the calculator {} has no forces to relax by", self.name());
        Err(Failure::new(FailureCode::UnsupportedProperty, message))
    }

    /// Core seconds of a calculation, as an order of magnitude: what is cheap is computed first.
    fn core_seconds(&self, property: Property) -> f64 {
        match self.is_instant() {
            true => 0.0,
            false => property.facts().core_seconds,
        }
    }

    /// What comes of a property that is put together of several calculations: each is asked of `each`,
    /// which computes or finds it as a result of its own. `None` for a calculator that computes the
    /// property itself.
    fn evaluate_parts(
        &self,
        property: Property,
        each: &mut dyn FnMut(&dyn Calculator, Property) -> Evaluation,
    ) -> Option<Evaluation> {
        let _ = (property, each);
        None
    }

    /// Computes `property` of `crystal`.
    fn evaluate(&self, crystal: &Crystal, property: Property, cancel: &CancelToken) -> Outcome;
}

/// Why a calculator cannot work as configured.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("calculator {calculator}: {message}")]
pub struct CalculatorError {
    /// Name of the calculator.
    pub calculator: String,
    /// What is missing or wrong, and what would be right.
    pub message: String,
}

/// A stable text of a calculator's settings (canonical JSON), hashed into the store's key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Fingerprint(pub String);

/// A flag that many threads can see: once cancelled, it stays so.
#[derive(Clone, Default)]
pub struct CancelToken {
    flag: Arc<AtomicBool>,
    ask: Option<Arc<dyn Fn() -> bool + Send + Sync>>,
}

impl CancelToken {
    /// A token that also asks, on the thread that looks at it, whether to stop.
    pub fn asking(ask: impl Fn() -> bool + Send + Sync + 'static) -> Self {
        Self {
            flag: Arc::default(),
            ask: Some(Arc::new(ask)),
        }
    }

    /// Asks every holder of the token to stop.
    pub fn cancel(&self) {
        self.flag.store(true, Ordering::Release);
    }

    /// Whether somebody asked to stop.
    pub fn is_cancelled(&self) -> bool {
        if self.flag.load(Ordering::Acquire) {
            return true;
        }
        let stop = self.ask.as_ref().is_some_and(|ask| ask());
        if stop {
            self.cancel();
        }
        stop
    }
}

impl fmt::Debug for CancelToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("CancelToken").field(&self.flag).finish()
    }
}
