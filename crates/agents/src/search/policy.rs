//! What a search has found, to act with.

use std::sync::Arc;

use crystalgym_environment::{Action, Observation, SkeletonIdentity, Task};
use rand::SeedableRng;
use rand_pcg::Pcg64;

use super::{
    filling::{Filling, random_filling},
    plans::PlansUnderWay,
    proposer::Proposer,
};
use crate::{AgentError, Policy, PolicyMode};

/// Plays the best known filling, or the next proposals.
pub(super) struct SearchPolicy {
    searched: Arc<Task>,
    task: Arc<Task>,
    proposer: Box<dyn Proposer>,
    greedy: bool,
    rng: Pcg64,
    plans: PlansUnderWay,
}

impl SearchPolicy {
    pub(super) fn new(
        searched: Arc<Task>,
        task: Arc<Task>,
        proposer: Box<dyn Proposer>,
        mode: PolicyMode,
    ) -> Self {
        let seed = match mode {
            PolicyMode::Greedy => 0,
            PolicyMode::Sampled { seed } => seed,
        };
        Self {
            searched,
            task,
            proposer,
            greedy: mode == PolicyMode::Greedy,
            rng: Pcg64::seed_from_u64(seed),
            plans: PlansUnderWay::default(),
        }
    }

    fn plan(&mut self, skeleton: usize) -> Result<Filling, AgentError> {
        let wanted = SkeletonIdentity::of(&self.task.skeletons()[skeleton]);
        let known = self.searched.skeletons().iter();
        let searched = known
            .map(|skeleton| SkeletonIdentity::of(skeleton))
            .position(|known| known.label == wanted.label && known.check(&wanted).is_ok())
            .map(|index| index as u16);
        let same_elements = self.searched.elements() == self.task.elements();
        let Some(searched) = searched.filter(|_| same_elements) else {
            return Ok(random_filling(&self.task, skeleton as u16, &mut self.rng));
        };
        let best = self.proposer.best(searched).filter(|_| self.greedy);
        match best {
            Some(best) => Ok(best.clone()),
            None => self
                .proposer
                .propose(&self.searched, searched, &mut self.rng),
        }
    }
}

impl Policy for SearchPolicy {
    fn act(&mut self, seen: &[Observation<'_>]) -> Result<Vec<Action>, AgentError> {
        let mut plans = std::mem::take(&mut self.plans);
        let task = Arc::clone(&self.task);
        let actions = plans.act(&task, seen, |seen| self.plan(seen.skeleton));
        self.plans = plans;
        actions
    }
}
