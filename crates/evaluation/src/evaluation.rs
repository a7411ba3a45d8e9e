//! An outcome and how it was come by.

use crate::{Outcome, Source};

/// An outcome and how it was come by.
#[derive(Debug, Clone, PartialEq)]
pub struct Evaluation {
    /// What came of it.
    pub outcome: Outcome,
    /// Where it came from.
    pub source: Source,
    /// Why the store could not be read or written, if so; the outcome holds all the same.
    pub store_error: Option<String>,
}
