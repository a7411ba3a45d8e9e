//! Columns of typed cells as parquet files, with a text for each key of their metadata.

mod cell;
mod error;
mod pages;
mod read;
mod write;

pub use cell::{Cell, Field, Kind};
pub use error::ColumnsError;
pub use read::{Columns, read_columns};
pub use write::ColumnWriter;
