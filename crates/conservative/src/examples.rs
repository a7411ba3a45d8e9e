//! What a model learns from: crystals with what is known of them.

use std::sync::Arc;

use crystalgym_crystal::{Element, Skeleton};
use serde::{Deserialize, Serialize};

/// What is known of a crystal.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Truth {
    /// The property, in its unit.
    Value(f64),
    /// A calculation failed.
    Failure,
}

/// A crystal with what is known of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Example {
    /// Index of its skeleton: those of the task first, then those of the data.
    pub skeleton: usize,
    /// Element of each site, as an index into the task's, followed by those of the data.
    pub node_types: Box<[u8]>,
    /// What is known.
    pub truth: Truth,
}

/// The crystals of a file.
#[derive(Debug, Clone, Default)]
pub struct Examples {
    /// Skeletons beside those of the task.
    pub skeletons: Vec<Arc<Skeleton>>,
    /// Elements beside those of the task, in the order of the file.
    pub elements: Vec<Element>,
    /// Crystals, in the order of the file.
    pub all: Vec<Example>,
    /// Lines that were left out: of elements that are not asked for, or of formulas that fit none of the task's
    /// skeletons.
    pub left_out: usize,
    /// SHA-256 of the file as it is.
    pub sha256: String,
}
