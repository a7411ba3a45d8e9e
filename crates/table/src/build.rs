//! Computes what a store lacks of a table.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use crystalgym_evaluation::{
    Calculator, Evaluation, EvaluationPool, FailureCode, ResultStore, Source,
};

use crate::{TableError, TablePlan};

/// How long a wait for a result lasts before the stop is looked at again.
pub(crate) const LOOK_UP: Duration = Duration::from_millis(50);
/// Requests that wait for a worker, so that none is idle.
const WAITING: usize = 1;
/// Requests under way where the workers of a queue compute, of which nobody here knows how many they are.
const IN_QUEUE: usize = 4096;

/// How a table is built.
pub struct BuildOptions<'a> {
    /// Calculations at the same time.
    pub workers: usize,
    /// Seed of the order.
    pub seed: u64,
    /// Whether to stop.
    pub stop: &'a dyn Fn() -> bool,
    /// Told of the progress after each result, and while one is waited for.
    pub report: &'a mut dyn FnMut(&BuildProgress),
}

/// How far a table is.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct BuildProgress {
    /// Fillings of the table.
    pub fillings: usize,
    /// Fillings with a result in the store.
    pub done: usize,
    /// Results that this process computed.
    pub computed: usize,
    /// Wall time of those calculations in seconds, added up.
    pub seconds: f64,
    /// Failures in the store, by code.
    pub failures: BTreeMap<String, usize>,
    /// Failures that another try may not have, by code; they are not in the store.
    pub passing_failures: BTreeMap<String, usize>,
    /// The last complaint of the store.
    pub store_error: Option<String>,
}

impl BuildProgress {
    /// Fillings without a result.
    pub fn missing(&self) -> usize {
        self.fillings - self.done
    }

    /// Wall time in seconds that the missing results take with so many workers, if something was
    /// computed to tell from.
    pub fn forecast_seconds(&self, workers: usize) -> Option<f64> {
        let tried = self.computed + self.passing_failures.values().sum::<usize>();
        let each = (tried > 0).then(|| self.seconds / tried as f64)?;
        Some(self.missing() as f64 * each / workers.max(1) as f64)
    }

    fn count(&mut self, evaluation: &Evaluation) {
        if evaluation.store_error.is_some() {
            self.store_error.clone_from(&evaluation.store_error);
        }
        let failure = evaluation.outcome.failure().map(|failure| failure.code);
        if failure == Some(FailureCode::Cancelled) {
            return;
        }
        let passes = failure.is_some_and(FailureCode::depends_on_the_moment);
        if evaluation.source == Source::Computed {
            self.seconds += evaluation.outcome.seconds();
            self.computed += usize::from(!passes);
        }
        self.done += usize::from(!passes);
        if let Some(code) = failure {
            let failures = match passes {
                true => &mut self.passing_failures,
                false => &mut self.failures,
            };
            *failures.entry(code.name().to_owned()).or_default() += 1;
        }
    }
}

/// Computes all fillings of a table that the store has no result of, in a random order.
///
/// Results are in the store as soon as they are there; a build that was stopped or killed goes on
/// where it was, and several may work on one table at the same time.
///
/// # Errors
/// [`TableError::Store`] if the store cannot be read at the start or written at the end.
pub fn build(
    plan: &TablePlan,
    calculator: &Arc<dyn Calculator>,
    store: &Arc<ResultStore>,
    options: BuildOptions<'_>,
) -> Result<BuildProgress, TableError> {
    let BuildOptions {
        workers,
        seed,
        stop,
        report,
    } = options;
    let survey = plan.survey(calculator.as_ref(), store)?;
    let mut progress = BuildProgress {
        fillings: plan.fillings().len(),
        done: survey.known,
        failures: survey.failures,
        ..BuildProgress::default()
    };
    report(&progress);
    let is_missing = {
        let mut is_missing = vec![false; plan.fillings().len()];
        for place in survey.missing {
            is_missing[place] = true;
        }
        is_missing
    };
    let most = match store.has_queue() {
        true => IN_QUEUE,
        false => workers.max(1) + WAITING,
    };
    let pool = EvaluationPool::new(
        Arc::clone(calculator),
        Some(Arc::clone(store)),
        workers,
        most,
    );
    let mut left = plan.order(seed).into_iter().filter(|&p| is_missing[p]);
    let mut is_over = false;
    while !stop() {
        while !is_over && pool.outstanding() < most {
            match left.next() {
                Some(place) => {
                    let crystal = plan.crystal(&plan.fillings()[place])?;
                    pool.submit(&crystal, plan.property());
                }
                None => is_over = true,
            }
        }
        match pool.receive(Some(LOOK_UP)) {
            Some((_, evaluation)) => progress.count(&evaluation),
            None if is_over && pool.outstanding() == 0 => break,
            None => {}
        }
        report(&progress);
    }
    // What is under way is cancelled and waited for.
    drop(pool);
    store.flush()?;
    Ok(progress)
}
