//! The one engine that steps environments, for agents, rollouts and the Python package.

mod open_episode;
mod snapshot;

use std::{
    collections::VecDeque,
    sync::Arc,
    time::{Duration, Instant},
};

use crystalgym_crystal::Crystal;
use rand::SeedableRng;
use rand_pcg::Pcg64;

pub use self::{open_episode::FinishedEpisode, snapshot::VectorSnapshot};

use self::open_episode::{EndedEpisode, OpenEpisode};
use crate::{
    Action, EnvironmentError, Episode, Observation, RewardForm, State, Task,
    appraisal::{Answer, Appraisal, Appraiser},
};

/// How long a wait for a result lasts before the interruption is looked at again.
const LOOK_UP: Duration = Duration::from_millis(50);

/// When an environment whose episode has ended starts the next one (Gymnasium's `AutoresetMode`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Autoreset {
    /// With the step after the last one, whose action is not looked at.
    NextStep,
    /// Within the last step.
    SameStep,
    /// When the caller says so.
    Disabled,
}

/// What a step of one environment did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stepped {
    /// The episode goes on.
    Moved,
    /// It was the last step: the episode with this number waits for its reward.
    Ended(u64),
    /// It started the next episode, with [`Autoreset::NextStep`].
    Reset,
}

/// Many environments side by side, whose rewards may come later than their steps.
///
/// [`Self::step`] never waits for a calculation of another thread. Finished episodes are delivered
/// in the order in which they ended ([`Self::next_finished`]), so that what an agent learns from,
/// and when, depends on the seed alone, or as they are ready ([`Self::next_ready`]).
pub struct VectorEnvironment {
    slots: Vec<Slot>,
    appraiser: Box<dyn Appraiser>,
    autoreset: Autoreset,
    /// In the order in which they ended.
    open: VecDeque<OpenEpisode>,
    steps: u64,
    episodes: u64,
}

/// One environment.
struct Slot {
    task: Arc<Task>,
    rng: Pcg64,
    episode: Episode,
    /// Where the episode stands.
    state: State,
    /// The episode has ended and nothing has started the next one.
    ended: bool,
}

impl Slot {
    fn new(task: Arc<Task>, seed: u64) -> Self {
        let mut rng = Pcg64::seed_from_u64(seed);
        let state = task.initial_state(&mut rng);
        Self {
            episode: Episode::starting_from(state.clone(), task.length(&state)),
            task,
            rng,
            state,
            ended: false,
        }
    }

    /// Starts the next episode; returns the one that was under way with its last state.
    fn begin(&mut self) -> (Episode, State) {
        let next = self.task.initial_state(&mut self.rng);
        self.begin_at(next)
    }

    fn begin_at(&mut self, next: State) -> (Episode, State) {
        let episode = Episode::starting_from(next.clone(), self.task.length(&next));
        self.ended = false;
        (
            std::mem::replace(&mut self.episode, episode),
            std::mem::replace(&mut self.state, next),
        )
    }
}

/// The caller asked to stop while a result was waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("interrupted")]
pub struct Interrupted;

impl VectorEnvironment {
    /// One environment for each task, each of which draws from a generator of its own with its seed.
    pub fn new(
        environments: impl IntoIterator<Item = (Arc<Task>, u64)>,
        appraiser: Box<dyn Appraiser>,
        autoreset: Autoreset,
    ) -> Self {
        let environments = environments.into_iter();
        Self {
            slots: environments
                .map(|(task, seed)| Slot::new(task, seed))
                .collect(),
            appraiser,
            autoreset,
            open: VecDeque::new(),
            steps: 0,
            episodes: 0,
        }
    }

    /// So many environments of one task; number `i` is seeded with `seed + i`.
    pub fn of_one_task(
        task: &Arc<Task>,
        environments: usize,
        seed: u64,
        appraiser: Box<dyn Appraiser>,
        autoreset: Autoreset,
    ) -> Self {
        let numbers = 0..environments as u64;
        let each = numbers.map(|number| (Arc::clone(task), seed.wrapping_add(number)));
        Self::new(each, appraiser, autoreset)
    }

    /// Number of environments.
    pub fn len(&self) -> usize {
        self.slots.len()
    }

    /// Whether there is none.
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

    /// These episodes, in the order in which they ended.
    pub fn open(&self) -> impl ExactSizeIterator<Item = &Episode> {
        self.open.iter().map(|open| &open.ended.episode)
    }

    /// The task of an environment.
    pub fn task(&self, environment: usize) -> &Arc<Task> {
        &self.slots[environment].task
    }

    /// Where an environment stands.
    pub fn state(&self, environment: usize) -> &State {
        &self.slots[environment].state
    }

    /// Whether its episode has ended and nothing has started the next one.
    pub fn has_ended(&self, environment: usize) -> bool {
        self.slots[environment].ended
    }

    /// What is seen of an environment.
    pub fn observe(&self, environment: usize) -> Observation<'_> {
        let slot = &self.slots[environment];
        slot.task.observe(&slot.state)
    }

    /// Gives an environment another task and starts an episode of it.
    pub fn set_task(&mut self, environment: usize, task: Arc<Task>) {
        let slot = &mut self.slots[environment];
        slot.task = task;
        slot.begin();
    }

    /// Starts the next episode of an environment; a seed starts its random numbers anew, and a skeleton
    /// of its task takes the place of one that is drawn. What it has open is given up.
    pub fn reset(&mut self, environment: usize, seed: Option<u64>, skeleton: Option<usize>) {
        self.open.retain(|open| {
            let keep = open.ended.environment != environment;
            if !keep {
                open.awaited()
                    .for_each(|ticket| self.appraiser.cancel(ticket));
            }
            keep
        });
        let slot = &mut self.slots[environment];
        if let Some(seed) = seed {
            slot.rng = Pcg64::seed_from_u64(seed);
        }
        match skeleton.filter(|skeleton| *skeleton < slot.task.skeletons().len()) {
            Some(skeleton) => {
                let next = slot.task.initial_state_on(skeleton, &mut slot.rng);
                slot.begin_at(next);
            }
            None => {
                slot.begin();
            }
        }
    }

    /// Whether an environment could take this action; nothing moves.
    ///
    /// # Errors
    /// [`EnvironmentError::NoEnvironment`], or as [`Task::check`].
    pub fn check(&self, environment: usize, action: i64) -> Result<(), EnvironmentError> {
        let last = self.slots.len().saturating_sub(1);
        let Some(slot) = self.slots.get(environment) else {
            return Err(EnvironmentError::NoEnvironment {
                environment: environment as i64,
                last,
            });
        };
        match (slot.ended, self.autoreset) {
            (true, Autoreset::NextStep) => Ok(()),
            (true, _) => Err(EnvironmentError::EpisodeEnded),
            (false, _) => slot.task.check(&slot.state, action).map(drop),
        }
    }

    /// One step of one environment.
    ///
    /// # Errors
    /// As [`Self::check`]; nothing has moved then.
    pub fn step_one(
        &mut self,
        environment: usize,
        action: i64,
    ) -> Result<Stepped, EnvironmentError> {
        let last = self.slots.len().saturating_sub(1);
        let Some(slot) = self.slots.get_mut(environment) else {
            return Err(EnvironmentError::NoEnvironment {
                environment: environment as i64,
                last,
            });
        };
        match (slot.ended, self.autoreset) {
            (true, Autoreset::NextStep) => {
                slot.begin();
                return Ok(Stepped::Reset);
            }
            (true, _) => return Err(EnvironmentError::EpisodeEnded),
            (false, _) => {}
        }
        let action = slot.task.apply(&mut slot.state, action)?;
        slot.episode.actions.push(action);
        self.steps += 1;
        if !slot.task.is_terminal(&slot.state) {
            return Ok(Stepped::Moved);
        }
        self.episodes += 1;
        let (episode, state) = match self.autoreset {
            Autoreset::SameStep => slot.begin(),
            Autoreset::NextStep | Autoreset::Disabled => {
                slot.ended = true;
                (slot.episode.clone(), slot.state.clone())
            }
        };
        let task = Arc::clone(&slot.task);
        self.appraise(EndedEpisode {
            number: self.episodes,
            environment,
            task,
            episode,
            state,
        })?;
        Ok(Stepped::Ended(self.episodes))
    }

    /// One step of every environment.
    ///
    /// # Errors
    /// [`EnvironmentError::ActionCount`], or as [`Self::check`] for the first bad action; the
    /// environments before it have then moved.
    pub fn step(&mut self, actions: &[Action]) -> Result<(), EnvironmentError> {
        if actions.len() != self.slots.len() {
            return Err(EnvironmentError::ActionCount {
                expected: self.slots.len(),
                found: actions.len(),
            });
        }
        for (environment, &action) in actions.iter().enumerate() {
            self.step_one(environment, action.into())?;
        }
        Ok(())
    }

    /// The next finished episode in the order in which they ended, while more than `in_flight` are
    /// open; `None` otherwise.
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
        while let Some(open) = self.open.front_mut()
            && let Some(ticket) = open.awaited().next()
        {
            if let Some(appraisal) = self.appraiser.wait(ticket, LOOK_UP) {
                open.take(ticket, appraisal);
            } else if interrupted() {
                return Err(Interrupted);
            }
        }
        Ok(self.open.pop_front().and_then(OpenEpisode::finished))
    }

    /// The finished episode whose result has been there for longest; waits for one at most so long.
    /// `None` if the time ran out or nothing is open.
    pub fn next_ready(&mut self, timeout: Duration) -> Option<FinishedEpisode> {
        // Looked at only where there is something to wait for.
        let mut begun = None;
        loop {
            let is_known = |open: &OpenEpisode| open.awaited().next().is_none();
            if let Some(place) = self.open.iter().position(is_known) {
                return self.open.remove(place)?.finished();
            }
            if self.open.is_empty() {
                return None;
            }
            let begun = *begun.get_or_insert_with(Instant::now);
            let left = timeout.saturating_sub(begun.elapsed());
            let (ticket, appraisal) = self.appraiser.receive(left)?;
            // The answer for an episode that a reset has given up belongs to nobody.
            let waits = |open: &&mut OpenEpisode| open.awaited().any(|awaited| awaited == ticket);
            if let Some(open) = self.open.iter_mut().find(waits) {
                open.take(ticket, appraisal);
            }
        }
    }

    fn appraise(&mut self, ended: EndedEpisode) -> Result<(), EnvironmentError> {
        let (task, start, end) = (&ended.task, &ended.episode.start, &ended.state);
        let crystal = |state: &State| task.crystal(state.skeleton.into(), &state.node_types);
        let mut ask = |crystal: &Crystal| match task.known_outcome(crystal) {
            Some(outcome) => Answer::Known(Appraisal::known(outcome)),
            None => self.appraiser.submit(crystal, task.property()),
        };
        let start_crystal = match task.objective().form() {
            RewardForm::Final => None,
            RewardForm::Difference => Some(crystal(start)?),
        };
        let crystal = crystal(end)?;
        let (start_answer, answer) = (start_crystal.map(|start| ask(&start)), ask(&crystal));
        self.open.push_back(OpenEpisode {
            ended,
            crystal,
            answer,
            start_answer,
        });
        Ok(())
    }
}
