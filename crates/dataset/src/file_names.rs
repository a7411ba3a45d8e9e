//! Names of the files of a data set.

pub(crate) const TABLE: &str = "results.parquet";
pub(crate) const STRUCTURES: &str = "structures.extxyz";
pub(crate) const CARD: &str = "README.md";
pub(crate) const CHECKSUMS: &str = "SHA256SUMS";
