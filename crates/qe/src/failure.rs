//! A pw.x run that gave no result.

use crate::{PwFailureKind, PwOutput};

/// A pw.x run that gave no result.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{message}")]
pub struct PwFailure {
    /// Why.
    pub kind: PwFailureKind,
    /// What happened, for a person.
    pub message: String,
    /// What the run printed until then.
    pub output: Box<PwOutput>,
    /// Wall time in seconds.
    pub seconds: f64,
}

impl PwFailure {
    pub(crate) fn new(kind: PwFailureKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            output: Box::default(),
            seconds: 0.0,
        }
    }
}
