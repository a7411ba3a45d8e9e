//! Settings that no agent can have.

use crate::AgentError;

type Fields<'a, T> = &'a [(&'static str, T)];

/// # Errors
/// [`AgentError::Config`] names the first field that is 0.
pub(crate) fn at_least_one(fields: Fields<'_, u64>) -> Result<(), AgentError> {
    first_bad(fields, |value| *value >= 1, "at least 1")
}

/// # Errors
/// [`AgentError::Config`] names the first field outside of 0 to 1.
pub(crate) fn fractions(fields: Fields<'_, f64>) -> Result<(), AgentError> {
    first_bad(
        fields,
        |value| (0.0..=1.0).contains(value),
        "a number from 0 to 1",
    )
}

/// # Errors
/// [`AgentError::Config`] names the first field that is no positive number.
pub(crate) fn positive(fields: Fields<'_, f64>) -> Result<(), AgentError> {
    first_bad(
        fields,
        |value| value.is_finite() && *value > 0.0,
        "a positive number",
    )
}

/// # Errors
/// [`AgentError::Config`] names the first field that is negative or no number.
pub(crate) fn not_negative(fields: Fields<'_, f64>) -> Result<(), AgentError> {
    first_bad(
        fields,
        |value| value.is_finite() && *value >= 0.0,
        "a number, at least 0",
    )
}

fn first_bad<T: ToString>(
    fields: Fields<'_, T>,
    good: impl Fn(&T) -> bool,
    expected: &'static str,
) -> Result<(), AgentError> {
    match fields.iter().find(|(_, value)| !good(value)) {
        None => Ok(()),
        Some((field, value)) => Err(AgentError::Config {
            field,
            found: value.to_string(),
            expected,
        }),
    }
}
