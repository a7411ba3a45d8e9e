//! What the tables answer.

use crate::Outcome;

/// Number of results by calculator, property, and status or failure code.
pub(super) type Count = (String, String, String, u64);

/// What one look at the table of claims gave.
#[derive(Debug)]
pub(super) enum Look {
    Done(Box<Outcome>),
    /// The claim stands in the table.
    Taken,
    Others,
}
