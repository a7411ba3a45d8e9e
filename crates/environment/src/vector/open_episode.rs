//! Episodes whose last step is taken, before and after their reward is there.

use std::sync::Arc;

use crystalgym_crystal::Crystal;
use crystalgym_evaluation::Ticket;

use crate::{Answer, Appraisal, Episode, State, Task};

/// An episode whose last step is taken.
pub(super) struct EndedEpisode {
    pub(super) number: u64,
    pub(super) environment: usize,
    pub(super) task: Arc<Task>,
    pub(super) episode: Episode,
    pub(super) state: State,
}

/// The same, with its crystal and the answer to what that is worth.
pub(super) struct OpenEpisode {
    pub(super) ended: EndedEpisode,
    pub(super) crystal: Crystal,
    pub(super) answer: Answer,
}

impl OpenEpisode {
    pub(super) fn waits_for(&self, wanted: Ticket) -> bool {
        matches!(self.answer, Answer::Pending(ticket) if ticket == wanted)
    }

    pub(super) fn finished_if_known(self) -> Option<FinishedEpisode> {
        match self.answer {
            Answer::Known(appraisal) => Some(self.ended.finished(self.crystal, appraisal)),
            Answer::Pending(_) => None,
        }
    }
}

/// An episode with its reward.
#[derive(Debug, Clone)]
pub struct FinishedEpisode {
    /// Number of the episode, from 1, in the order in which episodes ended.
    pub number: u64,
    /// Environment it ran in.
    pub environment: usize,
    /// Its task, as it was when the episode ended.
    pub task: Arc<Task>,
    /// What happened.
    pub episode: Episode,
    /// Its last state.
    pub state: State,
    /// The crystal in site order.
    pub crystal: Crystal,
    /// Target that it aimed at, in the property's unit.
    pub target: f64,
    /// Reward of the last step, which is the (undiscounted) return.
    pub reward: f64,
    /// What the crystal was said to be worth.
    pub appraisal: Appraisal,
}

impl EndedEpisode {
    pub(super) fn finished(self, crystal: Crystal, appraisal: Appraisal) -> FinishedEpisode {
        let Self {
            number,
            environment,
            task,
            episode,
            state,
        } = self;
        let target = task.target();
        let reward = task.objective().reward().of_appraisal(target, &appraisal);
        FinishedEpisode {
            number,
            environment,
            task,
            episode,
            state,
            crystal,
            target,
            reward,
            appraisal,
        }
    }
}
