//! Settings of a learned reward.

use std::path::PathBuf;

use crystalgym_conservative::ObjectiveModelConfig;
use serde::{Deserialize, Serialize};

use crate::{AgentError, check};

/// What a model learns from when a calculation is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FineTuning {
    /// Nothing: it stays as it was pretrained.
    None,
    /// That one calculation.
    Single,
    /// All calculations so far, beside what it was pretrained on.
    #[default]
    All,
}

/// Settings of a learned reward; the default is [`LearnedRewardConfig::standard`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LearnedRewardConfig {
    /// File of crystals with values that the model is pretrained on (see
    /// [`Examples::read`](crystalgym_conservative::Examples::read)); none if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data: Option<PathBuf>,
    /// Its column of values; the property's name, or `value`, if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value_column: Option<String>,
    /// Whether crystals with elements that the task does not have are learned from as well.
    pub all_elements: bool,
    /// Crystals that are drawn out of the file; 0 for all.
    pub examples: usize,
    /// Every so many crystals one is calculated.
    pub calculate_every: u64,
    /// What the model learns from a calculation.
    pub fine_tuning: FineTuning,
    /// Gradient steps each time.
    pub fine_tuning_steps: usize,
    /// Whether a crystal that was calculated before keeps that value.
    pub recalls: bool,
    /// Whether a crystal is calculated that is predicted to be better than all that were.
    pub checks_promises: bool,
    /// Whether predictions are believed only while cross-validation says that the model predicts;
    /// otherwise, and before there are `gate_results`, all crystals are calculated.
    pub gate: bool,
    /// Least skill for that: 1 − squared error over variance of the rewards of the last hundred
    /// calculations.
    pub least_skill: f64,
    /// Calculations before the gate may open.
    pub gate_results: usize,
    /// How many standard deviations of the members' rewards a prediction is lowered by.
    pub doubt: f64,
    /// The model.
    pub model: ObjectiveModelConfig,
}

impl Default for LearnedRewardConfig {
    fn default() -> Self {
        Self::standard()
    }
}

impl LearnedRewardConfig {
    /// Ours: all that is known is learned from, and a model that does not predict is not asked.
    pub fn standard() -> Self {
        Self {
            calculate_every: 10,
            fine_tuning: FineTuning::All,
            fine_tuning_steps: 5,
            recalls: true,
            checks_promises: true,
            gate: true,
            gate_results: 20,
            doubt: 1.0,
            model: ObjectiveModelConfig::standard(),
            ..Self::paper()
        }
    }

    /// As published: a calculation every 50 episodes, and fine-tuning on that alone. How many steps that
    /// took is not known.
    pub fn paper() -> Self {
        Self {
            data: None,
            value_column: None,
            all_elements: true,
            examples: 0,
            calculate_every: 50,
            fine_tuning: FineTuning::Single,
            fine_tuning_steps: 20,
            recalls: false,
            checks_promises: false,
            gate: false,
            least_skill: 0.3,
            gate_results: 20,
            doubt: 0.0,
            model: ObjectiveModelConfig::paper(),
        }
    }

    /// Whether all settings are in their ranges.
    ///
    /// # Errors
    /// [`AgentError::Config`] or [`AgentError::Model`] names the first that is not.
    pub fn check(&self) -> Result<(), AgentError> {
        check::counts(&[
            ("calculate_every", (self.calculate_every, check::STEPS)),
            (
                "fine_tuning_steps",
                (self.fine_tuning_steps as u64, check::REPEATS),
            ),
            ("examples", (self.examples as u64, 0..=10_000_000)),
            ("gate_results", (self.gate_results as u64, 2..=1_000_000)),
        ])?;
        let bad = |field, found: f64, expected: &str| AgentError::Config {
            field,
            found: found.to_string(),
            expected: expected.to_owned(),
        };
        if !(self.least_skill.is_finite() && self.least_skill <= 1.0) {
            return Err(bad("least_skill", self.least_skill, "at most 1"));
        }
        if !(self.doubt.is_finite() && self.doubt >= 0.0) {
            return Err(bad("doubt", self.doubt, "at least 0"));
        }
        if self.gate && self.model.members < 2 {
            let members = self.model.members as f64;
            return Err(bad("model.members", members, "at least 2 for a gate"));
        }
        if self.gate && self.fine_tuning == FineTuning::Single {
            // Then no member leaves out what the model is judged by.
            return Err(AgentError::Config {
                field: "fine_tuning",
                found: "single".to_owned(),
                expected: "none or all with a gate".to_owned(),
            });
        }
        Ok(self.model.check()?)
    }
}
