//! How frozen matrices are held.

use serde::{Deserialize, Serialize};

/// How frozen matrices are held.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Precision {
    /// As the file has them: numbers of 16 or 32 bits, or blocks of GGML.
    #[default]
    AsStored,
    /// Bytes with one scale for each row, unless the file has blocks already.
    EightBit,
    /// Numbers of 32 bits: four times the memory of bytes, and no unpacking.
    Full,
}
