//! The store of results as a data set that others can read and cite.
//!
//! [`write_parquet`] puts all results into one table, failures included; [`write_dataset`] adds the
//! structures as extxyz, a data card and checksums.

mod card;
mod columns;
mod error;
mod file_names;
mod folder;
mod parquet_file;

pub use card::DatasetDescription;
pub use columns::{COLUMNS, Column};
pub use crystalgym_columns::{Cell, Kind};
pub use error::DatasetError;
pub use folder::write_dataset;
pub use parquet_file::write_parquet;
