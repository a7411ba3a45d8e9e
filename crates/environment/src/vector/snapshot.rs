//! All that environments need to go on where they were.

use std::sync::Arc;

use rand_pcg::Pcg64;
use serde::{Deserialize, Serialize};

use super::{Slot, VectorEnvironment, open_episode::EndedEpisode};
use crate::{EnvironmentError, Episode, State, Task};

/// Steps beyond which no run has come.
const MOST_STEPS: u64 = 1 << 60;

/// All that a [`VectorEnvironment`] needs to go on where it was; episodes without a result are
/// evaluated again, or found in the store.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct VectorSnapshot {
    slots: Vec<SlotSnapshot>,
    open: Vec<OpenSnapshot>,
    steps: u64,
    episodes: u64,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct SlotSnapshot {
    rng: Pcg64,
    episode: Episode,
    ended: bool,
}

/// An episode whose last step is taken.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct OpenSnapshot {
    number: u64,
    environment: usize,
    target: f64,
    episode: Episode,
}

impl VectorEnvironment {
    /// All that is needed to go on later.
    pub fn snapshot(&self) -> VectorSnapshot {
        let slots = self.slots.iter().map(|slot| SlotSnapshot {
            rng: slot.rng.clone(),
            episode: slot.episode.clone(),
            ended: slot.ended,
        });
        let open = self.open.iter().map(|open| OpenSnapshot {
            number: open.ended.number,
            environment: open.ended.environment,
            target: open.ended.task.target(),
            episode: open.ended.episode.clone(),
        });
        VectorSnapshot {
            slots: slots.collect(),
            open: open.collect(),
            steps: self.steps,
            episodes: self.episodes,
        }
    }

    /// Goes on from a snapshot of environments of the same tasks.
    ///
    /// # Errors
    /// [`EnvironmentError::Snapshot`] if it cannot be one; nothing has changed then.
    pub fn restore(&mut self, snapshot: VectorSnapshot) -> Result<(), EnvironmentError> {
        let bad = |message: String| Err(EnvironmentError::Snapshot(message));
        let VectorSnapshot {
            slots,
            open,
            steps,
            episodes,
        } = snapshot;
        let count = self.slots.len();
        if slots.len() != count {
            return bad(format!("{} environments, expected {count}", slots.len()));
        }
        if steps > MOST_STEPS || episodes > steps {
            return bad(format!("{episodes} episodes in {steps} steps"));
        }
        let mut restored = Vec::with_capacity(count);
        for (slot, saved) in self.slots.iter().zip(slots) {
            let state = checked(&slot.task, &saved.episode, saved.ended)?;
            restored.push(Slot {
                task: Arc::clone(&slot.task),
                rng: saved.rng,
                episode: saved.episode,
                state,
                ended: saved.ended,
            });
        }
        let first = episodes.checked_sub(open.len() as u64);
        let mut ended = Vec::with_capacity(open.len());
        for (number, saved) in (first.map_or(u64::MAX, |first| first + 1)..).zip(open) {
            let OpenSnapshot {
                number: found,
                environment,
                target,
                episode,
            } = saved;
            let slot = self.slots.get(environment);
            let Some(slot) = slot.filter(|slot| found == number && target == slot.task.target())
            else {
                return bad(format!(
                    "open episode {found} of environment {environment} with target {target}"
                ));
            };
            let state = checked(&slot.task, &episode, true)?;
            ended.push(EndedEpisode {
                number,
                environment,
                task: Arc::clone(&slot.task),
                episode,
                state,
            });
        }
        for environment in 0..count {
            // What is open here is given up.
            self.reset(environment, None, None);
        }
        self.slots = restored;
        self.steps = steps;
        self.episodes = episodes;
        ended.into_iter().try_for_each(|ended| self.appraise(ended))
    }
}

/// The state that a saved episode has come to.
fn checked(task: &Task, episode: &Episode, over: bool) -> Result<State, EnvironmentError> {
    // Only what belongs to the task can be played.
    let episode_of_task = Some(episode).filter(|episode| episode.belongs_to(task));
    let state = episode_of_task.and_then(|episode| episode.last_state(task).ok());
    let state = state.filter(|state| task.is_terminal(state) == over);
    state.ok_or_else(|| {
        EnvironmentError::Snapshot(format!(
            "an episode with skeleton {} and {} actions does not belong there",
            episode.start.skeleton,
            episode.actions.len()
        ))
    })
}
