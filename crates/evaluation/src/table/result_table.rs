//! A table in memory, and its parquet file.

use std::{
    collections::{BTreeMap, HashMap},
    path::Path,
};

use crystalgym_columns::{Cell, ColumnWriter, Field, read_columns};
use crystalgym_crystal::{Crystal, Element, Skeleton, read_bytes};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::{
    description::{TableDescription, TableSkeleton},
    error::TableFileError,
    fingerprints::Fingerprints,
    row::{SUCCESS, TABLE_COLUMNS, TableRow},
    shipped::{SHIPPED_TABLES, ShippedTable},
};
use crate::{Calculator, Fingerprint, Outcome, Property};

/// The key of the file's metadata that holds the description.
const DESCRIPTION: &str = "crystalgym.table";

/// What a table was made of.
#[derive(Clone, Copy)]
pub struct TableSource<'a> {
    /// The skeleton.
    pub skeleton: &'a Skeleton,
    /// The elements, in the order of the action set.
    pub elements: &'a [Element],
    /// What was computed.
    pub property: Property,
    /// The settings of the calculator, as it describes them in files.
    pub settings: &'a Value,
    /// The calculator.
    pub calculator: &'a dyn Calculator,
    /// Number of different fillings.
    pub fillings: usize,
}

/// What every filling of a skeleton with some elements came to.
#[derive(Debug, Clone, PartialEq)]
pub struct ResultTable {
    /// Where it was read from.
    name: String,
    description: TableDescription,
    rows: Vec<TableRow>,
    /// Which fingerprint each row has.
    fingerprints: Vec<usize>,
    places: HashMap<Vec<Element>, usize>,
}

impl ResultTable {
    /// A table that was computed: rows in the order of their elements.
    ///
    /// # Errors
    /// [`TableFileError::Content`] for a row whose fingerprint cannot be kept.
    pub fn new(
        name: &str,
        source: &TableSource<'_>,
        rows: Vec<TableRow>,
    ) -> Result<Self, TableFileError> {
        let &TableSource {
            skeleton,
            elements,
            property,
            settings,
            calculator,
            fillings,
        } = source;
        let mut known = Fingerprints::of_all(&calculator.fingerprint(elements, property));
        let of_none = known.add(&calculator.fingerprint(&[], property), &[]);
        known.of_none = of_none.unwrap_or(known.of_all);
        let mut counts: BTreeMap<String, usize> = BTreeMap::new();
        let mut fingerprints = Vec::with_capacity(rows.len());
        for row in &rows {
            let own = calculator.fingerprint(&row.elements, property);
            let place = known.add(&own, &row.elements);
            fingerprints.push(place.ok_or_else(|| TableFileError::Content {
                name: name.to_owned(),
                message: format!("the fingerprint {} cannot be taken apart", own.0),
            })?);
            let outcome = match &row.outcome {
                Outcome::Success(_) => SUCCESS,
                Outcome::Failure(failure) => failure.code.name(),
            };
            *counts.entry(outcome.to_owned()).or_default() += 1;
        }
        let description = TableDescription {
            format: TableDescription::FORMAT.to_owned(),
            crystalgym_version: env!("CARGO_PKG_VERSION").to_owned(),
            skeleton: TableSkeleton::of(skeleton),
            elements: elements.to_vec(),
            property,
            unit: property.unit().to_owned(),
            calculator_name: calculator.name().to_owned(),
            calculator: settings.clone(),
            keeps_the_cell: calculator.keeps_the_cell(),
            fingerprints: known,
            fillings,
            counts,
            rows_sha256: rows_sha256(&rows, &fingerprints),
        };
        Ok(Self::of(name, description, rows, fingerprints))
    }

    fn of(
        name: &str,
        description: TableDescription,
        rows: Vec<TableRow>,
        fingerprints: Vec<usize>,
    ) -> Self {
        let places = rows.iter().enumerate();
        let places = places.map(|(place, row)| (row.elements.clone(), place));
        Self {
            name: name.to_owned(),
            places: places.collect(),
            description,
            rows,
            fingerprints,
        }
    }

    /// A table that comes with the program, by its name, or a file.
    ///
    /// # Errors
    /// [`TableFileError`] for what is no table of ours, or one that was changed.
    pub fn open(name_or_file: &str) -> Result<Self, TableFileError> {
        if let Some(shipped) = ShippedTable::named(name_or_file) {
            return Self::from_bytes(name_or_file, shipped.data.to_vec());
        }
        let data = read_bytes(Path::new(name_or_file)).map_err(|source| {
            let is_missing = source.kind() == std::io::ErrorKind::NotFound;
            match is_missing && !name_or_file.contains(['/', '.']) {
                true => TableFileError::Content {
                    name: name_or_file.to_owned(),
                    message: format!(
                        "there is none of this name: expected a file, or {}",
                        names()
                    ),
                },
                false => TableFileError::Io {
                    path: name_or_file.into(),
                    source,
                },
            }
        })?;
        Self::from_bytes(name_or_file, data)
    }

    /// Reads the bytes of a file, whose name is for messages.
    ///
    /// # Errors
    /// [`TableFileError`] for what is no table of ours, or one that was changed.
    pub fn from_bytes(name: &str, data: Vec<u8>) -> Result<Self, TableFileError> {
        let read = read_columns(data.into()).map_err(|source| TableFileError::Columns {
            name: name.to_owned(),
            source,
        })?;
        let refuse = |message: String| TableFileError::Content {
            name: name.to_owned(),
            message,
        };
        let Some(text) = read.metadata.get(DESCRIPTION) else {
            return Err(refuse(format!(
                "the file does not describe itself: expected {DESCRIPTION} in its metadata, as \
                 `crystalgym table export` writes it"
            )));
        };
        let description: TableDescription = serde_json::from_str(text)
            .map_err(|error| refuse(format!("its description cannot be read: {error}")))?;
        let format = &description.format;
        if format != TableDescription::FORMAT {
            let expected = TableDescription::FORMAT;
            return Err(refuse(format!(
                "its format is {format:?}, expected {expected:?}"
            )));
        }
        let expected = TABLE_COLUMNS.iter().map(|column| column.name);
        if !read.names.iter().map(String::as_str).eq(expected) {
            return Err(refuse("its columns are not those of a table".to_owned()));
        }
        let (mut rows, mut fingerprints) = (Vec::new(), Vec::new());
        for (number, cells) in read.rows.into_iter().enumerate() {
            let (row, fingerprint) = TableRow::of_cells(cells)
                .map_err(|message| refuse(format!("row {number}: {message}")))?;
            let sites = description.skeleton.frac_coords.len();
            if row.elements.len() != sites {
                let found = row.elements.len();
                let message = format!("row {number} has {found} elements, expected {sites}");
                return Err(refuse(message));
            }
            rows.push(row);
            fingerprints.push(fingerprint);
        }
        if rows_sha256(&rows, &fingerprints) != description.rows_sha256 {
            let message = "its rows are not those that were written: the checksum differs";
            return Err(refuse(message.to_owned()));
        }
        Ok(Self::of(name, description, rows, fingerprints))
    }

    /// The table as a parquet file.
    ///
    /// # Errors
    /// [`TableFileError`] if it cannot be written.
    pub fn to_bytes(&self) -> Result<Vec<u8>, TableFileError> {
        let refuse = |message: String| TableFileError::Content {
            name: self.name.clone(),
            message,
        };
        let description =
            serde_json::to_string(&self.description).map_err(|error| refuse(error.to_string()))?;
        let fields = TABLE_COLUMNS.iter().map(|column| Field {
            name: column.name,
            kind: column.kind,
        });
        let meanings = TABLE_COLUMNS
            .iter()
            .map(|column| (column.name.to_owned(), column.meaning.to_owned()));
        let metadata = [(DESCRIPTION.to_owned(), description)];
        let mut columns: Vec<Vec<Cell>> = vec![Vec::new(); TABLE_COLUMNS.len()];
        for (row, &fingerprint) in self.rows.iter().zip(&self.fingerprints) {
            for (column, cell) in columns.iter_mut().zip(row.cells(fingerprint)) {
                column.push(cell);
            }
        }
        let mut out = Vec::new();
        let version = format!("crystalgym {}", env!("CARGO_PKG_VERSION"));
        let metadata = metadata.into_iter().chain(meanings);
        ColumnWriter::new(&mut out, &version, fields.collect(), metadata)
            .and_then(|mut writer| {
                writer.write_group(|place| std::mem::take(&mut columns[place]))?;
                writer.close()
            })
            .map_err(|source| TableFileError::Columns {
                name: self.name.clone(),
                source,
            })?;
        Ok(out)
    }

    /// Its name or its file.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What it says of itself.
    pub fn description(&self) -> &TableDescription {
        &self.description
    }

    /// What every filling came to, in the order of their atomic numbers.
    pub fn rows(&self) -> &[TableRow] {
        &self.rows
    }

    /// Whether it has a row for every filling.
    pub fn is_whole(&self) -> bool {
        self.rows.len() == self.description.fillings
    }

    /// The row of a filling; `None` of another skeleton, or one that is not there.
    pub fn row(&self, crystal: &Crystal) -> Option<&TableRow> {
        if !self.description.skeleton.is_that_of(crystal.skeleton()) {
            return None;
        }
        self.row_of(crystal.elements())
            .or_else(|| self.row_of(crystal.canonical().elements()))
    }

    /// The row of a filling in its canonical order.
    pub fn row_of(&self, canonical: &[Element]) -> Option<&TableRow> {
        Some(&self.rows[*self.places.get(canonical)?])
    }

    /// The fingerprint of the calculator that made the table, for some of its elements.
    pub fn fingerprint(&self, elements: &[Element]) -> Option<Fingerprint> {
        let known = &self.description.fingerprints;
        let mut distinct = elements.to_vec();
        distinct.sort_unstable();
        distinct.dedup();
        let mut template = known.of_all;
        if distinct.is_empty() {
            template = known.of_none;
        } else if known.templates.len() > 1 && distinct != sorted(&self.description.elements) {
            // That of a row with these elements.
            let has_them = |row: &TableRow| sorted(&row.elements) == distinct;
            let place = self.rows.iter().position(has_them);
            template = place.map_or(template, |place| self.fingerprints[place]);
        }
        known.together(template, &distinct)
    }
}

fn sorted(elements: &[Element]) -> Vec<Element> {
    let mut elements = elements.to_vec();
    elements.sort_unstable();
    elements.dedup();
    elements
}

/// Names of the tables that come with the program, for messages.
fn names() -> String {
    let names: Vec<&str> = SHIPPED_TABLES.iter().map(|table| table.name).collect();
    match names.is_empty() {
        true => "no table comes with this version".to_owned(),
        false => names.join(", "),
    }
}

/// SHA-256 of all rows, wall times aside.
fn rows_sha256(rows: &[TableRow], fingerprints: &[usize]) -> String {
    let mut sum = Sha256::new();
    for (row, &fingerprint) in rows.iter().zip(fingerprints) {
        let mut row = row.clone();
        match &mut row.outcome {
            Outcome::Success(values) => values.seconds = 0.0,
            Outcome::Failure(failure) => failure.seconds = 0.0,
        }
        for cell in row.cells(fingerprint) {
            // The kind and the length keep neighbours apart.
            match cell {
                Cell::Text(text) => {
                    sum.update([1]);
                    sum.update((text.len() as u64).to_le_bytes());
                    sum.update(text);
                }
                Cell::Number(number) => {
                    sum.update([2]);
                    sum.update(number.to_bits().to_le_bytes());
                }
                Cell::Integer(integer) => {
                    sum.update([3]);
                    sum.update(integer.to_le_bytes());
                }
                Cell::Missing | Cell::Numbers(_) | Cell::Integers(_) => sum.update([0]),
            }
        }
    }
    let digest = sum.finalize();
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}
