//! Appraisal by a calculator, on other threads or in place.

use std::{sync::Arc, time::Duration};

use crystalgym_crystal::Crystal;
use crystalgym_evaluation::{
    Calculator, CancelToken, Evaluation, EvaluationPool, Property, ResultStore, Ticket, evaluate,
    evaluate_instantly,
};

use super::{Answer, Appraisal, Appraiser};

/// Computes on the threads of a pool; what takes no time is computed in place.
pub struct PoolAppraiser {
    calculator: Arc<dyn Calculator>,
    pool: EvaluationPool,
    /// For a calculator that is instant.
    instant: Option<Instant>,
}

/// What instant calculations need, kept from one to the next: most of their time goes to memory.
struct Instant {
    /// Whether the calculator sees sites.
    sees_sites: bool,
    /// What they are told to stop by: never.
    never: CancelToken,
    canonical: Option<Crystal>,
}

impl Instant {
    fn evaluation(
        &mut self,
        calculator: &dyn Calculator,
        crystal: &Crystal,
        property: Property,
    ) -> Box<Evaluation> {
        let crystal = match &mut self.canonical {
            _ if !self.sees_sites => crystal,
            Some(canonical) => {
                canonical.become_canonical(crystal);
                canonical
            }
            none => none.insert(crystal.canonical()),
        };
        evaluate_instantly(calculator, crystal, property, &self.never)
    }
}

impl PoolAppraiser {
    /// `workers` threads (at least one) that share a store.
    pub fn new(
        calculator: Arc<dyn Calculator>,
        store: Option<Arc<ResultStore>>,
        workers: usize,
    ) -> Self {
        // Whoever steps environments bounds what is in flight; a request never blocks.
        let pool = EvaluationPool::new(Arc::clone(&calculator), store, workers, usize::MAX);
        let instant = calculator.is_instant().then(|| Instant {
            sees_sites: calculator.sees_sites(),
            never: CancelToken::default(),
            canonical: None,
        });
        Self {
            calculator,
            pool,
            instant,
        }
    }
}

impl Appraiser for PoolAppraiser {
    fn submit(&mut self, crystal: &Crystal, property: Property) -> Answer {
        // The pool would do the same, with its lock and its list of answers on every episode.
        if let Some(instant) = &mut self.instant {
            let evaluation = instant.evaluation(self.calculator.as_ref(), crystal, property);
            return Answer::Known(Appraisal::Computed(evaluation));
        }
        Answer::Pending(self.pool.submit(crystal, property))
    }

    fn wait(&mut self, ticket: Ticket, timeout: Duration) -> Option<Appraisal> {
        let evaluation = self.pool.wait(ticket, Some(timeout))?;
        Some(Appraisal::Computed(Box::new(evaluation)))
    }

    fn receive(&mut self, timeout: Duration) -> Option<(Ticket, Appraisal)> {
        let (ticket, evaluation) = self.pool.receive(Some(timeout))?;
        Some((ticket, Appraisal::Computed(Box::new(evaluation))))
    }

    fn cancel(&mut self, ticket: Ticket) {
        self.pool.cancel(ticket);
    }
}

/// Computes on the thread that asks, however long that takes.
pub struct InPlaceAppraiser {
    calculator: Arc<dyn Calculator>,
    store: Option<Arc<ResultStore>>,
    /// Makes the token of one evaluation.
    token: Box<dyn Fn() -> CancelToken + Send + Sync>,
}

impl InPlaceAppraiser {
    /// An appraiser each of whose evaluations can be stopped by the token that is made for it.
    pub fn new(
        calculator: Arc<dyn Calculator>,
        store: Option<Arc<ResultStore>>,
        token: Box<dyn Fn() -> CancelToken + Send + Sync>,
    ) -> Self {
        Self {
            calculator,
            store,
            token,
        }
    }
}

impl Appraiser for InPlaceAppraiser {
    fn submit(&mut self, crystal: &Crystal, property: Property) -> Answer {
        let evaluation = evaluate(
            self.calculator.as_ref(),
            self.store.as_deref(),
            crystal,
            property,
            &(self.token)(),
        );
        Answer::Known(Appraisal::Computed(Box::new(evaluation)))
    }

    fn wait(&mut self, _ticket: Ticket, _timeout: Duration) -> Option<Appraisal> {
        None
    }

    fn receive(&mut self, _timeout: Duration) -> Option<(Ticket, Appraisal)> {
        None
    }

    fn cancel(&mut self, _ticket: Ticket) {}
}
