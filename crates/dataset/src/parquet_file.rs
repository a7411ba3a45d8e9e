//! The table of results as a parquet file.

use std::{fmt::Write as _, io::Write, sync::Arc};

use crystalgym_evaluation::StoredResult;
use parquet::{
    basic::Compression,
    data_type::{ByteArray, ByteArrayType, DoubleType, Int32Type},
    errors::ParquetError,
    file::{
        metadata::KeyValue,
        properties::WriterProperties,
        writer::{SerializedColumnWriter, SerializedFileWriter},
    },
    schema::parser::parse_message_type,
};

use crate::{COLUMNS, Cell, Column, DatasetError, Kind, columns::Row};

/// Rows that are held in columns at a time.
const ROWS_IN_GROUP: usize = 16_384;

/// Writes results as one parquet table (Snappy, row groups of 16384) with the columns of [`COLUMNS`].
///
/// # Errors
/// [`DatasetError::Parquet`], or [`DatasetError::Result`] for a result without a structure.
pub fn write_parquet(results: &[StoredResult], out: impl Write + Send) -> Result<(), DatasetError> {
    let schema = Arc::new(parse_message_type(&schema_text())?);
    let version = format!("crystalgym {}", env!("CARGO_PKG_VERSION"));
    let meanings = COLUMNS
        .iter()
        .map(|column| KeyValue::new(column.name.to_owned(), column.meaning.to_owned()));
    let properties = WriterProperties::builder()
        .set_compression(Compression::SNAPPY)
        .set_created_by(version)
        .set_key_value_metadata(Some(meanings.collect()))
        .build();
    let mut writer = SerializedFileWriter::new(out, schema, Arc::new(properties))?;
    for results in results.chunks(ROWS_IN_GROUP) {
        let rows = results.iter().map(Row::of).collect::<Result<Vec<_>, _>>()?;
        let mut group = writer.next_row_group()?;
        for column in COLUMNS {
            let Some(mut out) = group.next_column()? else {
                return Err(ParquetError::General("a column is missing".to_owned()).into());
            };
            let cells: Vec<Cell> = rows.iter().map(|row| column.cell(row)).collect();
            write_column(&mut out, column, cells)?;
            out.close()?;
        }
        group.close()?;
    }
    writer.close()?;
    Ok(())
}

/// Single values may be missing; lists and what is in them never are.
fn schema_text() -> String {
    let mut text = String::from("message result {\n");
    for Column { name, kind, .. } in COLUMNS {
        let list = |of: &str| {
            format!(
                "REQUIRED group {name} (LIST) {{ REPEATED group list {{ REQUIRED {of} element; }} }}"
            )
        };
        let field = match kind {
            Kind::Text => format!("OPTIONAL BYTE_ARRAY {name} (STRING);"),
            Kind::Number => format!("OPTIONAL DOUBLE {name};"),
            Kind::Integer => format!("OPTIONAL INT32 {name};"),
            Kind::Numbers => list("DOUBLE"),
            Kind::Integers => list("INT32"),
        };
        let _ = writeln!(text, "{field}");
    }
    text + "}"
}

fn write_column(
    out: &mut SerializedColumnWriter<'_>,
    column: &Column,
    cells: Vec<Cell>,
) -> Result<(), ParquetError> {
    let mut levels = Levels::default();
    let (mut texts, mut numbers, mut integers) = (Vec::new(), Vec::new(), Vec::new());
    for cell in cells {
        match cell {
            Cell::Missing => levels.missing(),
            Cell::Text(text) => {
                levels.single();
                texts.push(ByteArray::from(text.into_bytes()));
            }
            Cell::Number(number) => {
                levels.single();
                numbers.push(number);
            }
            Cell::Integer(integer) => {
                levels.single();
                integers.push(integer);
            }
            Cell::Numbers(list) => {
                levels.list(list.len());
                numbers.extend(list);
            }
            Cell::Integers(list) => {
                levels.list(list.len());
                integers.extend(list);
            }
        }
    }
    let (definition, repetition) = (Some(&levels.definition[..]), &levels.repetition[..]);
    match column.kind {
        Kind::Text => out
            .typed::<ByteArrayType>()
            .write_batch(&texts, definition, None),
        Kind::Number => out
            .typed::<DoubleType>()
            .write_batch(&numbers, definition, None),
        Kind::Integer => out
            .typed::<Int32Type>()
            .write_batch(&integers, definition, None),
        Kind::Numbers => {
            out.typed::<DoubleType>()
                .write_batch(&numbers, definition, Some(repetition))
        }
        Kind::Integers => {
            out.typed::<Int32Type>()
                .write_batch(&integers, definition, Some(repetition))
        }
    }
    .map(|_| ())
}

/// Dremel's levels: whether a value is there, and whether it begins a row.
#[derive(Default)]
struct Levels {
    definition: Vec<i16>,
    repetition: Vec<i16>,
}

impl Levels {
    fn missing(&mut self) {
        self.definition.push(0);
        self.repetition.push(0);
    }

    fn single(&mut self) {
        self.definition.push(1);
        self.repetition.push(0);
    }

    fn list(&mut self, length: usize) {
        if length == 0 {
            return self.missing();
        }
        self.definition.extend(std::iter::repeat_n(1, length));
        self.repetition.push(0);
        self.repetition.extend(std::iter::repeat_n(1, length - 1));
    }
}
