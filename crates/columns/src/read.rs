//! Reads a parquet file whole.

use std::{
    collections::BTreeMap,
    panic::{AssertUnwindSafe, catch_unwind},
};

use bytes::Bytes;
use parquet::{
    file::{reader::FileReader, serialized_reader::SerializedFileReader},
    record::{Field as Value, ListAccessor as _, Row},
};

use crate::{Cell, ColumnsError, pages::check_pages};

/// Rows that a file may say it has.
const MOST_ROWS: i64 = 10_000_000;

/// What a file may take in memory: this much, in bytes, …
const BUDGET_OF_ANY: u64 = 64 << 20;
/// … and this many bytes for each of its own. Tables of results need 20 to 40.
const BUDGET_OF_A_BYTE: u64 = 64;

/// A parquet file that was read.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Columns {
    /// Its keys with their texts.
    pub metadata: BTreeMap<String, String>,
    /// Names of the columns, in order.
    pub names: Vec<String>,
    /// The cells of each row, in the order of the names.
    pub rows: Vec<Vec<Cell>>,
}

/// Reads a parquet file of texts, doubles, 32-bit integers and lists of these, as long as it takes
/// no more than 64 MiB and 64 times its own size.
///
/// # Errors
/// [`ColumnsError`] for what is no such file, whatever was done to it.
pub fn read_columns(data: Bytes) -> Result<Columns, ColumnsError> {
    // The reader is made for files of friends: a length that lies may make it panic.
    catch_unwind(AssertUnwindSafe(|| read(data)))
        .unwrap_or_else(|_| Err(ColumnsError::Unexpected("the file is damaged".to_owned())))
}

fn read(data: Bytes) -> Result<Columns, ColumnsError> {
    let budget = BUDGET_OF_ANY + BUDGET_OF_A_BYTE * data.len() as u64;
    let reader = SerializedFileReader::new(data.clone())?;
    check_pages(&data, reader.metadata(), budget)?;
    let file = reader.metadata().file_metadata();
    let rows = file.num_rows();
    if !(0..=MOST_ROWS).contains(&rows) {
        let message = format!("it has {rows} rows, expected at most {MOST_ROWS}");
        return Err(ColumnsError::Unexpected(message));
    }
    let metadata = file.key_value_metadata().into_iter().flatten();
    let metadata = metadata.map(|pair| (pair.key.clone(), pair.value.clone().unwrap_or_default()));
    let columns = file.schema_descr().root_schema().get_fields();
    let mut read = Columns {
        metadata: metadata.collect(),
        names: columns
            .iter()
            .map(|field| field.name().to_owned())
            .collect(),
        rows: Vec::new(),
    };
    let mut taken: u64 = 0;
    for row in reader.get_row_iter(None)? {
        let row = cells(row?)?;
        taken += size_of::<Vec<Cell>>() as u64 + row.iter().map(bytes_of).sum::<u64>();
        if taken > budget {
            let message = format!("it takes more than {budget} bytes of memory");
            return Err(ColumnsError::Unexpected(message));
        }
        read.rows.push(row);
    }
    Ok(read)
}

fn bytes_of(cell: &Cell) -> u64 {
    let beside = match cell {
        Cell::Missing | Cell::Number(_) | Cell::Integer(_) => 0,
        Cell::Text(text) => text.len(),
        Cell::Numbers(numbers) => size_of_val(numbers.as_slice()),
        Cell::Integers(integers) => size_of_val(integers.as_slice()),
    };
    (size_of::<Cell>() + beside) as u64
}

fn cells(row: Row) -> Result<Vec<Cell>, ColumnsError> {
    let columns = row.into_columns().into_iter();
    columns
        .map(|(name, value)| {
            let unexpected = || {
                ColumnsError::Unexpected(format!("column {name} is of a kind that is not known"))
            };
            Ok(match value {
                Value::Null => Cell::Missing,
                Value::Str(text) => Cell::Text(text),
                Value::Double(number) => Cell::Number(number),
                Value::Int(integer) => Cell::Integer(integer),
                Value::ListInternal(list) => {
                    let places = 0..list.len();
                    let numbers: Result<Vec<f64>, _> =
                        places.clone().map(|i| list.get_double(i)).collect();
                    match numbers {
                        Ok(numbers) if !numbers.is_empty() => Cell::Numbers(numbers),
                        _ => {
                            let integers: Result<Vec<i32>, _> =
                                places.map(|i| list.get_int(i)).collect();
                            Cell::Integers(integers.map_err(|_| unexpected())?)
                        }
                    }
                }
                _ => return Err(unexpected()),
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{ColumnWriter, Field, Kind};

    fn written() -> Vec<u8> {
        let fields = [
            ("text", Kind::Text),
            ("number", Kind::Number),
            ("integer", Kind::Integer),
            ("numbers", Kind::Numbers),
        ];
        let fields = fields.map(|(name, kind)| Field { name, kind });
        let mut out = Vec::new();
        let metadata = [("key".to_owned(), "its text".to_owned())];
        let mut writer = ColumnWriter::new(&mut out, "a test", fields.to_vec(), metadata).unwrap();
        writer.write_group(column).unwrap();
        writer.close().unwrap();
        out
    }

    fn column(place: usize) -> Vec<Cell> {
        match place {
            0 => vec![
                Cell::Text("a".into()),
                Cell::Missing,
                Cell::Text("é".into()),
            ],
            1 => vec![Cell::Number(0.1), Cell::Number(-0.0), Cell::Missing],
            2 => vec![Cell::Missing, Cell::Integer(-7), Cell::Integer(i32::MAX)],
            _ => vec![
                Cell::Numbers(vec![1.5, 2.5]),
                Cell::Numbers(vec![3.5]),
                Cell::Integers(Vec::new()),
            ],
        }
    }

    /// What is written reads back to the last bit.
    #[test]
    fn a_file_reads_back_to_itself() {
        let read = read_columns(written().into()).unwrap();
        assert_eq!(read.names, ["text", "number", "integer", "numbers"]);
        assert_eq!(read.metadata["key"], "its text");
        assert_eq!(read.rows.len(), 3);
        for place in 0..4 {
            let found: Vec<Cell> = read.rows.iter().map(|row| row[place].clone()).collect();
            assert_eq!(found, column(place));
        }
        assert!(read_columns(Bytes::from_static(b"PAR1 no more PAR1")).is_err());
    }

    /// A text that stands once in the file and is meant by all rows.
    #[test]
    fn a_small_file_does_not_fill_the_memory() {
        let long = "x".repeat(100_000);
        let fields = [Field {
            name: "text",
            kind: Kind::Text,
        }];
        for (rows, expected) in [(100, true), (3000, false)] {
            let mut out = Vec::new();
            let mut writer = ColumnWriter::new(&mut out, "a test", fields.to_vec(), []).unwrap();
            writer
                .write_group(|_| vec![Cell::Text(long.clone()); rows])
                .unwrap();
            writer.close().unwrap();
            assert!(out.len() < 1 << 18, "{}", out.len());
            match read_columns(out.into()) {
                Ok(read) => assert!(expected && read.rows.len() == rows),
                Err(error) => {
                    assert!(!expected);
                    assert!(error.to_string().contains("bytes"), "{error}");
                }
            }
        }
    }

    proptest! {
        /// Whatever is done to a byte, reading ends with cells or an error.
        #[test]
        fn damage_is_no_crash(place in 0usize..600, byte in any::<u8>()) {
            let mut data = written();
            let place = place % data.len();
            data[place] = byte;
            let _ = read_columns(data.into());
        }
    }
}
