//! What rewards come from.

use std::sync::Arc;

use crystalgym_environment::{Autoreset, PoolAppraiser, Task, VectorEnvironment};
use crystalgym_evaluation::{Calculator, ResultStore};

/// What rewards come from.
#[derive(Clone)]
pub struct Evaluator {
    /// Computes properties.
    pub calculator: Arc<dyn Calculator>,
    /// Shares results between runs.
    pub store: Option<Arc<ResultStore>>,
    /// Calculations at the same time.
    pub workers: usize,
    /// Looks at crystals cheaply, for agents that choose by that what to calculate.
    pub screening: Option<Arc<dyn Calculator>>,
}

impl Evaluator {
    /// Environments whose crystals it evaluates; environment `i` is seeded with `seed + i`.
    pub(crate) fn environments(
        &self,
        task: &Arc<Task>,
        count: usize,
        seed: u64,
        autoreset: Autoreset,
    ) -> VectorEnvironment {
        let appraiser = Box::new(self.appraiser());
        VectorEnvironment::of_one_task(task, count.max(1), seed, appraiser, autoreset)
    }

    /// What evaluates crystals on a pool of its own.
    pub(crate) fn appraiser(&self) -> PoolAppraiser {
        let Self {
            calculator,
            store,
            workers,
            screening: _,
        } = self.clone();
        PoolAppraiser::new(calculator, store, workers)
    }
}
