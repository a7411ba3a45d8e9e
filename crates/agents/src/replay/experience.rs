use crystalgym_environment::{Episode, FinishedEpisode};

/// What was done in an episode and what it earned for a target.
#[derive(Debug, Clone, PartialEq)]
pub struct Experience {
    /// The start and the actions.
    pub episode: Episode,
    /// Target that the reward belongs to, in the property's unit.
    pub target: f64,
    /// Reward of the last step.
    pub reward: f64,
}

impl From<&FinishedEpisode> for Experience {
    fn from(episode: &FinishedEpisode) -> Self {
        Self {
            episode: episode.episode.clone(),
            target: episode.target,
            reward: episode.reward,
        }
    }
}
