use std::{
    io::{self, Write},
    str::FromStr,
};

use crystalgym_crystal::{Structure, StructureFormat};
use rusqlite::Row;
use serde::Serialize;

use super::{ResultStore, StoreError};
use crate::{Outcome, Property};

/// A row of the store.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StoredResult {
    /// SHA-256 of all that the outcome depends on.
    pub key: String,
    /// Label of the skeleton.
    pub skeleton: String,
    /// Canonical filling in site order.
    pub elements: String,
    /// Formula.
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
    /// The outcome.
    pub outcome: Outcome,
    /// The crystal as JSON.
    #[serde(skip)]
    pub structure: String,
}

/// A form in which results leave the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExportFormat {
    /// One row a result, the main numbers only.
    Csv,
    /// One JSON object a line, everything.
    JsonLines,
    /// One frame a success, property and energy in the comment line.
    ExtXyz,
}

impl FromStr for ExportFormat {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        match name {
            "csv" => Ok(Self::Csv),
            "jsonl" => Ok(Self::JsonLines),
            "extxyz" => Ok(Self::ExtXyz),
            _ => Err(format!(
                "unknown export format '{name}': expected csv, jsonl or extxyz"
            )),
        }
    }
}

impl ResultStore {
    /// All results in the order of their keys, so that an export does not depend on chance.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`] or [`StoreError::Locked`].
    pub fn results(&self, property: Option<Property>) -> Result<Vec<StoredResult>, StoreError> {
        let connection = self.connection();
        let result = (|| {
            connection
                .prepare(
                    "SELECT key, skeleton, elements, formula, property, calculator, fingerprint, \
                     created, version, outcome, structure FROM results \
                     WHERE ?1 IS NULL OR property = ?1 ORDER BY skeleton, elements, key",
                )?
                .query_map([property.map(Property::name)], read_row)?
                .collect::<Result<Vec<_>, _>>()
        })();
        result.map_err(|source| self.error(source))
    }

    /// Numbers of results as (calculator, property, status or failure code, count).
    ///
    /// # Errors
    /// [`StoreError::Sqlite`] or [`StoreError::Locked`].
    pub fn statistics(&self) -> Result<Vec<(String, String, String, u64)>, StoreError> {
        let connection = self.connection();
        let result =
            (|| {
                connection
                .prepare(
                    "SELECT calculator, property, coalesce(failure, status), count(*) FROM results \
                     GROUP BY 1, 2, 3 ORDER BY 1, 2, 3",
                )?
                .query_map([], |row| {
                    Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get::<_, i64>(3)? as u64))
                })?
                .collect::<Result<Vec<_>, _>>()
            })();
        result.map_err(|source| self.error(source))
    }

    /// SQLite's own verdict on the file: `Ok(())` or the damage that it found.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`] with the damage.
    pub fn check(&self) -> Result<(), StoreError> {
        let verdict: Result<String, _> =
            self.connection()
                .query_row("PRAGMA integrity_check", [], |row| row.get(0));
        match verdict {
            Ok(verdict) if verdict == "ok" => Ok(()),
            Ok(damage) => Err(self.error(rusqlite::Error::ToSqlConversionFailure(damage.into()))),
            Err(source) => Err(self.error(source)),
        }
    }
}

fn read_row(row: &Row<'_>) -> Result<StoredResult, rusqlite::Error> {
    let text: String = row.get(9)?;
    let outcome = serde_json::from_str(&text).map_err(|error| {
        rusqlite::Error::FromSqlConversionFailure(9, rusqlite::types::Type::Text, error.into())
    })?;
    Ok(StoredResult {
        key: row.get(0)?,
        skeleton: row.get(1)?,
        elements: row.get(2)?,
        formula: row.get(3)?,
        property: row.get(4)?,
        calculator: row.get(5)?,
        fingerprint: row.get(6)?,
        created: row.get(7)?,
        version: row.get(8)?,
        outcome,
        structure: row.get(10)?,
    })
}

impl StoredResult {
    /// Writes results in a form of the caller's choice.
    ///
    /// # Errors
    /// [`StoreError::Export`].
    pub fn write_all(
        results: &[Self],
        format: ExportFormat,
        out: &mut dyn Write,
    ) -> Result<(), StoreError> {
        let written = match format {
            ExportFormat::Csv => write_csv(results, out),
            ExportFormat::JsonLines => write_json_lines(results, out),
            ExportFormat::ExtXyz => write_extxyz(results, out),
        };
        written
            .and_then(|()| out.flush())
            .map_err(StoreError::Export)
    }
}

fn write_csv(results: &[StoredResult], out: &mut dyn Write) -> io::Result<()> {
    writeln!(
        out,
        "skeleton,elements,formula,property,value,failure,total_energy_ev,homo_ev,lumo_ev,\
         pressure_gpa,volume_ang3,scf_iterations,seconds,calculator,created,key"
    )?;
    for result in results {
        let show = |x: Option<f64>| x.map_or(String::new(), |x| x.to_string());
        let values = match &result.outcome {
            Outcome::Success(values) => Some(values),
            Outcome::Failure(_) => None,
        };
        let energy = |get: fn(&crate::Values) -> Option<f64>| show(values.and_then(get));
        let failure = result.outcome.failure();
        writeln!(
            out,
            "{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{}",
            quoted(&result.skeleton),
            result.elements,
            result.formula,
            result.property,
            show(result.outcome.value()),
            failure.map_or("", |failure| failure.code.name()),
            energy(|v| v.total_energy_ev),
            energy(|v| v.homo_ev),
            energy(|v| v.lumo_ev),
            energy(|v| v.pressure_gpa),
            show(values.map(|v| v.volume_ang3)),
            values.map_or(failure.map_or(0, |f| f.scf_iterations), |v| v
                .scf_iterations),
            result.outcome.seconds(),
            quoted(&result.calculator),
            result.created,
            result.key,
        )?;
    }
    Ok(())
}

/// A CSV field that may hold anything.
fn quoted(text: &str) -> String {
    if text.contains([',', '"', '\n']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.to_owned()
    }
}

fn write_json_lines(results: &[StoredResult], out: &mut dyn Write) -> io::Result<()> {
    for result in results {
        serde_json::to_writer(&mut *out, result)?;
        writeln!(out)?;
    }
    Ok(())
}

fn write_extxyz(results: &[StoredResult], out: &mut dyn Write) -> io::Result<()> {
    for result in results {
        let Outcome::Success(values) = &result.outcome else {
            continue;
        };
        let structure = Structure::from_text(&result.structure, StructureFormat::Json)
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
        let mut info = vec![
            ("skeleton", result.skeleton.clone()),
            ("calculator", result.calculator.clone()),
            (result.property.as_str(), values.value.to_string()),
        ];
        if let Some(energy) = values.total_energy_ev {
            info.push(("energy", energy.to_string()));
        }
        out.write_all(structure.to_extxyz_with(&info).as_bytes())?;
    }
    Ok(())
}
