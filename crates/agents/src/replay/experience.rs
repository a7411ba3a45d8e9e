use crystalgym_environment::{FinishedEpisode, State};

/// A filled skeleton and what it earned for a target.
#[derive(Debug, Clone, PartialEq)]
pub struct Experience {
    /// The last state of the episode.
    pub state: State,
    /// Target that the reward belongs to, in the property's unit.
    pub target: f64,
    /// Reward of the last step.
    pub reward: f64,
}

impl From<&FinishedEpisode> for Experience {
    fn from(episode: &FinishedEpisode) -> Self {
        Self {
            state: episode.state.clone(),
            target: episode.target,
            reward: episode.reward,
        }
    }
}
