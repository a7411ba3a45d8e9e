//! Who watches an agent at work: logs, progress bars, curves.

use crystalgym_conservative::Losses;
use crystalgym_environment::FinishedEpisode;

use crate::{AgentError, Forecast};

/// Watches an agent at work.
pub trait Observer {
    /// An episode has its reward; `step` environment steps were taken by then.
    fn episode_finished(&mut self, step: u64, episode: &FinishedEpisode) {
        let _ = (step, episode);
    }

    /// An episode of a run with a learned reward has its reward, predicted or calculated; said before
    /// [`Self::episode_finished`].
    fn predicted(&mut self, episode: &LearnedEpisode<'_>) {
        let _ = episode;
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

/// An episode of a run with a learned reward.
#[derive(Debug, Clone, Copy)]
pub struct LearnedEpisode<'a> {
    /// Environment steps taken.
    pub step: u64,
    /// The episode; what it was said to be worth is a prediction or a calculation.
    pub episode: &'a FinishedEpisode,
    /// What the model expected before it was calculated, if it was.
    pub forecast: Forecast,
    /// Different crystals calculated by then.
    pub results: usize,
    /// The model's skill in cross-validation, if it can be told.
    pub skill: Option<f64>,
    /// Losses of the last step of fine-tuning, if the model learned from the episode.
    pub losses: Option<Losses>,
}

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

/// Says what a gradient step was like.
///
/// # Errors
/// [`AgentError::Diverged`] with the first quantity that is no number; nobody is told then.
pub(crate) fn report_update(
    observer: &mut dyn Observer,
    step: u64,
    updates: u64,
    scalars: Vec<(&'static str, f64)>,
) -> Result<(), AgentError> {
    if let Some(&(what, found)) = scalars.iter().find(|(_, value)| !value.is_finite()) {
        return Err(AgentError::Diverged { step, what, found });
    }
    observer.updated(&Update {
        step,
        updates,
        scalars,
    });
    Ok(())
}
