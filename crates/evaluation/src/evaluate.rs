use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    time::Instant,
};

use crystalgym_crystal::Crystal;
use serde::{Deserialize, Serialize};

use crate::{
    Calculator, CancelToken, Failure, FailureCode, Outcome, Property, ResultStore, StoreError,
    StoreKey, store::Claimed,
};

/// Where an outcome came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// Computed for this request.
    Computed,
    /// Found in the store.
    Store,
    /// Shared with an earlier request of this process that was still under way.
    Coalesced,
}

impl Source {
    /// The name used in tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::Computed => "computed",
            Self::Store => "store",
            Self::Coalesced => "coalesced",
        }
    }
}

/// An outcome and how it was come by.
#[derive(Debug, Clone, PartialEq)]
pub struct Evaluation {
    /// What came of it.
    pub outcome: Outcome,
    /// Where it came from.
    pub source: Source,
    /// Why the store could not be read or written, if so; the outcome holds all the same.
    pub store_error: Option<String>,
}

/// Computes a property of a crystal unless the store has it already.
///
/// The crystal is brought into canonical form first. A calculator that panics gives
/// [`FailureCode::Internal`]; a store that fails costs the sharing, never the result.
pub fn evaluate(
    calculator: &dyn Calculator,
    store: Option<&ResultStore>,
    crystal: &Crystal,
    property: Property,
    cancel: &CancelToken,
) -> Evaluation {
    let canonical = crystal.canonical();
    let compute = || compute_guarded(calculator, &canonical, property, cancel);
    let computed = |store_error: Option<StoreError>, outcome: Outcome| Evaluation {
        outcome,
        source: Source::Computed,
        store_error: store_error.map(|error| error.to_string()),
    };
    let Some(store) = store.filter(|_| !calculator.is_instant()) else {
        return computed(None, compute());
    };
    let key = StoreKey::new(&canonical, property, calculator);
    match store.claim(key, cancel) {
        Ok(Claimed::Done(outcome)) => Evaluation {
            outcome,
            source: Source::Store,
            store_error: None,
        },
        Ok(Claimed::Mine(claim)) => {
            let outcome = compute();
            let store_error = store.finish(claim, &outcome).err();
            computed(store_error, outcome)
        }
        Ok(Claimed::Cancelled) => computed(
            None,
            Outcome::Failure(Failure::new(
                FailureCode::Cancelled,
                "cancelled while waiting",
            )),
        ),
        Err(error) => computed(Some(error), compute()),
    }
}

fn compute_guarded(
    calculator: &dyn Calculator,
    crystal: &Crystal,
    property: Property,
    cancel: &CancelToken,
) -> Outcome {
    let start = Instant::now();
    catch_unwind(AssertUnwindSafe(|| {
        calculator.evaluate(crystal, property, cancel)
    }))
    .unwrap_or_else(|panic| {
        let message = panic
            .downcast_ref::<String>()
            .map(String::as_str)
            .or_else(|| panic.downcast_ref::<&str>().copied())
            .unwrap_or("no message");
        Outcome::Failure(Failure {
            code: FailureCode::Internal,
            message: format!("the calculator {} panicked: {message}", calculator.name()),
            scf_iterations: 0,
            seconds: start.elapsed().as_secs_f64(),
        })
    })
}
