//! The file of a benchmark's result: its parts, and how it is read.

use std::collections::BTreeMap;

use crystalgym_environment::TaskConfig;
use crystalgym_evaluation::{CalculatorConfig, FailureCode, Property, Source};
use crystalgym_training::{Algorithm, EpisodeRow, Preset};
use serde::{Deserialize, Serialize};

use super::{
    bounded::{few_members, few_texts},
    whole::whole,
};
use crate::{EvaluationRow, JobManifest, JobMeasure, JobStatus, Scale};

/// What a benchmark found; `docs/schema/benchmark-result.v1.json` describes the file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ResultFile {
    /// [`ResultFile::FORMAT`].
    pub format: String,
    /// Whose result it is, for people.
    pub name: String,
    /// Version of the program that wrote the file.
    pub crystalgym_version: String,
    /// The jobs, by name.
    pub jobs: Vec<ResultJob>,
}

/// One training run with everything that it evaluated.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ResultJob {
    /// Name, such as `exp1-band_gap-C2-dqn-seed1`.
    pub id: String,
    /// Name of the experiment, such as `paper-exp1`.
    pub experiment: String,
    /// Label of the skeleton, or `mixed`.
    pub skeletons: String,
    /// Skeletons that the agent is evaluated on beside those it has learned on.
    #[serde(deserialize_with = "few_texts")]
    pub held_out: Vec<String>,
    /// Property.
    pub property: Property,
    /// Its target, in its unit.
    pub target: f64,
    /// Algorithm.
    pub algorithm: Algorithm,
    /// Its preset.
    pub preset: Preset,
    /// Its seed.
    pub seed: u64,
    /// How long the job is.
    pub scale: Scale,
    /// Version of the program that ran it.
    pub crystalgym_version: String,
    /// Its resolved settings.
    pub settings: ResultSettings,
    /// What the store knows the calculator's results by, for all elements of the action set:
    /// program, numbers, and the pseudopotentials with their checksums.
    pub fingerprint: String,
    /// What follows from the episodes and rollouts.
    pub measures: Measures,
    /// Finished training episodes, in the order in which their rewards arrived.
    pub episodes: Vec<ResultEpisode>,
    /// Final rollouts of the trained agent.
    pub rollouts: Vec<ResultRollout>,
}

/// Resolved settings of a job.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ResultSettings {
    /// The task.
    #[serde(deserialize_with = "whole")]
    pub task: TaskConfig,
    /// The calculator, without what only concerns a machine: commands, folders, threads.
    #[serde(deserialize_with = "whole")]
    pub calculator: CalculatorConfig,
    /// The algorithm's settings.
    #[serde(deserialize_with = "few_members")]
    pub hyperparameters: serde_json::Map<String, serde_json::Value>,
}

/// Measures of a job, each a function of its episodes and rollouts ([`JobMeasure`] defines them).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Measures {
    /// Training episodes.
    pub episodes: usize,
    /// Distinct crystals among episodes and rollouts, equivalent fillings counted once: the
    /// calculations that the job needs with an empty store.
    pub distinct_crystals: usize,
    /// Failed training episodes by code.
    #[serde(deserialize_with = "few_members")]
    pub failures: BTreeMap<String, usize>,
    /// Mean return of the last 100 training episodes.
    pub last_return: f64,
    /// Largest return of a training episode.
    pub best_return: f64,
    /// Area under the learning curve.
    pub area_under_curve: f64,
    /// Mean return of the greedy rollouts.
    pub greedy_return: f64,
    /// Mean return of the sampled rollouts.
    pub sampled_return: f64,
    /// Mean return of the greedy rollouts on held-out skeletons.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held_out_return: Option<f64>,
}

/// A finished training episode.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ResultEpisode {
    /// Environment steps done when the reward arrived.
    pub step: u64,
    /// Label of the skeleton.
    pub skeleton: String,
    /// Elements in site order, separated by blanks.
    pub elements: String,
    /// Value of the property in its unit, unless it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<f64>,
    /// Why it failed, if it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<FailureCode>,
    /// Return.
    #[serde(rename = "return")]
    pub episodic_return: f64,
    /// Where the value came from.
    pub source: Source,
    /// Wall time of its calculation in seconds; 0 with an instant calculator.
    pub seconds: f64,
}

/// A final rollout.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ResultRollout {
    /// `greedy`, or `sampled` as the agent acts while it learns.
    pub mode: String,
    /// Whether the agent has never seen the skeleton.
    pub held_out: bool,
    /// Label of the skeleton.
    pub skeleton: String,
    /// Elements in site order, separated by blanks.
    pub elements: String,
    /// Value of the property in its unit, unless it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<f64>,
    /// Why it failed, if it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<FailureCode>,
    /// Return.
    #[serde(rename = "return")]
    pub episodic_return: f64,
}

impl ResultFile {
    /// The format of this version.
    pub const FORMAT: &'static str = "crystalgym-result/1";
}

impl ResultJob {
    /// The rows that a benchmark folder holds of the job.
    pub(super) fn rows(&self) -> (Vec<EpisodeRow>, Vec<EvaluationRow>) {
        let episodes = (1..).zip(&self.episodes).map(|(number, row)| EpisodeRow {
            episode: number,
            step: row.step,
            environment: 0,
            skeleton: row.skeleton.clone(),
            elements: row.elements.clone(),
            property: self.property,
            target: self.target,
            value: row.value,
            episodic_return: row.episodic_return,
            failure: row.failure,
            source: row.source.into(),
            scf_iterations: 0,
            calculation_seconds: row.seconds,
            start_elements: None,
            start_value: None,
            start_failure: None,
            terms: None,
        });
        let rollouts = self.rollouts.iter().map(|row| EvaluationRow {
            mode: row.mode.clone(),
            held_out: row.held_out,
            skeleton: row.skeleton.clone(),
            elements: row.elements.clone(),
            value: row.value,
            episodic_return: row.episodic_return,
            failure: row.failure,
        });
        (episodes.collect(), rollouts.collect())
    }

    /// The manifest that a benchmark folder holds of the job.
    pub(super) fn manifest(&self) -> JobManifest {
        JobManifest {
            format: JobManifest::FORMAT.to_owned(),
            id: self.id.clone(),
            experiment: self.experiment.clone(),
            skeletons: self.skeletons.clone(),
            held_out: self.held_out.clone(),
            property: self.property,
            target: self.target,
            tolerance: self.settings.task.tolerance,
            algorithm: self.algorithm,
            preset: self.preset,
            seed: self.seed,
            scale: self.scale,
            calculator: self.fingerprint.clone(),
            crystalgym_version: self.crystalgym_version.clone(),
            status: JobStatus::Finished,
            reason: None,
        }
    }
}

impl Measures {
    /// Of a job's measures and the number of its distinct crystals.
    pub(super) fn of(measure: &JobMeasure, distinct_crystals: usize) -> Self {
        Self {
            episodes: measure.training.episodes,
            distinct_crystals,
            failures: measure.training.failures.clone(),
            last_return: measure.training.last_return,
            best_return: measure.training.best_return,
            area_under_curve: measure.training.area_under_curve,
            greedy_return: measure.greedy_return,
            sampled_return: measure.sampled_return,
            held_out_return: measure.held_out_return,
        }
    }
}
