//! Found is kept: what agents on networks do so that a good crystal is not forgotten, and so that no
//! episode is spent on one that is known.

mod config;
mod kept;
mod mask;
mod novelty;

use std::{borrow::Cow, collections::BTreeSet, mem};

use crystalgym_environment::{Action, FinishedEpisode, Observation, State, Task};
use rand_pcg::Pcg64;
use serde::{Deserialize, Serialize};

pub use self::config::FindsConfig;
pub(crate) use self::{
    kept::Returns,
    mask::{masks, with_masks},
};

use self::{kept::Kept, mask::even_actions, novelty::Novelty};
use crate::{AgentError, Batch, MaskedCategorical, ReplayBuffer, Transition};

/// What an agent has found and made.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Finds {
    kept: Kept,
    novelty: Novelty,
    /// Whether there is something new since the last rehearsal.
    #[serde(default, skip_serializing_if = "is_false")]
    has_news: bool,
    /// Whether the rehearsal in the end has been.
    #[serde(default, skip_serializing_if = "is_false")]
    has_ended: bool,
    #[serde(skip)]
    config: FindsConfig,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde asks for a reference"
)]
fn is_false(value: &bool) -> bool {
    !value
}

impl Finds {
    pub(crate) fn new(config: &FindsConfig) -> Self {
        Self {
            config: config.clone(),
            ..Self::default()
        }
    }

    /// Whether there is nothing to be saved.
    pub(crate) fn is_empty(&self) -> bool {
        self.kept.is_empty() && self.novelty == Novelty::default()
    }

    /// The actions that an agent takes into account.
    pub(crate) fn allowed<'a>(&self, task: &Task, seen: &Observation<'a>) -> Cow<'a, [bool]> {
        match self.config.parity_mask {
            true => even_actions(task, seen),
            false => Cow::Borrowed(seen.allowed),
        }
    }

    /// The same for each that is seen.
    pub(crate) fn masks<'a>(&self, task: &Task, seen: &[Observation<'a>]) -> Vec<Cow<'a, [bool]>> {
        masks(self.config.parity_mask.then_some(task), seen)
    }

    /// The actions that it chooses among while it learns.
    pub(crate) fn explored<'a>(&mut self, task: &Task, seen: &Observation<'a>) -> Cow<'a, [bool]> {
        let allowed = self.allowed(task, seen);
        match self.config.new_crystals {
            true => {
                let parity_mask = self.config.parity_mask;
                self.novelty.new_actions(task, seen, allowed, parity_mask)
            }
            false => allowed,
        }
    }

    /// An action of a policy while it learns, drawn.
    pub(crate) fn drawn(
        &mut self,
        task: &Task,
        seen: &Observation<'_>,
        policy: &MaskedCategorical,
        rng: &mut Pcg64,
    ) -> Action {
        let among = match self.config.new_crystals {
            true => policy.among(&self.explored(task, seen)),
            false => None,
        };
        let action = among.as_ref().unwrap_or(policy).sample(rng) as Action;
        self.acted(task, seen, action);
        action
    }

    /// Takes note of an action.
    pub(crate) fn acted(&mut self, task: &Task, seen: &Observation<'_>, action: Action) {
        if self.config.new_crystals {
            self.novelty.acted(task, seen, action);
        }
    }

    /// Takes a finished episode.
    pub(crate) fn remember(
        &mut self,
        task: &Task,
        episode: &FinishedEpisode,
        returns: Returns,
    ) -> Result<(), AgentError> {
        self.has_news = self.config.rehearsal > 0;
        self.kept.take(task, episode, &self.config, returns)
    }

    /// Most gradient steps of the rehearsal that is due: one after news, and one in the end, so that a run that
    /// is taken up after its end stays what it was.
    pub(crate) fn rehearsals(&mut self, ended_after: Option<u64>) -> usize {
        let is_over = ended_after.is_some();
        let is_due = mem::take(&mut self.has_news) || (is_over && !self.has_ended);
        self.has_ended = is_over;
        match is_due {
            true => self.config.rehearsals(ended_after),
            false => 0,
        }
    }

    /// Where greedy actions leave the ways to the best crystal of each skeleton, from all starts; nowhere
    /// if all of them lead to it. `act` says the action for each that is seen.
    pub(crate) fn astray(
        &self,
        task: &Task,
        mut act: impl FnMut(&[Observation<'_>]) -> Result<Vec<Option<Action>>, AgentError>,
    ) -> Result<Vec<(State, f64)>, AgentError> {
        let mut under_way = self.kept.beginnings();
        let mut astray = Vec::new();
        while !under_way.is_empty() {
            let seen: Vec<Observation<'_>> = (under_way.iter())
                .map(|(state, target)| task.observe_for(state, *target))
                .collect();
            let masks = self.masks(task, &seen);
            let actions = act(&with_masks(&seen, &masks))?;
            let mut goes_on = Vec::with_capacity(under_way.len());
            for ((mut state, target), action) in under_way.into_iter().zip(actions) {
                let ways = self.kept.ways(&state, target);
                match action.filter(|action| ways.is_some_and(|w| w.contains(action))) {
                    Some(action) => {
                        task.apply(&mut state, action.into())?;
                        goes_on.push((state, target));
                    }
                    None => astray.push((state, target)),
                }
            }
            goes_on.retain(|(state, _)| !task.is_terminal(state));
            under_way = goes_on;
        }
        Ok(astray)
    }

    /// A batch of a rehearsal: half of it ways to the best crystals, of that half where a policy went
    /// `astray`.
    pub(crate) fn rehearsed<'a>(
        &'a self,
        replay: &'a ReplayBuffer,
        size: usize,
        beta: f64,
        astray: &[(State, f64)],
        rng: &mut Pcg64,
    ) -> Batch<'a> {
        let best = self.kept.lessons(size.div_ceil(2), astray, rng);
        let mut batch = replay.sample(size - best.len(), beta, rng);
        batch.weights.extend(best.iter().map(|_| 1.0));
        batch.transitions.extend(best);
        batch
    }

    /// Ways to the best crystals alone, half of them where a policy went `astray`.
    pub(crate) fn lessons(
        &self,
        count: usize,
        astray: &[(State, f64)],
        rng: &mut Pcg64,
    ) -> Vec<&Transition> {
        self.kept.lessons(count, astray, rng)
    }

    /// A batch out of the replay buffer, with the share of what is kept.
    pub(crate) fn batch<'a>(
        &'a self,
        replay: &'a ReplayBuffer,
        size: usize,
        beta: f64,
        rng: &mut Pcg64,
    ) -> Batch<'a> {
        let share = |share: f64| (share * size as f64).round() as usize;
        let mut kept = Vec::new();
        if !self.kept.is_empty() {
            kept = self.kept.best(share(self.config.elite_share), rng);
            kept.extend(self.kept.failed(share(self.config.failure_share), rng));
        }
        let mut batch = replay.sample(size - kept.len().min(size), beta, rng);
        batch.weights.extend(kept.iter().map(|_| 1.0));
        batch.transitions.extend(kept);
        batch
    }

    /// Transitions of the best crystals for a minibatch of so many.
    pub(crate) fn imitated(&self, minibatch: usize, rng: &mut Pcg64) -> Vec<&Transition> {
        let count = (self.config.elite_share * minibatch as f64).round() as usize;
        match self.kept.is_empty() {
            true => Vec::new(),
            false => self.kept.best(count, rng),
        }
    }

    /// The largest return that is known to follow an action, if values are to be at least that.
    pub(crate) fn value_bound(&self, transition: &Transition) -> Option<f64> {
        let known = || self.kept.known_return(transition);
        self.config.value_bound.then(known).flatten()
    }

    /// Weight of imitation, and which actions lead to the best crystal of the skeleton, in a state on
    /// a way to it.
    pub(crate) fn ways(&self, state: &State, target: f64) -> Option<(f64, &BTreeSet<Action>)> {
        let weight = self.config.imitation;
        let ways = (weight > 0.0).then(|| self.kept.ways(state, target));
        Some((weight, ways.flatten()?))
    }

    /// What was read, made usable.
    ///
    /// # Errors
    /// What cannot be of this task.
    pub(crate) fn restored(
        mut self,
        task: &Task,
        config: &FindsConfig,
        returns: Returns,
    ) -> Result<Self, String> {
        self.config = config.clone();
        self.kept.restored(task, returns)?;
        match self.novelty.belongs_to(task) {
            true => Ok(self),
            false => Err("finds: a crystal does not belong to this task".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests;
