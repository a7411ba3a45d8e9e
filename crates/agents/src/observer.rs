//! Who watches an agent at work: logs, progress bars, curves.

use crystalgym_environment::FinishedEpisode;

use crate::AgentError;

/// Watches an agent at work.
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
