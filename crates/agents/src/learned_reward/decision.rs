//! Whether a crystal is calculated or predicted.

use crystalgym_environment::Prediction;
use serde::{Deserialize, Serialize};

/// What a model expected of a crystal before anything was known of it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Forecast {
    /// Value, spread, probability of a failure, and what is taken off for doubt.
    pub prediction: Prediction,
    /// The reward for that.
    pub predicted_return: f64,
    /// Whether the crystal is calculated all the same.
    pub is_calculated: bool,
}
