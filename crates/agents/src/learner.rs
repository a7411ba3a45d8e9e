//! What every algorithm can do: remember, learn, act, save. Environments are the driver's.

use std::sync::Arc;

use crystalgym_environment::{Action, FinishedEpisode, Observation, Task, VectorEnvironment};

use crate::{
    AgentConfig, AgentError, Evaluator, Observer, Policy, PolicyMode,
    checkpoint::{CheckpointFile, Memory},
};

/// What learns or searches.
///
/// Nothing in here needs environments or calculators, so that what was learned can be loaded and
/// used without either.
pub trait Learner: Send {
    /// The algorithm with its settings.
    fn settings(&self) -> AgentConfig;

    /// Is told what evaluates crystals before a run begins or goes on; of interest to what asks for cheap
    /// results of its own.
    fn begin(&mut self, evaluator: &Evaluator) {
        let _ = evaluator;
    }

    /// Takes an episode that has its reward.
    ///
    /// # Errors
    /// [`AgentError`]; the learner should then not be used on.
    fn remember(&mut self, episode: &FinishedEpisode) -> Result<(), AgentError>;

    /// Learns for the environment steps up to `step`.
    ///
    /// # Errors
    /// As [`Self::remember`].
    fn learn(&mut self, step: u64, observer: &mut dyn Observer) -> Result<(), AgentError>;

    /// One allowed action for each environment, after so many environment steps.
    ///
    /// # Errors
    /// As [`Self::remember`].
    fn act(&mut self, step: u64, seen: &[Observation<'_>]) -> Result<Vec<Action>, AgentError>;

    /// All that the next call depends on.
    ///
    /// # Errors
    /// [`AgentError`] if it cannot be written.
    fn memory(&self) -> Result<Memory, AgentError>;

    /// Goes on from what [`Self::memory`] returned to a learner of the same settings and task.
    ///
    /// # Errors
    /// [`AgentError::Checkpoint`] if it cannot be that.
    fn restore(&mut self, file: &CheckpointFile) -> Result<(), AgentError>;

    /// Whether what is remembered fits the episodes under way in restored environments.
    ///
    /// # Errors
    /// What does not.
    fn fits(&self, environment: &VectorEnvironment) -> Result<(), String> {
        let _ = environment;
        Ok(())
    }

    /// A copy of what was learned in `step` environment steps, to act in a task with the same
    /// elements (the skeletons and the target may be others).
    ///
    /// # Errors
    /// [`AgentError`] if the task does not fit.
    fn policy(
        &self,
        task: &Arc<Task>,
        mode: PolicyMode,
        step: u64,
    ) -> Result<Box<dyn Policy>, AgentError>;
}
