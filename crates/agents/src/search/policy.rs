//! What a search has found, to act with.

use std::sync::Arc;

use crystalgym_environment::{Action, Observation, SkeletonIdentity, Task};
use rand::SeedableRng;
use rand_pcg::Pcg64;

use super::{
    filling::{Filling, random_filling},
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
    /// Plans of the episodes under way, which are known by what is seen of them next.
    plans: Vec<(Expected, Filling)>,
}

/// What is seen of an episode after an action that it was told to take.
#[derive(PartialEq, Eq)]
struct Expected {
    skeleton: usize,
    step: usize,
    node_types: Filling,
}

impl Expected {
    fn is(&self, seen: &Observation<'_>) -> bool {
        (self.skeleton, self.step) == (seen.skeleton, seen.step)
            && *self.node_types == *seen.node_types
    }
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
            plans: Vec::new(),
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
        let mut under_way = std::mem::take(&mut self.plans);
        let mut actions = Vec::with_capacity(seen.len());
        for seen in seen {
            let known = under_way.iter().position(|(expected, _)| expected.is(seen));
            let plan = match known {
                Some(index) if seen.step > 0 => under_way.swap_remove(index).1,
                _ => self.plan(seen.skeleton)?,
            };
            let action = planned_action(&self.task, seen, &plan);
            let mut node_types = Filling::from(seen.node_types);
            self.task.process().put(&mut node_types, seen.focus, action);
            let expected = Expected {
                skeleton: seen.skeleton,
                step: seen.step + 1,
                node_types,
            };
            self.plans.push((expected, plan));
            actions.push(action);
        }
        Ok(actions)
    }
}

/// The action that brings an episode nearer to its plan; if the task forbids that there, the first
/// action that it allows.
pub(super) fn planned_action(task: &Task, seen: &Observation<'_>, plan: &[u8]) -> Action {
    let planned = task.process().action_towards(seen, plan);
    planned
        .filter(|&action| seen.allowed.get(usize::from(action)) == Some(&true))
        .or_else(|| Some(seen.allowed.iter().position(|allowed| *allowed)? as Action))
        .unwrap_or_default()
}
