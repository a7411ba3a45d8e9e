//! One finished episode as a row of a table, and how such tables are read.

use std::{fs::File, path::Path};

use crystalgym_crystal::open_regular;
use crystalgym_environment::Appraisal;
use crystalgym_evaluation::{FailureCode, Property, Source};
use serde::{Deserialize, Serialize};

use crate::{TrainingError, short_lines::ShortLines};

/// One finished episode, a row of `episodes.csv`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EpisodeRow {
    /// Number of the episode in the run, from 1, in the order in which rewards arrived.
    pub episode: u64,
    /// Environment steps done when the reward arrived.
    pub step: u64,
    /// Which of the vectorised environments it ran in.
    pub environment: usize,
    /// Label of the skeleton.
    pub skeleton: String,
    /// Elements in site order, separated by blanks.
    pub elements: String,
    /// Property asked for.
    pub property: Property,
    /// Target of the property, in its unit.
    pub target: f64,
    /// Value of the property; empty after a failure.
    pub value: Option<f64>,
    /// Return of the episode.
    pub episodic_return: f64,
    /// Failure code; empty after a success.
    pub failure: Option<FailureCode>,
    /// Where the result came from.
    pub source: RowSource,
    /// SCF iterations of the calculation.
    pub scf_iterations: u32,
    /// Wall time of the calculation in seconds (of the original one for a store hit).
    pub calculation_seconds: f64,
    /// Elements that the episode started from, if its return is a difference; no such column
    /// otherwise, as for the next two.
    #[serde(default, skip_serializing)]
    pub start_elements: Option<String>,
    /// Value of the property at the start; empty after a failure.
    #[serde(default, skip_serializing)]
    pub start_value: Option<f64>,
    /// Failure code of the crystal at the start; empty after a success.
    #[serde(default, skip_serializing)]
    pub start_failure: Option<FailureCode>,
    /// What came of each property of an objective of several, in the order of the terms, such as
    /// `band_gap=1.2 energy_above_hull=skipped`: a value in its unit, a failure code, or `skipped` for what
    /// was not computed; no such column otherwise.
    #[serde(default, skip_serializing)]
    pub terms: Option<String>,
}

/// The column of a row that tables have if the objective is of several properties.
#[derive(Debug, Serialize)]
pub(crate) struct TermsColumn<'a> {
    terms: Option<&'a str>,
}

/// The columns of a row that tables have if returns are differences.
#[derive(Debug, Serialize)]
pub(crate) struct StartColumns<'a> {
    start_elements: Option<&'a str>,
    start_value: Option<f64>,
    start_failure: Option<FailureCode>,
}

impl EpisodeRow {
    /// The values of [`Self::terms`] by property; `None` of what has none.
    pub fn values_of_terms(&self) -> Vec<(Property, Option<f64>)> {
        let text = self.terms.as_deref().unwrap_or_default();
        let terms = text
            .split_whitespace()
            .filter_map(|term| term.split_once('='));
        terms
            .filter_map(|(name, value)| Some((name.parse().ok()?, value.parse().ok())))
            .collect()
    }

    pub(crate) fn terms_column(&self) -> TermsColumn<'_> {
        TermsColumn {
            terms: self.terms.as_deref(),
        }
    }

    pub(crate) fn start_columns(&self) -> StartColumns<'_> {
        StartColumns {
            start_elements: self.start_elements.as_deref(),
            start_value: self.start_value,
            start_failure: self.start_failure,
        }
    }
}

/// Where the result of an episode came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RowSource {
    /// Computed for it.
    Computed,
    /// Found in the store.
    Store,
    /// Shared with an earlier request that was still under way.
    Coalesced,
    /// Guessed by a model.
    Predicted,
}

impl RowSource {
    /// All sources.
    pub const ALL: [Self; 4] = [
        Self::Computed,
        Self::Store,
        Self::Coalesced,
        Self::Predicted,
    ];

    /// The name used in tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::Computed => Source::Computed.name(),
            Self::Store => Source::Store.name(),
            Self::Coalesced => Source::Coalesced.name(),
            Self::Predicted => "predicted",
        }
    }
}

impl From<Source> for RowSource {
    fn from(source: Source) -> Self {
        match source {
            Source::Computed => Self::Computed,
            Source::Store => Self::Store,
            Source::Coalesced => Self::Coalesced,
        }
    }
}

impl From<&Appraisal> for RowSource {
    fn from(appraisal: &Appraisal) -> Self {
        match appraisal {
            Appraisal::Computed(evaluation) => evaluation.source.into(),
            Appraisal::Predicted(_) => Self::Predicted,
        }
    }
}

/// Reads a table of episodes.
///
/// # Errors
/// [`TrainingError::RunFolder`] with the line, if the file is not such a table.
pub fn read_episodes(path: &Path) -> Result<Vec<EpisodeRow>, TrainingError> {
    episode_rows(path)?.collect()
}

/// Reads a table of episodes row by row, for tables that are not to be held as a whole.
///
/// # Errors
/// [`TrainingError::RunFolder`] if the file cannot be opened, and for each row that is none, with
/// the line.
pub fn episode_rows(
    path: &Path,
) -> Result<impl Iterator<Item = Result<EpisodeRow, TrainingError>> + use<>, TrainingError> {
    let file = open_regular(path).map_err(|error| no_table(path, error.into()))?;
    Ok(rows_of(file, path))
}

/// Most bytes of a row, …
const MOST_LINE_BYTES: u64 = 1 << 20;
/// … and of a table.
const MOST_BYTES: u64 = 4 << 30;

/// The rows of an open table, whose path is for messages.
pub(crate) fn rows_of(
    file: File,
    path: &Path,
) -> impl Iterator<Item = Result<EpisodeRow, TrainingError>> + use<> {
    let path = path.to_owned();
    let lines = ShortLines::new(file, MOST_LINE_BYTES, MOST_BYTES);
    let rows = csv::Reader::from_reader(lines).into_deserialize();
    rows.map(move |row| row.map_err(|error| no_table(&path, error)))
}

fn no_table(path: &Path, error: csv::Error) -> TrainingError {
    TrainingError::RunFolder {
        path: path.to_owned(),
        message: format!("not a table of episodes: {error}"),
    }
}
