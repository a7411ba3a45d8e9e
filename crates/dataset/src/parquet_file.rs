//! The table of results as a parquet file.

use std::io::Write;

use crystalgym_columns::{Cell, ColumnWriter, Field};
use crystalgym_evaluation::StoredResult;

use crate::{COLUMNS, DatasetError, columns::Row};

/// Rows that are held in columns at a time.
const ROWS_IN_GROUP: usize = 16_384;

/// Writes results as one parquet table (Snappy, row groups of 16384) with the columns of [`COLUMNS`].
///
/// # Errors
/// [`DatasetError::Columns`], or [`DatasetError::Result`] for a result without a structure.
pub fn write_parquet(results: &[StoredResult], out: impl Write + Send) -> Result<(), DatasetError> {
    let version = format!("crystalgym {}", env!("CARGO_PKG_VERSION"));
    let fields = COLUMNS.iter().map(|column| Field {
        name: column.name,
        kind: column.kind,
    });
    let meanings = COLUMNS
        .iter()
        .map(|column| (column.name.to_owned(), column.meaning.to_owned()));
    let mut writer = ColumnWriter::new(out, &version, fields.collect(), meanings)?;
    for results in results.chunks(ROWS_IN_GROUP) {
        let rows = results.iter().map(Row::of).collect::<Result<Vec<_>, _>>()?;
        writer.write_group(|place| {
            let column = &COLUMNS[place];
            rows.iter()
                .map(|row| column.cell(row))
                .collect::<Vec<Cell>>()
        })?;
    }
    writer.close()?;
    Ok(())
}
