//! Settings of an objective model.

use serde::{Deserialize, Serialize};

use crate::ObjectiveModelError;

/// What the ascent climbs on, and what is kept from being too high where it ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Climb {
    /// The predicted property, in units of the data's standard deviation.
    #[default]
    Value,
    /// The reward for the predicted property: what an agent exploits.
    Reward,
}

/// How the conservative part is weighed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Weighting {
    /// `α · mean gap`, with `log α` learned so that the gap comes to `threshold` (Trabucco et al. 2021).
    #[default]
    Dual,
    /// `w · mean max(gap, 0)` with a fixed w (Reddy et al. 2024).
    Fixed,
}

/// Settings of an objective model; the default is [`ObjectiveModelConfig::standard`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ObjectiveModelConfig {
    /// Width of edge, node and state features of the graph network (MEGNet).
    pub hidden: usize,
    /// Its interaction blocks.
    pub blocks: usize,
    /// Networks. Where there are several, each leaves out a part of the data.
    pub members: usize,
    /// Whether the probability of a failure is predicted as well.
    pub predicts_failures: bool,
    /// What the ascent climbs on.
    pub climb: Climb,
    /// How the conservative part is weighed.
    pub weighting: Weighting,
    /// α at the start, or the fixed w.
    pub weight: f64,
    /// Learning rate of `log α` (Adam).
    pub weight_rate: f64,
    /// Gap τ that α is learned for.
    pub threshold: f64,
    /// Steps of an ascent; 0: there is no conservative part.
    pub ascent_steps: usize,
    /// Step of an ascent (Adam on the logits of the elements).
    pub ascent_rate: f64,
    /// Largest logit of an ascent.
    pub ascent_clip: f64,
    /// Learning rate of Adam.
    pub learning_rate: f64,
    /// Crystals in a batch.
    pub batch_size: usize,
    /// Passes over the data before the first episode; the best one by the validation error counts.
    pub epochs: usize,
    /// Share of the data that a single network leaves out to be validated on.
    pub validation: f64,
    /// Threads; the results are the same for any number.
    pub threads: usize,
}

impl Default for ObjectiveModelConfig {
    fn default() -> Self {
        Self::standard()
    }
}

impl ObjectiveModelConfig {
    /// Ours: four networks that each leave out a quarter of the data, failures apart, and the reward is
    /// what must not be too high.
    pub fn standard() -> Self {
        Self {
            hidden: 32,
            blocks: 2,
            members: 4,
            predicts_failures: true,
            climb: Climb::Reward,
            weighting: Weighting::Fixed,
            weight: 0.03,
            ascent_steps: 10,
            epochs: 30,
            ..Self::paper()
        }
    }

    /// One network, dual weight, as published; what is not known of the paper's is that of the discrete
    /// tasks of Trabucco et al. (α at the start, its rate and τ) and Reddy et al. (the ascent).
    pub fn paper() -> Self {
        Self {
            hidden: 32,
            blocks: 3,
            members: 1,
            predicts_failures: false,
            climb: Climb::Value,
            weighting: Weighting::Dual,
            weight: 0.1,
            weight_rate: 0.01,
            threshold: 2.0,
            ascent_steps: 50,
            ascent_rate: 0.5,
            ascent_clip: 2.7,
            learning_rate: 1e-3,
            batch_size: 32,
            epochs: 50,
            validation: 0.1,
            threads: 1,
        }
    }

    /// Whether all settings are in their ranges.
    ///
    /// # Errors
    /// [`ObjectiveModelError::Config`] names the first that is not.
    pub fn check(&self) -> Result<(), ObjectiveModelError> {
        let bad = |field, found: String, expected: String| {
            Err(ObjectiveModelError::Config {
                field,
                found,
                expected,
            })
        };
        for (field, value, range) in [
            ("hidden", self.hidden, 2..=1024),
            ("blocks", self.blocks, 1..=32),
            ("members", self.members, 1..=64),
            ("ascent_steps", self.ascent_steps, 0..=10_000),
            ("batch_size", self.batch_size, 1..=4096),
            ("epochs", self.epochs, 0..=100_000),
            ("threads", self.threads, 1..=1024),
        ] {
            if !range.contains(&value) {
                let expected = format!("{} to {}", range.start(), range.end());
                return bad(field, value.to_string(), expected);
            }
        }
        if !self.hidden.is_multiple_of(2) {
            return bad("hidden", self.hidden.to_string(), "an even number".into());
        }
        for (field, value) in [
            ("weight_rate", self.weight_rate),
            ("ascent_rate", self.ascent_rate),
            ("ascent_clip", self.ascent_clip),
            ("learning_rate", self.learning_rate),
        ] {
            if !(value.is_finite() && value > 0.0) {
                return bad(field, value.to_string(), "a positive number".into());
            }
        }
        if !self.threshold.is_finite() {
            return bad("threshold", self.threshold.to_string(), "a number".into());
        }
        let least = match self.weighting {
            Weighting::Dual => f64::MIN_POSITIVE,
            Weighting::Fixed => 0.0,
        };
        if !(self.weight.is_finite() && self.weight >= least) {
            let expected = "a positive number, or 0 where it is fixed";
            return bad("weight", self.weight.to_string(), expected.into());
        }
        if !(0.0..=0.9).contains(&self.validation) {
            return bad("validation", self.validation.to_string(), "0 to 0.9".into());
        }
        Ok(())
    }
}
