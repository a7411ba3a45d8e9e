//! One evaluation, shared through the store.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, mpsc},
    time::{Duration, Instant},
};

use crystalgym_crystal::Crystal;

use crate::{
    Calculator, CancelToken, Evaluation, Failure, FailureCode, Outcome, Property, ResultStore,
    Source, StoreError, StoreKey, Values, WarningCode,
    identity::Identity,
    queue::{
        calculation::QueuedCalculation,
        desk::{Answer, Receipt},
    },
    store::Claimed,
    symmetry_snapped, warnings,
};

/// How often a wait for a worker looks whether it was given up.
const LOOK_AT_CANCEL: Duration = Duration::from_millis(50);

/// Computes a property of a crystal unless the store has it already.
///
/// A crystal is one result however it is written down: what is computed is its canonical writing
/// ([`CanonicalCrystal`](crystalgym_crystal::CanonicalCrystal)), whichever was asked for, so that
/// the number does not depend on which came first. Energies and volumes are those of the cell that
/// was asked for. Instant calculators, and those that keep the cell, get the crystal in the
/// canonical order of its skeleton ([`Crystal::canonical`]).
///
/// What is put together of several calculations ([`Calculator::evaluate_parts`]) is computed and stored
/// part by part.
///
/// A calculator that panics gives [`FailureCode::Internal`]; a store that fails costs the sharing,
/// never the result.
pub fn evaluate(
    calculator: &dyn Calculator,
    store: Option<&ResultStore>,
    crystal: &Crystal,
    property: Property,
    cancel: &CancelToken,
) -> Evaluation {
    let computed = |store_error: Option<StoreError>, outcome: Outcome| Evaluation {
        outcome,
        source: Source::Computed,
        store_error: store_error.map(|error| error.to_string()),
    };
    let mut each =
        |part: &dyn Calculator, property| evaluate(part, store, crystal, property, cancel);
    if let Some(evaluation) = calculator.evaluate_parts(property, &mut each) {
        return evaluation;
    }
    if calculator.is_instant() {
        let canonical = calculator.sees_sites().then(|| crystal.canonical());
        let crystal = canonical.as_ref().unwrap_or(crystal);
        return *evaluate_instantly(calculator, crystal, property, cancel);
    }
    let identity = Identity::of(crystal, calculator);
    let compute = || compute_to_store(calculator, &identity, crystal, property, cancel);
    let Some(store) = store else {
        return computed(None, compute().of_cells(identity.cells()));
    };
    let key = StoreKey::of(&identity, property, calculator);
    if let Some(delegation) = Delegation::of(calculator, store, crystal, property) {
        return delegation.wait(calculator, store, crystal, cancel);
    }
    let claimed = store.claim(key.clone(), cancel);
    let mut evaluation = match claimed {
        // Noted once more: it may be of another version, or have been asked for by another name.
        Claimed::Done(outcome) => Evaluation {
            outcome: note(outcome, calculator, &identity, crystal, property),
            source: Source::Store,
            store_error: None,
        },
        Claimed::Mine(claim) => {
            let outcome = compute();
            let store_error = store.finish(claim, &outcome).err();
            computed(store_error, outcome)
        }
        Claimed::Cancelled => computed(
            None,
            Outcome::Failure(Failure::new(
                FailureCode::Cancelled,
                "cancelled while waiting",
            )),
        ),
    };
    evaluation.outcome = key.as_asked(evaluation.outcome);
    evaluation
}

/// Computes what a store keeps of a crystal, for whoever has the right to; nothing is looked up or stored.
pub(crate) fn compute_to_store(
    calculator: &dyn Calculator,
    identity: &Identity,
    asked: &Crystal,
    property: Property,
    cancel: &CancelToken,
) -> Outcome {
    let outcome = match identity.to_compute() {
        Ok(crystal) => evaluate_guarded(calculator, &crystal, property, cancel).outcome,
        Err(error) => Outcome::Failure(Failure::new(FailureCode::BadGeometry, error.to_string())),
    };
    note(outcome, calculator, identity, asked, property)
}

/// Computes a property by an instant calculator, of a crystal in the canonical order of its skeleton if the
/// calculator [sees sites](Calculator::sees_sites). In a box, in which it is written once: an evaluation is
/// large, and copies of it would take longer than the calculation.
pub fn evaluate_instantly(
    calculator: &dyn Calculator,
    canonical: &Crystal,
    property: Property,
    cancel: &CancelToken,
) -> Box<Evaluation> {
    let mut each =
        |part: &dyn Calculator, property| *evaluate_instantly(part, canonical, property, cancel);
    if let Some(evaluation) = calculator.evaluate_parts(property, &mut each) {
        return Box::new(evaluation);
    }
    evaluate_guarded(calculator, canonical, property, cancel)
}

/// A result that workers of a queue compute.
pub(crate) struct Delegation {
    identity: Identity,
    key: StoreKey,
    calculation: QueuedCalculation,
}

impl Delegation {
    /// `None` if the store has no queue, or the calculator cannot travel.
    pub(crate) fn of(
        calculator: &dyn Calculator,
        store: &ResultStore,
        crystal: &Crystal,
        property: Property,
    ) -> Option<Self> {
        if !store.has_queue() || calculator.is_instant() {
            return None;
        }
        let identity = Identity::of(crystal, calculator);
        let calculation = QueuedCalculation::of(identity.asked(), property, calculator)?;
        let key = StoreKey::of(&identity, property, calculator);
        Some(Self {
            identity,
            key,
            calculation,
        })
    }

    /// Hands the calculation in; its evaluation goes to `receiver` once it is there.
    ///
    /// # Errors
    /// [`StoreError`] if the server's URL cannot be used.
    pub(crate) fn hand_in(
        &self,
        store: &ResultStore,
        calculator: Arc<dyn Calculator>,
        asked: &Crystal,
        receiver: impl FnOnce(Evaluation) + Send + 'static,
    ) -> Result<Receipt, StoreError> {
        let (identity, key, asked) = (self.identity.clone(), self.key.clone(), asked.clone());
        let answered = move |answer| {
            receiver(delegated(
                calculator.as_ref(),
                &identity,
                &key,
                &asked,
                answer,
            ));
        };
        let desk = store.desk()?;
        Ok(desk.ask(self.key.clone(), &self.calculation, Box::new(answered)))
    }

    /// Hands the calculation in and waits.
    fn wait(
        &self,
        calculator: &dyn Calculator,
        store: &ResultStore,
        asked: &Crystal,
        cancel: &CancelToken,
    ) -> Evaluation {
        let failed = |code, message: String| Evaluation {
            outcome: Outcome::Failure(Failure::new(code, message)),
            source: Source::Computed,
            store_error: None,
        };
        let desk = match store.desk() {
            Ok(desk) => desk,
            Err(error) => return failed(FailureCode::Internal, error.to_string()),
        };
        let (sender, receiver) = mpsc::channel();
        let answered = move |answer| {
            // Whoever has given up hears nothing.
            let _ = sender.send(answer);
        };
        let receipt = desk.ask(self.key.clone(), &self.calculation, Box::new(answered));
        loop {
            match receiver.recv_timeout(LOOK_AT_CANCEL) {
                Ok(answer) => {
                    return delegated(calculator, &self.identity, &self.key, asked, answer);
                }
                Err(mpsc::RecvTimeoutError::Timeout) if !cancel.is_cancelled() => {}
                Err(_) => {
                    desk.withdraw(&receipt);
                    let message = "cancelled while waiting".to_owned();
                    return failed(FailureCode::Cancelled, message);
                }
            }
        }
    }
}

/// What a worker's outcome is to whoever asked.
fn delegated(
    calculator: &dyn Calculator,
    identity: &Identity,
    key: &StoreKey,
    asked: &Crystal,
    (outcome, source): Answer,
) -> Evaluation {
    let outcome = note(outcome, calculator, identity, asked, key.property);
    Evaluation {
        outcome: key.as_asked(outcome),
        source,
        store_error: None,
    }
}

/// Writes down what a value was computed with and what is to be said against it.
fn note(
    outcome: Outcome,
    calculator: &dyn Calculator,
    identity: &Identity,
    asked: &Crystal,
    property: Property,
) -> Outcome {
    let Outcome::Success(mut values) = outcome else {
        return outcome;
    };
    let structure = identity.structure();
    if let Some(settings) = calculator.calculation_settings(&structure) {
        values.warnings = warnings(property, &structure, &values, &settings);
        values.settings = Some(Box::new(settings));
    }
    if !calculator.keeps_the_cell() {
        values
            .warnings
            .retain(|warning| warning.code != WarningCode::SymmetrySnapped);
        values.warnings.extend(symmetry_snapped(asked.skeleton()));
    }
    Outcome::Success(values)
}

/// What a calculator says, or that it failed at its own. Boxed within the guard, which copies what
/// passes through it.
fn evaluate_guarded(
    calculator: &dyn Calculator,
    crystal: &Crystal,
    property: Property,
    cancel: &CancelToken,
) -> Box<Evaluation> {
    let start = (!calculator.is_instant()).then(Instant::now);
    let boxed = |outcome: Outcome| {
        Box::new(Evaluation {
            outcome,
            source: match calculator.looks_up() {
                true => Source::Store,
                false => Source::Computed,
            },
            store_error: None,
        })
    };
    let guarded = catch_unwind(AssertUnwindSafe(|| {
        boxed(calculator.evaluate(crystal, property, cancel))
    }));
    let message = match guarded {
        Ok(evaluation) => match &evaluation.outcome {
            Outcome::Success(values) if !all_finite(values) => format!(
                "the calculator {} gave {} as {property}, expected a finite number",
                calculator.name(),
                values.value
            ),
            _ => return evaluation,
        },
        Err(panic) => {
            let message = panic
                .downcast_ref::<String>()
                .map(String::as_str)
                .or_else(|| panic.downcast_ref::<&str>().copied())
                .unwrap_or("no message");
            format!("the calculator {} panicked: {message}", calculator.name())
        }
    };
    boxed(Outcome::Failure(Failure {
        code: FailureCode::Internal,
        message,
        scf_iterations: 0,
        seconds: start.map_or(0.0, |start| start.elapsed().as_secs_f64()),
        terms: Vec::new(),
    }))
}

/// No number is neither a value nor something that a file can hold.
fn all_finite(values: &Values) -> bool {
    let Values {
        value,
        volume_ang3,
        rigid_density_g_cm3,
        seconds,
        ..
    } = values;
    [value, volume_ang3, rigid_density_g_cm3, seconds]
        .into_iter()
        .all(|number| number.is_finite())
}
