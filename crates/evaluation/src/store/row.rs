//! A row of the table of results: read whole, or counted as damaged.

use crystalgym_crystal::{Structure, StructureFormat};
use rusqlite::{Connection, OptionalExtension, Row, types::ValueRef};
use serde::Serialize;

use super::StoreKey;
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

/// The columns that [`read`] expects, in order.
pub(super) const COLUMNS: &str = "key, skeleton, elements, formula, property, calculator, \
                                  fingerprint, created, version, outcome, structure, status, \
                                  failure, value";

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
    fn whole(self) -> Option<StoredResult> {
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
pub(super) fn read(row: &Row<'_>) -> Result<ReadRow, rusqlite::Error> {
    let key = text(row, 0)?.unwrap_or_else(|| "(unreadable key)".to_owned());
    let (result, problem) = match columns(row)? {
        Ok(result) => {
            let problem = disagreement(row, &result)?;
            (Some(result), problem)
        }
        Err(problem) => (None, Some(problem)),
    };
    Ok(ReadRow {
        key,
        result,
        problem,
    })
}

type Columns = Result<StoredResult, String>;

fn columns(row: &Row<'_>) -> Result<Columns, rusqlite::Error> {
    let mut texts = Vec::with_capacity(11);
    for (index, name) in COLUMNS.split(", ").enumerate().take(11) {
        match text(row, index)? {
            Some(text) => texts.push(text),
            None => return Ok(Err(format!("{name} is no text"))),
        }
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
        return Ok(Err("a column is missing".to_owned()));
    };
    let mut outcome: Outcome = match serde_json::from_str(&outcome) {
        Ok(outcome) => outcome,
        Err(error) => return Ok(Err(format!("the outcome cannot be read: {error}"))),
    };
    let parsed = match Structure::from_text(&structure, StructureFormat::Json) {
        Ok(parsed) => parsed,
        Err(error) => return Ok(Err(format!("the structure cannot be read: {error}"))),
    };
    let symbols: Vec<&str> = parsed.elements.iter().map(|e| e.symbol()).collect();
    if symbols.join(" ") != elements || parsed.cell_formula() != formula {
        return Ok(Err("its elements are not the structure's".to_owned()));
    }
    let settings = settings_of(&fingerprint, &parsed, &outcome);
    if let (Outcome::Success(values), Some(settings), Ok(property)) =
        (&mut outcome, &settings, property.parse())
        && values.settings.is_none()
    {
        values.warnings = warnings(property, &parsed, values, settings);
        values.settings = Some(Box::new(settings.clone()));
    }
    Ok(Ok(StoredResult {
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
    }))
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
fn disagreement(row: &Row<'_>, result: &StoredResult) -> Result<Option<String>, rusqlite::Error> {
    let failure = result.outcome.failure().map(|failure| failure.code.name());
    let status = match failure {
        Some(_) => "failure",
        None => "success",
    };
    let value: Option<f64> = match row.get_ref(13)? {
        ValueRef::Real(value) => Some(value),
        ValueRef::Integer(value) => Some(value as f64),
        _ => None,
    };
    Ok(if text(row, 11)?.as_deref() != Some(status) {
        Some(format!("its status is not the outcome's, {status}"))
    } else if text(row, 12)?.as_deref() != failure {
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
    })
}

/// `None` for what is no text, or none in UTF-8.
fn text(row: &Row<'_>, index: usize) -> Result<Option<String>, rusqlite::Error> {
    Ok(match row.get_ref(index)? {
        ValueRef::Text(bytes) => std::str::from_utf8(bytes).ok().map(str::to_owned),
        _ => None,
    })
}

/// The outcome under this very key. One that cannot be read counts as absent: it is computed
/// again and replaced.
pub(super) fn select_exactly(
    connection: &Connection,
    key: &StoreKey,
) -> Result<Option<Outcome>, rusqlite::Error> {
    let row = connection
        .prepare_cached(&format!("SELECT {COLUMNS} FROM results WHERE key = ?1"))?
        .query_row([key.hash()], read)
        .optional()?;
    Ok(row.and_then(ReadRow::whole).map(|result| result.outcome))
}

/// The outcome of this crystal, under whatever key.
pub(super) fn select_outcome(
    connection: &Connection,
    key: &StoreKey,
) -> Result<Option<Outcome>, rusqlite::Error> {
    if let Some(outcome) = select_exactly(connection, key)? {
        return Ok(Some(outcome));
    }
    if !key.is_of_a_crystal() {
        return Ok(None);
    }
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM results \
         WHERE formula = ?1 AND property = ?2 AND calculator = ?3 AND fingerprint = ?4 \
         ORDER BY key"
    ))?;
    let mut rows = statement.query([
        key.formula.as_str(),
        key.property.name(),
        &key.calculator,
        &key.fingerprint.0,
    ])?;
    while let Some(row) = rows.next()? {
        if let Some(result) = read(row)?.whole()
            && key.is_crystal_of(&result.structure)
        {
            return Ok(Some(result.outcome));
        }
    }
    Ok(None)
}
