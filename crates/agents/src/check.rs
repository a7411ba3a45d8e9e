//! Settings that no agent can have, and numbers that no saved state can.

use std::{fmt::Display, ops::RangeInclusive};

use crate::AgentError;

type Fields<'a, T> = &'a [(&'static str, T)];

/// Environment steps of a run.
pub(crate) const TOTAL_STEPS: RangeInclusive<u64> = 1..=10_000_000_000;
/// What is counted in environment steps.
pub(crate) const STEPS: RangeInclusive<u64> = 1..=1_000_000_000_000_000;
/// Environments side by side.
pub(crate) const ENVIRONMENTS: RangeInclusive<u64> = 1..=4096;
/// Episodes whose rewards may be missing.
pub(crate) const IN_FLIGHT: RangeInclusive<u64> = 0..=65_536;
/// Threads of a network.
pub(crate) const THREADS: RangeInclusive<u64> = 1..=256;
/// States that a network sees at once.
pub(crate) const BATCH: RangeInclusive<u64> = 1..=16_384;
/// Transitions in a replay buffer.
pub(crate) const REPLAY: RangeInclusive<u64> = 1..=10_000_000;
/// Steps of a return: more than any episode has.
pub(crate) const N_STEP: RangeInclusive<u64> = 1..=65_536;
/// Passes over the same data, gradient steps at a time, copies of an episode.
pub(crate) const REPEATS: RangeInclusive<u64> = 1..=10_000;

/// # Errors
/// [`AgentError::Config`] names the first field outside of its range.
pub(crate) fn counts(fields: Fields<'_, (u64, RangeInclusive<u64>)>) -> Result<(), AgentError> {
    match fields
        .iter()
        .find(|(_, (value, range))| !range.contains(value))
    {
        None => Ok(()),
        Some((field, (value, range))) => {
            let expected = format!("{} to {}", range.start(), range.end());
            Err(bad(field, value, expected))
        }
    }
}

/// # Errors
/// [`AgentError::Config`] names the first field outside of 0 to 1.
pub(crate) fn fractions(fields: Fields<'_, f64>) -> Result<(), AgentError> {
    numbers(fields, 0.0..=1.0)
}

/// # Errors
/// [`AgentError::Config`] names the first field that is no positive number.
pub(crate) fn positive(fields: Fields<'_, f64>) -> Result<(), AgentError> {
    numbers(fields, 1e-30..=1e6)
}

/// # Errors
/// [`AgentError::Config`] names the first field that is negative or no number.
pub(crate) fn not_negative(fields: Fields<'_, f64>) -> Result<(), AgentError> {
    numbers(fields, 0.0..=1e6)
}

fn numbers(fields: Fields<'_, f64>, range: RangeInclusive<f64>) -> Result<(), AgentError> {
    match fields.iter().find(|(_, value)| !range.contains(value)) {
        None => Ok(()),
        Some((field, value)) => {
            let expected = format!("a number from {:?} to {:?}", range.start(), range.end());
            Err(bad(field, value, expected))
        }
    }
}

pub(crate) fn bad(
    field: &'static str,
    found: impl Display,
    expected: impl Into<String>,
) -> AgentError {
    AgentError::Config {
        field,
        found: found.to_string(),
        expected: expected.into(),
    }
}

/// Whether all numbers of a saved state are finite and not absurdly large.
pub(crate) fn sane(numbers: impl IntoIterator<Item = f64>) -> bool {
    numbers.into_iter().all(|number| number.abs() <= 1e30)
}
