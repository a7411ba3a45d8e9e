//! What a learned reward said, as rows of its tables of predictions and of its pretraining.
//!
//! `predictions.csv` has a row for each crystal that the model was asked about, in the order in which
//! rewards arrived. What was predicted and what was calculated are in columns of their own, and a crystal
//! that was not calculated has nothing in the latter: `episodes.csv` holds calculations alone.

use std::{io, path::Path};

use crystalgym_agents::LearnedEpisode;
use crystalgym_conservative::Epoch;
use crystalgym_crystal::Element;
use crystalgym_environment::Appraisal;
use crystalgym_evaluation::{FailureCode, Outcome, Property};
use serde::{Deserialize, Serialize};

use crate::TrainingError;

/// One crystal that the model was asked about, a row of `predictions.csv`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PredictionRow {
    /// Number of the episode in the run.
    pub episode: u64,
    /// Environment steps done when the reward arrived.
    pub step: u64,
    /// Label of the skeleton.
    pub skeleton: String,
    /// Elements in site order, separated by blanks.
    pub elements: String,
    /// Property asked for.
    pub property: Property,
    /// Target of the property, in its unit.
    pub target: f64,
    /// Predicted value, in the property's unit.
    pub predicted_value: f64,
    /// Spread of the prediction over the members, in the same unit.
    pub predicted_spread: f64,
    /// Predicted probability that a calculation fails.
    pub predicted_failure_probability: f64,
    /// What was taken off the predicted return for doubt.
    pub predicted_penalty: f64,
    /// Return by the prediction.
    pub predicted_return: f64,
    /// Calculated value; empty where it was not calculated or failed.
    pub calculated_value: Option<f64>,
    /// Failure code of the calculation; empty where it was not calculated or succeeded.
    pub calculated_failure: Option<FailureCode>,
    /// Return by the calculation; empty where there was none.
    pub calculated_return: Option<f64>,
    /// Different crystals calculated by then.
    pub calculations: usize,
    /// Skill of the model in cross-validation, if it can be told.
    pub skill: Option<f64>,
    /// Squared error of the standardised values in the last step of fine-tuning, if there was one.
    pub model_error: Option<f64>,
    /// Gap of the conservative part in that step.
    pub model_gap: Option<f64>,
}

impl PredictionRow {
    pub(crate) fn of(learned: &LearnedEpisode<'_>) -> Self {
        let (episode, forecast) = (learned.episode, learned.forecast);
        let outcome = match &episode.appraisal {
            Appraisal::Computed(evaluation) => Some(&evaluation.outcome),
            Appraisal::Predicted(_) => None,
        };
        let failure = |outcome: &Outcome| match outcome {
            Outcome::Success(_) => None,
            Outcome::Failure(failure) => Some(failure.code),
        };
        Self {
            episode: episode.number,
            step: learned.step,
            skeleton: episode.crystal.skeleton().label.clone(),
            elements: symbols(episode.crystal.elements().iter().copied()),
            property: episode.task.property(),
            target: episode.target,
            predicted_value: forecast.prediction.value,
            predicted_spread: forecast.prediction.spread,
            predicted_failure_probability: forecast.prediction.failure_probability,
            predicted_penalty: forecast.prediction.penalty,
            predicted_return: forecast.predicted_return,
            calculated_value: outcome.and_then(Outcome::value),
            calculated_failure: outcome.and_then(failure),
            calculated_return: outcome.map(|_| episode.reward),
            calculations: learned.results,
            skill: learned.skill,
            model_error: learned.losses.map(|losses| losses.error),
            model_gap: learned.losses.map(|losses| losses.gap),
        }
    }
}

/// A pass of pretraining, a row of `pretraining.csv`; losses are means over its batches.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PretrainingRow {
    /// Network of the model, from 1.
    pub member: usize,
    /// Pass over its data, from 1.
    pub epoch: usize,
    /// The whole loss.
    pub loss: f64,
    /// Squared error of the standardised values.
    pub error: f64,
    /// Cross entropy of failures.
    pub failure: f64,
    /// Gap between what the ascent found and what is known.
    pub gap: f64,
    /// Weight of that in the loss after the pass.
    pub weight: f64,
    /// Squared error on what is left out.
    pub validation_error: Option<f64>,
}

impl From<&Epoch> for PretrainingRow {
    fn from(epoch: &Epoch) -> Self {
        Self {
            member: epoch.member,
            epoch: epoch.epoch,
            loss: epoch.losses.total,
            error: epoch.losses.error,
            failure: epoch.losses.failure,
            gap: epoch.losses.gap,
            weight: epoch.weight,
            validation_error: epoch.validation_error,
        }
    }
}

/// The table of a pretraining as text.
pub(crate) fn pretraining_text(epochs: &[Epoch]) -> io::Result<Vec<u8>> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    for epoch in epochs {
        let row = PretrainingRow::from(epoch);
        writer.serialize(row).map_err(io::Error::other)?;
    }
    writer.into_inner().map_err(|error| error.into_error())
}

/// The rows of a table, whose path is for messages.
pub(crate) fn rows<T: serde::de::DeserializeOwned>(
    text: &[u8],
    path: &Path,
) -> Result<Vec<T>, TrainingError> {
    let rows = csv::Reader::from_reader(text).into_deserialize();
    rows.collect::<Result<_, _>>()
        .map_err(|error| TrainingError::RunFolder {
            path: path.to_owned(),
            message: error.to_string(),
        })
}

/// Symbols of elements, separated by blanks.
pub(crate) fn symbols(elements: impl Iterator<Item = Element>) -> String {
    elements.map(|e| e.symbol()).collect::<Vec<_>>().join(" ")
}
