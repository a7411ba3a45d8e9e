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

/// The same, with its crystal and the answers to what that and the first one are worth.
pub(super) struct OpenEpisode {
    pub(super) ended: EndedEpisode,
    pub(super) crystal: Crystal,
    pub(super) answer: Answer,
    /// Of the crystal at the start, if the reward is a difference.
    pub(super) start_answer: Option<Answer>,
}

impl OpenEpisode {
    /// What is not answered yet.
    pub(super) fn awaited(&self) -> impl Iterator<Item = Ticket> + use<> {
        let answers = [Some(&self.answer), self.start_answer.as_ref()];
        let tickets = answers.map(|answer| match answer {
            Some(Answer::Pending(ticket)) => Some(*ticket),
            Some(Answer::Known(_)) | None => None,
        });
        tickets.into_iter().flatten()
    }

    /// Takes the answer to what was awaited.
    pub(super) fn take(&mut self, wanted: Ticket, appraisal: Appraisal) {
        let mut answers = [Some(&mut self.answer), self.start_answer.as_mut()]
            .into_iter()
            .flatten();
        let waits = |answer: &&mut Answer| matches!(answer, Answer::Pending(t) if *t == wanted);
        if let Some(answer) = answers.find(waits) {
            *answer = Answer::Known(appraisal);
        }
    }

    /// With its reward; `None` while an answer is awaited.
    pub(super) fn finished(self) -> Option<FinishedEpisode> {
        let known = |answer| match answer {
            Answer::Known(appraisal) => Some(appraisal),
            Answer::Pending(_) => None,
        };
        let appraisal = known(self.answer)?;
        let start_appraisal = match self.start_answer {
            Some(answer) => Some(known(answer)?),
            None => None,
        };
        let EndedEpisode {
            number,
            environment,
            task,
            episode,
            state,
        } = self.ended;
        let (target, objective) = (task.target(), task.objective());
        let crystal_reward = objective.of_episode(target, &appraisal, None);
        let reward = match &start_appraisal {
            None => crystal_reward,
            start => objective.of_episode(target, &appraisal, start.as_ref()),
        };
        Some(FinishedEpisode {
            number,
            environment,
            target,
            reward,
            crystal_reward,
            task,
            episode,
            state,
            crystal: self.crystal,
            appraisal,
            start_appraisal,
        })
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
    /// Reward of the crystal by itself; the same unless the reward is a difference.
    pub crystal_reward: f64,
    /// What the crystal was said to be worth.
    pub appraisal: Appraisal,
    /// What the crystal at the start was said to be worth, if the reward is a difference.
    pub start_appraisal: Option<Appraisal>,
}
