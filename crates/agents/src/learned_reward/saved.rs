//! A learned reward in a checkpoint.

use std::sync::Arc;

use crystalgym_conservative::{ObjectiveModelError, SavedModel, Truth};
use crystalgym_environment::Task;
use crystalgym_networks::Checkpoint;
use crystalgym_surrogate::canonical;
use serde::{Deserialize, Serialize};

use super::{LearnedReward, LearnedRewardConfig, reward::Progress};
use crate::AgentError;

/// What the names of the model's tensors begin with.
const PREFIX: &str = "learned_reward";

/// A learned reward, but for the numbers of its networks.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct SavedReward {
    config: LearnedRewardConfig,
    seed: u64,
    progress: Progress,
    model: SavedModel,
    /// SHA-256 of the data, empty if there are none.
    sha256: String,
}

impl LearnedReward {
    pub(crate) fn save(&self, networks: &mut Checkpoint) -> SavedReward {
        SavedReward {
            config: self.config.clone(),
            seed: self.seed,
            progress: self.progress.clone(),
            model: self.model.save(PREFIX, networks),
            sha256: self.before.sha256.clone(),
        }
    }

    /// The learned reward that was saved; its data are read again.
    pub(crate) fn restored(
        saved: SavedReward,
        networks: &Checkpoint,
        task: Arc<Task>,
    ) -> Result<Self, AgentError> {
        let mut reward = Self::untrained(saved.config, task, saved.seed)?;
        let (found, expected) = (&reward.before.sha256, &saved.sha256);
        if found != expected {
            let data = reward.config.data.clone().unwrap_or_default();
            let message = format!(
                "SHA-256 of {} is {found}, that of the run's data was {expected}",
                data.display()
            );
            return Err(ObjectiveModelError::Saved(message).into());
        }
        reward.model.restore(PREFIX, networks, saved.model)?;
        let task = &reward.task;
        for result in &saved.progress.results {
            let is_sound = result.skeleton < task.skeletons().len()
                && result.node_types.len() == task.skeletons()[result.skeleton].sites()
                && task.board().obeys(result.skeleton, &result.node_types)
                && !matches!(result.truth, Truth::Value(value) if !value.is_finite());
            let canonical = is_sound.then(|| canonical(task, result.skeleton, &result.node_types));
            match canonical {
                Some(filling) => reward.known.insert((result.skeleton, filling)),
                None => {
                    let message = "a result does not belong to this task".to_owned();
                    return Err(ObjectiveModelError::Saved(message).into());
                }
            };
        }
        reward.progress = saved.progress;
        reward.again = std::mem::take(&mut reward.progress.open);
        Ok(reward)
    }

    /// Whether all decisions that were open at a restart belonged to an episode.
    pub(crate) fn is_settled(&self) -> bool {
        self.again.is_empty()
    }
}
