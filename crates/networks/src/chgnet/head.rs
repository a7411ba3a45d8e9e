//! What the head of a network on CHGNet sees.

use serde::{Deserialize, Serialize};

/// What the head on CHGNet sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChgnetHead {
    /// Also the site in focus, which sites are filled, the target and the step.
    #[default]
    Standard,
    /// The sum over the sites alone, as the published agents.
    Published,
}
