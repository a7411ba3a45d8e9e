//! A row of the table of results: read whole, or counted as damaged.

use crystalgym_crystal::{Structure, StructureFormat};
use serde::Serialize;

use crate::{CalculationSettings, Outcome, warnings};

/// A row of the store.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StoredResult {
    /// SHA-256 of all that the outcome depends on.
    pub key: String,
    /// Label of the skeleton that was first asked for.
    pub skeleton: String,
    /// Symbols in site order, separated by blanks.
    pub elements: String,
    /// Formula of the cell that was computed.
    pub formula: String,
    /// Property asked for.
    pub property: String,
    /// Name of the calculator.
    pub calculator: String,
    /// Settings and pseudopotential hashes, canonical JSON.
    pub fingerprint: String,
    /// When it was stored, UTC.
    pub created: String,
    /// Version of the program that stored it.
    pub version: String,
    /// What it was computed with: as written down, or else as far as the fingerprint tells.
    pub settings: Option<CalculationSettings>,
    /// The outcome, for the cell that was computed.
    pub outcome: Outcome,
    /// The crystal as JSON, in the cell that was computed.
    #[serde(skip)]
    pub structure: String,
}

/// A row that is damaged. It is not used, and replaced when its result is next computed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DamagedResult {
    /// Its key, as far as it can be read.
    pub key: String,
    /// What is wrong with it.
    pub problem: String,
}

/// The columns of a [`Row`], in order.
pub(super) const COLUMNS: &str = "key, skeleton, elements, formula, property, calculator, \
                                  fingerprint, created, version, outcome, structure, status, \
                                  failure, value";
/// Columns that hold text: all but the value.
pub(super) const TEXTS: usize = 13;

/// A row as its table gives it, whatever the table is.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Row {
    /// `None` for what is no text, or none in UTF-8.
    pub(super) texts: [Option<String>; TEXTS],
    pub(super) value: Option<f64>,
}

impl Row {
    /// Wall time of the calculation in seconds, as its outcome says; zero of one that cannot be read.
    pub(super) fn seconds(&self) -> f64 {
        let outcome = self.texts[9].as_deref();
        let outcome = outcome.and_then(|text| serde_json::from_str::<Outcome>(text).ok());
        outcome.map_or(0.0, |outcome| outcome.seconds())
    }
}

/// What the column of the status says of an outcome.
pub(super) fn status(outcome: &Outcome) -> &'static str {
    match outcome.failure() {
        Some(_) => "failure",
        None => "success",
    }
}

/// A row as far as it can be read.
pub(super) struct ReadRow {
    key: String,
    /// By its outcome, if that and the structure can be read.
    pub(super) result: Option<StoredResult>,
    problem: Option<String>,
}

impl ReadRow {
    /// A result whose row is whole: what an edit, a half write or another program left is not
    /// believed.
    pub(super) fn whole(self) -> Option<StoredResult> {
        self.result.filter(|_| self.problem.is_none())
    }

    pub(super) fn damage(&self) -> Option<DamagedResult> {
        self.problem.as_ref().map(|problem| DamagedResult {
            key: self.key.clone(),
            problem: problem.clone(),
        })
    }
}

/// Reads a row and looks whether its parts agree.
pub(super) fn read(row: Row) -> ReadRow {
    let key = row.texts[0].clone();
    let key = key.unwrap_or_else(|| "(unreadable key)".to_owned());
    let [.., status, failure] = &row.texts;
    let (status, failure, value) = (status.clone(), failure.clone(), row.value);
    let (result, problem) = match columns(row) {
        Ok(result) => {
            let problem = disagreement(status.as_deref(), failure.as_deref(), value, &result);
            (Some(result), problem)
        }
        Err(problem) => (None, Some(problem)),
    };
    ReadRow {
        key,
        result,
        problem,
    }
}

fn columns(row: Row) -> Result<StoredResult, String> {
    let mut texts = Vec::with_capacity(11);
    for (text, name) in row.texts.into_iter().zip(COLUMNS.split(", ")).take(11) {
        texts.push(text.ok_or_else(|| format!("{name} is no text"))?);
    }
    let Ok(
        [
            key,
            skeleton,
            elements,
            formula,
            property,
            calculator,
            fingerprint,
            created,
            version,
            outcome,
            structure,
        ],
    ) = <[String; 11]>::try_from(texts)
    else {
        return Err("a column is missing".to_owned());
    };
    let mut outcome: Outcome = serde_json::from_str(&outcome)
        .map_err(|error| format!("the outcome cannot be read: {error}"))?;
    let parsed = Structure::from_text(&structure, StructureFormat::Json)
        .map_err(|error| format!("the structure cannot be read: {error}"))?;
    let symbols: Vec<&str> = parsed.elements.iter().map(|e| e.symbol()).collect();
    if symbols.join(" ") != elements || parsed.cell_formula() != formula {
        return Err("its elements are not the structure's".to_owned());
    }
    let settings = settings_of(&fingerprint, &parsed, &outcome);
    if let (Outcome::Success(values), Some(settings), Ok(property)) =
        (&mut outcome, &settings, property.parse())
        && values.settings.is_none()
    {
        values.warnings = warnings(property, &parsed, values, settings);
        values.settings = Some(Box::new(settings.clone()));
    }
    Ok(StoredResult {
        key,
        skeleton,
        elements,
        formula: parsed.formula(),
        property,
        calculator,
        fingerprint,
        created,
        version,
        settings,
        outcome,
        structure,
    })
}

/// Settings that were stored with the values, or those that the fingerprint tells: results of versions
/// that did not write them down, and failures.
fn settings_of(
    fingerprint: &str,
    structure: &Structure,
    outcome: &Outcome,
) -> Option<CalculationSettings> {
    match outcome {
        Outcome::Success(values) => values.settings.as_deref().cloned(),
        Outcome::Failure(_) => None,
    }
    .or_else(|| CalculationSettings::of_fingerprint(fingerprint, structure))
}

/// What the columns beside the outcome say otherwise.
fn disagreement(
    stored_status: Option<&str>,
    stored_failure: Option<&str>,
    value: Option<f64>,
    result: &StoredResult,
) -> Option<String> {
    let failure = result.outcome.failure().map(|failure| failure.code.name());
    let status = status(&result.outcome);
    if stored_status != Some(status) {
        Some(format!("its status is not the outcome's, {status}"))
    } else if stored_failure != failure {
        Some("its failure is not the outcome's".to_owned())
    } else if value != result.outcome.value() {
        let show = |value: Option<f64>| value.map_or("none".to_owned(), |value| value.to_string());
        Some(format!(
            "its value is {}, but the outcome's is {}",
            show(value),
            show(result.outcome.value())
        ))
    } else {
        None
    }
}
