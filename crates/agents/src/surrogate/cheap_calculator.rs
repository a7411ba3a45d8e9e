//! The calculator that looks at crystals cheaply.

use std::{sync::Arc, thread};

use crystalgym_environment::Task;
use crystalgym_evaluation::{
    Calculator, CancelToken, Failure, FailureCode, Outcome, ResultStore, evaluate,
};
use crystalgym_surrogate::Filling;

use crate::Evaluator;

/// What looks at crystals cheaply.
pub(super) struct Screening {
    calculator: Arc<dyn Calculator>,
    store: Option<Arc<ResultStore>>,
    workers: usize,
}

impl Screening {
    /// As an evaluator has it, if it has one.
    pub(super) fn of(evaluator: &Evaluator) -> Option<Self> {
        Some(Self {
            calculator: Arc::clone(evaluator.screening.as_ref()?),
            store: evaluator.store.clone(),
            workers: evaluator.workers.max(1),
        })
    }

    /// Evaluates fillings, as many at a time as there are workers, in their order.
    pub(super) fn evaluate(
        &self,
        task: &Task,
        skeleton: u16,
        fillings: &[Filling],
    ) -> Vec<Outcome> {
        let (calculator, store) = (self.calculator.as_ref(), self.store.as_deref());
        let cancel = CancelToken::default();
        let outcome = |filling: &Filling| match task.crystal(skeleton.into(), filling) {
            Ok(crystal) => evaluate(calculator, store, &crystal, task.property(), &cancel).outcome,
            Err(error) => not_evaluated(error.to_string()),
        };
        let mut all = Vec::with_capacity(fillings.len());
        for some in fillings.chunks(self.workers) {
            all.extend(thread::scope(|scope| {
                let running: Vec<_> = some
                    .iter()
                    .map(|filling| scope.spawn(|| outcome(filling)))
                    .collect();
                let joined = running.into_iter().map(|running| {
                    let died = |_| not_evaluated("the evaluation ended in a panic".to_owned());
                    running.join().unwrap_or_else(died)
                });
                joined.collect::<Vec<_>>()
            }));
        }
        all
    }
}

fn not_evaluated(message: String) -> Outcome {
    Outcome::Failure(Failure::new(FailureCode::Internal, message))
}
