use crystalgym_environment::{Episode, FinishedEpisode};

/// What was done in an episode and what it earned for a target.
#[derive(Debug, Clone, PartialEq)]
pub struct Experience {
    /// The start and the actions.
    pub episode: Episode,
    /// Target that the reward belongs to, in the property's unit.
    pub target: f64,
    /// Reward of the last step: that of the crystal at the end.
    pub reward: f64,
    /// Reward of the first step: minus that of the crystal at the start, if rewards are differences.
    /// There it is known what it depends on; given with the last step, it would be noise to all
    /// others.
    pub first_reward: Option<f64>,
}

/// What an episode earns with its first step for a target, if rewards are differences.
pub(crate) fn first_reward(episode: &FinishedEpisode, target: f64) -> Option<f64> {
    let reward = episode.task.objective().reward();
    let start = episode.start_appraisal.as_ref()?;
    Some(-reward.of_appraisal(target, start))
}

impl From<&FinishedEpisode> for Experience {
    fn from(episode: &FinishedEpisode) -> Self {
        Self {
            episode: episode.episode.clone(),
            target: episode.target,
            reward: episode.crystal_reward,
            first_reward: first_reward(episode, episode.target),
        }
    }
}
