//! Writes columns as a parquet file.

use std::{fmt::Write as _, io::Write, sync::Arc};

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

use crate::{Cell, ColumnsError, Field, Kind};

/// Writes a parquet file (Snappy), one group of rows at a time.
pub struct ColumnWriter<'a, W: Write + Send> {
    fields: Vec<Field<'a>>,
    writer: SerializedFileWriter<W>,
}

impl<'a, W: Write + Send> ColumnWriter<'a, W> {
    /// A file with these columns; `metadata` are its keys with their texts.
    ///
    /// # Errors
    /// [`ColumnsError::Parquet`].
    pub fn new(
        out: W,
        created_by: &str,
        fields: Vec<Field<'a>>,
        metadata: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, ColumnsError> {
        let schema = Arc::new(parse_message_type(&schema_text(&fields))?);
        let metadata = metadata.into_iter();
        let metadata = metadata.map(|(key, text)| KeyValue::new(key, text));
        let properties = WriterProperties::builder()
            .set_compression(Compression::SNAPPY)
            .set_created_by(created_by.to_owned())
            .set_key_value_metadata(Some(metadata.collect()))
            .build();
        let writer = SerializedFileWriter::new(out, schema, Arc::new(properties))?;
        Ok(Self { fields, writer })
    }

    /// Writes a group of rows: `cells` gives those of a column by its place.
    ///
    /// # Errors
    /// [`ColumnsError::Parquet`], also for cells of another kind than their column.
    pub fn write_group(
        &mut self,
        mut cells: impl FnMut(usize) -> Vec<Cell>,
    ) -> Result<(), ColumnsError> {
        let mut group = self.writer.next_row_group()?;
        for (place, field) in self.fields.iter().enumerate() {
            let Some(mut out) = group.next_column()? else {
                return Err(ParquetError::General("a column is missing".to_owned()).into());
            };
            write_column(&mut out, field.kind, cells(place))?;
            out.close()?;
        }
        group.close()?;
        Ok(())
    }

    /// Ends the file.
    ///
    /// # Errors
    /// [`ColumnsError::Parquet`].
    pub fn close(self) -> Result<(), ColumnsError> {
        self.writer.close()?;
        Ok(())
    }
}

/// Single values may be missing; lists and what is in them never are.
fn schema_text(fields: &[Field<'_>]) -> String {
    let mut text = String::from("message result {\n");
    for Field { name, kind } in fields {
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
    kind: Kind,
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
    match kind {
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
