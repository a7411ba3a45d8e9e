//! What the next crystal is chosen by.

use crystalgym_environment::{Objective, random::uniform_unit};
use crystalgym_surrogate::Forecast;
use rand_pcg::Pcg64;
use serde::{Deserialize, Serialize};

/// What the next crystal is chosen by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Acquisition {
    /// The probability of a value close to the target.
    #[default]
    Hit,
    /// The expected improvement of the reward over the best on the skeleton.
    Improvement,
    /// The expected reward.
    Reward,
    /// The reward of a value drawn from what is believed (Thompson 1933), failures included.
    Thompson,
}

/// What a score depends on beside the forecast.
pub(super) struct Aim<'a> {
    pub(super) objective: &'a Objective,
    pub(super) target: f64,
    pub(super) tolerance: f64,
    /// Best reward on the skeleton.
    pub(super) best: f64,
}

impl Aim<'_> {
    /// The reward of what is drawn: a failure or the floor with their probabilities, or a value.
    pub(super) fn drawn_reward(&self, forecast: &Forecast, value: f64, drawn: f64) -> f64 {
        let reward = self.objective.reward();
        let fails = forecast.failure_probability();
        if drawn < fails {
            reward.of_failure()
        } else if drawn < fails + forecast.floor {
            reward.of_value(self.target, 0.0)
        } else {
            reward.of_value(self.target, value)
        }
    }
}

impl Acquisition {
    /// The higher, the sooner; of Thompson's the highest have their rewards drawn.
    pub(super) fn score(self, aim: &Aim<'_>, forecast: &Forecast) -> f64 {
        let reward = aim.objective.reward();
        match self {
            // Where a hit is out of reach, the nearer the better.
            Self::Hit => {
                forecast.hit(aim.target, aim.tolerance)
                    + 1e-6 * forecast.improvement(reward, aim.target, aim.best)
            }
            Self::Improvement => forecast.improvement(reward, aim.target, aim.best),
            Self::Reward | Self::Thompson => forecast.reward(reward, aim.target),
        }
    }
}

/// A standard normal number by Box and Muller's transformation.
pub(super) fn standard_normal(rng: &mut Pcg64) -> f64 {
    let (radius, angle) = (1.0 - uniform_unit(rng), uniform_unit(rng));
    (-2.0 * radius.ln()).sqrt() * (std::f64::consts::TAU * angle).cos()
}
