use std::{collections::VecDeque, sync::Arc, time::Duration};

use crystalgym_crystal::Crystal;
use crystalgym_evaluation::{
    Calculator, EvaluationPool, Outcome, Property, ResultStore, Source, Ticket,
};
use rand::SeedableRng;
use rand_pcg::Pcg64;
use serde::{Deserialize, Serialize};

use crate::{
    EnvironmentError, Observation, State, Task, initial_state, is_terminal, known_outcome,
    observation, reward, transition,
};

/// How long a wait for a result lasts before the interruption is looked at again.
const LOOK_UP: Duration = Duration::from_millis(50);
/// Steps beyond which no run has come.
const MOST_STEPS: u64 = 1 << 60;

/// Many environments side by side, whose rewards may come later than their steps.
///
/// [`Self::step`] never waits for a calculation: an environment whose episode has ended hands its
/// crystal to the pool and starts the next episode at once. Finished episodes are delivered by
/// [`Self::next_finished`] in the order in which they ended, with at most `in_flight` of them
/// still open. What the agent learns from, and when, therefore depends on the seed alone and
/// not on how fast any calculation was or how many workers there are.
pub struct VectorEnvironment {
    task: Arc<Task>,
    pool: EvaluationPool,
    slots: Vec<Slot>,
    open: VecDeque<OpenEpisode>,
    steps: u64,
    episodes: u64,
}

/// One environment. Each draws from a generator of its own, seeded with `seed + index`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Slot {
    rng: Pcg64,
    state: State,
}

struct OpenEpisode {
    episode: EpisodeSnapshot,
    crystal: Crystal,
    answer: Answer,
}

enum Answer {
    Pending(Ticket),
    Known(Box<Outcome>),
}

/// An episode whose last site has been filled.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct EpisodeSnapshot {
    number: u64,
    environment: usize,
    target: f64,
    state: State,
}

/// An episode with its reward.
#[derive(Debug, Clone)]
pub struct FinishedEpisode {
    /// Number of the episode, from 1, in the order in which episodes ended.
    pub number: u64,
    /// Environment it ran in.
    pub environment: usize,
    /// Its last state; earlier ones by [`State::rewound`].
    pub state: State,
    /// The crystal in site order.
    pub crystal: Crystal,
    /// Property asked for.
    pub property: Property,
    /// Target that it aimed at, in the property's unit.
    pub target: f64,
    /// Reward of the last step, which is the (undiscounted) return.
    pub reward: f64,
    /// What the calculator said.
    pub outcome: Outcome,
    /// Where that came from.
    pub source: Source,
    /// Why the store could not be used, if so.
    pub store_error: Option<String>,
}

/// The caller asked to stop while a result was waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("interrupted")]
pub struct Interrupted;

/// All that a [`VectorEnvironment`] needs to go on where it was; episodes without a result are
/// evaluated again, or found in the store.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct VectorSnapshot {
    slots: Vec<Slot>,
    open: Vec<EpisodeSnapshot>,
    steps: u64,
    episodes: u64,
}

impl VectorEnvironment {
    /// `environments` environments (at least one) over `workers` threads that evaluate.
    pub fn new(
        task: Arc<Task>,
        calculator: Arc<dyn Calculator>,
        store: Option<Arc<ResultStore>>,
        environments: usize,
        workers: usize,
        seed: u64,
    ) -> Self {
        let slots = (0..environments.max(1) as u64)
            .map(|index| {
                let mut rng = Pcg64::seed_from_u64(seed.wrapping_add(index));
                let state = initial_state(&task, &mut rng);
                Slot { rng, state }
            })
            .collect();
        // Back-pressure comes from `in_flight`; the pool itself never blocks a step.
        let pool = EvaluationPool::new(calculator, store, workers, usize::MAX);
        Self {
            task,
            pool,
            slots,
            open: VecDeque::new(),
            steps: 0,
            episodes: 0,
        }
    }

    /// The task.
    pub fn task(&self) -> &Arc<Task> {
        &self.task
    }

    /// Number of environments.
    pub fn len(&self) -> usize {
        self.slots.len()
    }

    /// Always false: there is at least one environment.
    pub fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// Steps taken, over all environments.
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// Episodes that have ended and not been delivered.
    pub fn open_episodes(&self) -> usize {
        self.open.len()
    }

    /// Last states of these episodes, in the order in which they ended.
    pub fn open_states(&self) -> impl ExactSizeIterator<Item = &State> {
        self.open.iter().map(|open| &open.episode.state)
    }

    /// State of an environment: that of the new episode if the last one has just ended.
    pub fn state(&self, environment: usize) -> &State {
        &self.slots[environment].state
    }

    /// What the agent sees of an environment.
    pub fn observation(&self, environment: usize) -> Observation<'_> {
        observation(
            &self.task,
            &self.slots[environment].state,
            self.task.target(),
        )
    }

    /// One step of every environment.
    ///
    /// # Errors
    /// [`EnvironmentError::ActionCount`], or as [`transition`] for the first bad action; the
    /// environments before it have then moved.
    pub fn step(&mut self, actions: &[u8]) -> Result<(), EnvironmentError> {
        if actions.len() != self.slots.len() {
            return Err(EnvironmentError::ActionCount {
                expected: self.slots.len(),
                found: actions.len(),
            });
        }
        for (environment, &action) in actions.iter().enumerate() {
            let slot = &mut self.slots[environment];
            transition(&self.task, &mut slot.state, action)?;
            self.steps += 1;
            if is_terminal(&slot.state) {
                let next = initial_state(&self.task, &mut slot.rng);
                let state = std::mem::replace(&mut slot.state, next);
                self.episodes += 1;
                let number = self.episodes;
                let target = self.task.target();
                self.open(EpisodeSnapshot {
                    number,
                    environment,
                    target,
                    state,
                })?;
            }
        }
        Ok(())
    }

    /// The next finished episode while more than `in_flight` are open, `None` otherwise.
    ///
    /// # Errors
    /// [`Interrupted`] if `interrupted` turns true while the result is not there; nothing is lost
    /// and the call can be repeated.
    pub fn next_finished(
        &mut self,
        in_flight: usize,
        interrupted: &dyn Fn() -> bool,
    ) -> Result<Option<FinishedEpisode>, Interrupted> {
        if self.open.len() <= in_flight {
            return Ok(None);
        }
        let Some(OpenEpisode {
            episode,
            crystal,
            answer,
        }) = self.open.pop_front()
        else {
            return Ok(None);
        };
        let (outcome, source, store_error) = match answer {
            Answer::Known(outcome) => (*outcome, Source::Computed, None),
            Answer::Pending(ticket) => loop {
                if let Some(evaluation) = self.pool.wait(ticket, Some(LOOK_UP)) {
                    break (
                        evaluation.outcome,
                        evaluation.source,
                        evaluation.store_error,
                    );
                }
                if interrupted() {
                    self.open.push_front(OpenEpisode {
                        episode,
                        crystal,
                        answer,
                    });
                    return Err(Interrupted);
                }
            },
        };
        let property = self.task.property();
        let reward = reward(property, episode.target, &outcome);
        let EpisodeSnapshot {
            number,
            environment,
            target,
            state,
        } = episode;
        Ok(Some(FinishedEpisode {
            number,
            environment,
            state,
            crystal,
            property,
            target,
            reward,
            outcome,
            source,
            store_error,
        }))
    }

    /// All that is needed to go on later.
    pub fn snapshot(&self) -> VectorSnapshot {
        VectorSnapshot {
            slots: self.slots.clone(),
            open: self.open.iter().map(|open| open.episode.clone()).collect(),
            steps: self.steps,
            episodes: self.episodes,
        }
    }

    /// Goes on from a snapshot of an environment of the same task.
    ///
    /// # Errors
    /// [`EnvironmentError::Snapshot`] if it cannot be one.
    pub fn restore(&mut self, snapshot: VectorSnapshot) -> Result<(), EnvironmentError> {
        let bad = |message: String| Err(EnvironmentError::Snapshot(message));
        let VectorSnapshot {
            slots,
            open,
            steps,
            episodes,
        } = &snapshot;
        let count = self.slots.len();
        if slots.len() != count {
            return bad(format!("{} environments, expected {count}", slots.len()));
        }
        if *steps > MOST_STEPS || !steps.is_multiple_of(count as u64) || episodes > steps {
            return bad(format!(
                "{episodes} episodes in {steps} steps of {count} environments"
            ));
        }
        for slot in slots {
            self.check_state(&slot.state, false)?;
        }
        let first = episodes.checked_sub(open.len() as u64);
        for (number, episode) in (first.map_or(u64::MAX, |first| first + 1)..).zip(open) {
            self.check_state(&episode.state, true)?;
            let EpisodeSnapshot {
                number: found,
                environment,
                target,
                ..
            } = episode;
            if *found != number || *environment >= count || *target != self.task.target() {
                return bad(format!(
                    "open episode {found} of environment {environment} with target {target}"
                ));
            }
        }
        self.slots = snapshot.slots;
        self.steps = snapshot.steps;
        self.episodes = snapshot.episodes;
        self.open.clear();
        snapshot
            .open
            .into_iter()
            .try_for_each(|episode| self.open(episode))
    }

    fn check_state(&self, state: &State, over: bool) -> Result<(), EnvironmentError> {
        if state.belongs_to(&self.task) && is_terminal(state) == over {
            return Ok(());
        }
        Err(EnvironmentError::Snapshot(format!(
            "a state with skeleton {} and {} of {} sites filled does not belong there",
            state.skeleton,
            state.step,
            state.node_types.len()
        )))
    }

    fn open(&mut self, episode: EpisodeSnapshot) -> Result<(), EnvironmentError> {
        let state = &episode.state;
        let crystal = self
            .task
            .crystal(state.skeleton.into(), &state.node_types)?;
        let property = self.task.property();
        let calculator = self.pool.calculator();
        let answer = if let Some(outcome) = known_outcome(&self.task, &crystal) {
            Answer::Known(Box::new(outcome))
        } else if calculator.is_instant() {
            let cancel = crystalgym_evaluation::CancelToken::default();
            Answer::Known(Box::new(calculator.evaluate(&crystal, property, &cancel)))
        } else {
            Answer::Pending(self.pool.submit(&crystal, property))
        };
        self.open.push_back(OpenEpisode {
            episode,
            crystal,
            answer,
        });
        Ok(())
    }
}
