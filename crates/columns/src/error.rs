use parquet::errors::ParquetError;

/// What can go wrong with a parquet file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ColumnsError {
    /// It could not be written or read.
    #[error("parquet: {0}")]
    Parquet(#[from] ParquetError),
    /// It is not what was expected.
    #[error("{0}")]
    Unexpected(String),
}
