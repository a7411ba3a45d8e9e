//! What is learned from: transitions out of finished episodes, drawn uniformly or by priority.

mod experience;
mod prioritized;
mod relabel;
mod sum_tree;

use crystalgym_environment::{Action, FinishedEpisode, State, Task, random::uniform_below};
use rand_pcg::Pcg64;
use serde::{Deserialize, Serialize};

use crate::{AgentError, check::sane};

pub(crate) use self::experience::first_reward;
pub use self::{
    experience::Experience, prioritized::Priorities, relabel::RelabelConfig, sum_tree::SumTree,
};

/// One thing to learn from: what was done in a state and what came of it, `n` steps on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Transition {
    /// State before the action.
    pub state: State,
    /// The action.
    pub action: Action,
    /// Discounted sum of the rewards on the way, `Σ_k γᵏ r_k`.
    pub reward: f64,
    /// State at the end of the way; `None` if the episode ended before or there.
    pub next: Option<State>,
    /// What the value of `next` is multiplied by, γⁿ.
    pub discount: f64,
    /// Target of the episode, in the property's unit.
    pub target: f64,
}

/// The `n_step` transitions of a finished episode, from its first to its last action.
///
/// Episodes arrive whole, when their reward is known, so there is no window to keep between steps.
/// A transition that reaches the end from step `t` of `N` has `γ^(N−1−t) r` of the reward `r` of the last
/// step; the one from the first step has that of the first. All others are zero.
///
/// # Errors
/// [`AgentError::Environment`] for an episode of another task.
pub fn episode_transitions(
    task: &Task,
    experience: &Experience,
    n_step: usize,
    discount: f64,
) -> Result<Vec<Transition>, AgentError> {
    let Experience {
        episode,
        target,
        reward,
        first_reward,
    } = experience;
    let states = episode.states(task)?;
    let steps = episode.actions.len();
    let n_step = n_step.max(1);
    let transitions = episode.actions.iter().enumerate().map(|(step, &action)| {
        let left = steps - step;
        let ends = n_step >= left;
        let way = n_step.min(left);
        Transition {
            state: states[step].clone(),
            action,
            reward: match (ends, first_reward.filter(|_| step == 0)) {
                (true, None) => discount.powi(left as i32 - 1) * reward,
                (true, Some(first)) => first + discount.powi(left as i32 - 1) * reward,
                (false, first) => first.unwrap_or(0.0),
            },
            next: (!ends).then(|| states[step + way].clone()),
            discount: discount.powi(way as i32),
            target: *target,
        }
    });
    Ok(transitions.collect())
}

/// The last transitions up to a fixed number; the oldest makes room for the newest.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ReplayBuffer {
    capacity: usize,
    transitions: Vec<Transition>,
    /// Where the next one goes once the buffer is full.
    next: usize,
    /// How often each is drawn; all alike without.
    priorities: Option<Priorities>,
}

/// Transitions to learn from in one step.
#[derive(Debug)]
pub struct Batch<'a> {
    /// Places in the buffer.
    pub places: Vec<usize>,
    /// What is there.
    pub transitions: Vec<&'a Transition>,
    /// What each one's loss is multiplied by.
    pub weights: Vec<f64>,
}

impl ReplayBuffer {
    /// An empty buffer for `capacity` transitions (at least one), drawn uniformly.
    pub fn new(capacity: usize) -> Self {
        Self {
            capacity: capacity.max(1),
            transitions: Vec::new(),
            next: 0,
            priorities: None,
        }
    }

    /// An empty buffer whose transitions are drawn by their errors to the power of `exponent`.
    pub fn prioritized(capacity: usize, exponent: f64) -> Self {
        let plain = Self::new(capacity);
        Self {
            priorities: Some(Priorities::new(plain.capacity, exponent)),
            ..plain
        }
    }

    /// Adds the `n_step` transitions of a finished episode and of its relabelled copies.
    ///
    /// # Errors
    /// As [`episode_transitions`].
    pub fn remember(
        &mut self,
        task: &Task,
        episode: &FinishedEpisode,
        relabel: &RelabelConfig,
        n_step: usize,
        discount: f64,
        rng: &mut Pcg64,
    ) -> Result<(), AgentError> {
        let copies = relabel.copies(task, episode, rng);
        for experience in std::iter::once(Experience::from(episode)).chain(copies) {
            for transition in episode_transitions(task, &experience, n_step, discount)? {
                self.push(transition);
            }
        }
        Ok(())
    }

    /// Adds a transition.
    pub fn push(&mut self, transition: Transition) {
        if self.transitions.len() < self.capacity {
            self.transitions.push(transition);
        } else {
            self.transitions[self.next] = transition;
        }
        if let Some(priorities) = &mut self.priorities {
            priorities.filled(self.next);
        }
        self.next = (self.next + 1) % self.capacity;
    }

    /// `batch_size` transitions with replacement, none from an empty buffer; `beta` is the
    /// exponent of the importance weights, which are 1 in a uniform buffer.
    pub fn sample(&self, batch_size: usize, beta: f64, rng: &mut Pcg64) -> Batch<'_> {
        let filled = self.transitions.len();
        let count = if filled == 0 { 0 } else { batch_size };
        let (places, weights) = match &self.priorities {
            Some(priorities) => {
                let places = priorities.sample(count, rng);
                let weights = priorities.weights(&places, filled, beta);
                (places, weights)
            }
            None => {
                let places = (0..count).map(|_| uniform_below(rng, filled)).collect();
                (places, vec![1.0; count])
            }
        };
        Batch {
            transitions: places
                .iter()
                .map(|&place| &self.transitions[place])
                .collect(),
            places,
            weights,
        }
    }

    /// Tells how large the errors of sampled transitions were; a uniform buffer does not mind.
    pub fn set_errors(&mut self, places: &[usize], errors: &[f64]) {
        if let Some(priorities) = &mut self.priorities {
            for (&place, &error) in places.iter().zip(errors) {
                priorities.set(place, error);
            }
        }
    }

    /// Whether the buffer, read from a file, can have come from an empty one by what happened in
    /// this task.
    pub(crate) fn check(&self, task: &Task, empty: &Self) -> Result<(), String> {
        let (len, capacity) = (self.transitions.len(), empty.capacity);
        let full = len == capacity && self.next < capacity;
        if self.capacity != capacity || !(full || (len < capacity && self.next == len)) {
            return Err(format!(
                "replay: {len} transitions, the next at {}, in {} places, expected {capacity}",
                self.next, self.capacity
            ));
        }
        match (&self.priorities, &empty.priorities) {
            (None, None) => {}
            (Some(priorities), Some(empty)) => priorities.check(len, empty)?,
            _ => return Err("replay: priorities are missing, or not to be there".to_owned()),
        }
        for (index, transition) in self.transitions.iter().enumerate() {
            let under_way = |state: &State| task.can_hold(state) && !task.is_terminal(state);
            let numbers = [transition.reward, transition.discount, transition.target];
            let fits = under_way(&transition.state)
                && transition.next.as_ref().is_none_or(under_way)
                && usize::from(transition.action) < task.n_actions()
                && (0.0..=1.0).contains(&transition.discount)
                && sane(numbers);
            if !fits {
                return Err(format!(
                    "replay: transition {index} does not belong to this task"
                ));
            }
        }
        Ok(())
    }

    /// The transitions held, in no order of time.
    pub fn transitions(&self) -> &[Transition] {
        &self.transitions
    }

    /// Number of transitions held.
    pub fn len(&self) -> usize {
        self.transitions.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.transitions.is_empty()
    }
}

#[cfg(test)]
mod tests;
