//! What every search does: propose crystals and hear what they were worth.

use crystalgym_environment::{FinishedEpisode, Task};
use rand_pcg::Pcg64;
use serde_json::Value;

use super::filling::Filling;
use crate::{AgentConfig, AgentError};

/// Proposes crystals and hears what they were worth.
pub trait Proposer: Send {
    /// The algorithm with its settings.
    fn settings(&self) -> AgentConfig;

    /// The elements of a skeleton's sites to be tried next.
    ///
    /// # Errors
    /// [`AgentError`] if there is nothing to propose; the search then ends.
    fn propose(
        &mut self,
        task: &Task,
        skeleton: u16,
        rng: &mut Pcg64,
    ) -> Result<Filling, AgentError>;

    /// What came of an episode.
    ///
    /// # Errors
    /// [`AgentError`]; the search then ends.
    fn learn(&mut self, task: &Task, episode: &FinishedEpisode) -> Result<(), AgentError>;

    /// The best known elements of a skeleton's sites.
    fn best(&self, skeleton: u16) -> Option<&Filling>;

    /// All that was learned, as JSON.
    ///
    /// # Errors
    /// [`AgentError`] if it cannot be written.
    fn knowledge(&self) -> Result<Value, AgentError>;

    /// Goes on from what [`Self::knowledge`] returned.
    ///
    /// # Errors
    /// What cannot be knowledge of a search with these settings in this task.
    fn restore(&mut self, knowledge: Value, task: &Task) -> Result<(), String>;

    /// Another one that knows the same.
    fn copy(&self) -> Box<dyn Proposer>;
}
