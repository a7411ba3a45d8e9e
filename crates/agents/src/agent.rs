//! What every agent can do: step, save, give its policy.

use std::{path::Path, sync::Arc};

use crystalgym_environment::{FinishedEpisode, State, Task, VectorEnvironment};
use crystalgym_evaluation::{Calculator, ResultStore};

use crate::{AgentConfig, AgentError};

/// What learns (or searches), one step after the other.
///
/// Between two calls of [`Self::step`] the caller may stop, save, and go on later: a saved and
/// loaded agent goes on exactly as this one would.
pub trait Agent {
    /// The name used in configurations and files, such as `dqn`.
    fn name(&self) -> &'static str;

    /// The algorithm with its settings.
    fn settings(&self) -> AgentConfig;

    /// Takes the results that are due, learns from them, and acts once in every environment.
    ///
    /// # Errors
    /// [`AgentError`]; the agent should then not be used on.
    fn step(&mut self, observer: &mut dyn Observer) -> Result<Progress, AgentError>;

    /// Environment steps taken.
    fn steps(&self) -> u64;

    /// Environment steps that the run is made of.
    fn total_steps(&self) -> u64;

    /// Saves everything that [`Self::step`] depends on into a folder, whole or not at all.
    ///
    /// # Errors
    /// [`AgentError::Io`].
    fn save(&self, folder: &Path) -> Result<(), AgentError>;

    /// A copy of what the agent has learned, to act in a task with the same action set (the
    /// skeletons and the target may be others).
    ///
    /// # Errors
    /// [`AgentError`] if the task does not fit.
    fn policy(&self, task: &Arc<Task>, mode: PolicyMode) -> Result<Box<dyn Policy>, AgentError>;
}

/// How a policy chooses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PolicyMode {
    /// The best or most probable action.
    Greedy,
    /// As the agent acts while it learns: drawn from its distribution, or at random with its
    /// present share of random actions.
    Sampled {
        /// Seed of the draws.
        seed: u64,
    },
}

/// Whether there is more to do after a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// Go on.
    Continue,
    /// All steps are taken and every episode has its reward.
    Finished,
    /// [`Observer::interrupted`] turned true while a result was waited for; the agent can be
    /// saved, or go on.
    Interrupted,
}

/// Chooses actions.
pub trait Policy: Send {
    /// One allowed action for each state, none of which is terminal.
    ///
    /// # Errors
    /// [`AgentError`] if a state does not fit or no value is a number.
    fn act(&mut self, states: &[&State], target: f64) -> Result<Vec<u8>, AgentError>;
}

/// Watches an agent at work: logs, progress bars, curves.
pub trait Observer {
    /// An episode has its reward; `step` environment steps were taken by then.
    fn episode_finished(&mut self, step: u64, episode: &FinishedEpisode) {
        let _ = (step, episode);
    }

    /// The agent has learned from a batch.
    fn updated(&mut self, update: &Update) {
        let _ = update;
    }

    /// Whether to stop waiting for results; asked about twenty times a second while one is waited
    /// for.
    fn interrupted(&self) -> bool {
        false
    }
}

/// Nobody watches.
impl Observer for () {}

/// What a gradient step was like.
#[derive(Debug, Clone, PartialEq)]
pub struct Update {
    /// Environment steps taken.
    pub step: u64,
    /// Gradient steps taken, this one included.
    pub updates: u64,
    /// Quantities by name, such as `losses/td_loss` or `charts/epsilon`; names as in CleanRL.
    pub scalars: Vec<(&'static str, f64)>,
}

/// What rewards come from.
#[derive(Clone)]
pub struct Evaluator {
    /// Computes properties.
    pub calculator: Arc<dyn Calculator>,
    /// Shares results between runs.
    pub store: Option<Arc<ResultStore>>,
    /// Calculations at the same time.
    pub workers: usize,
}

impl Evaluator {
    /// Environments whose crystals it evaluates; environment `i` is seeded with `seed + i`.
    pub(crate) fn environments(
        &self,
        task: &Arc<Task>,
        count: usize,
        seed: u64,
    ) -> VectorEnvironment {
        let Self {
            calculator,
            store,
            workers,
        } = self.clone();
        VectorEnvironment::new(Arc::clone(task), calculator, store, count, workers, seed)
    }
}
