//! Hidden layers of the head behind a trunk, as configurations say them.

use crate::NetworkError;

/// Widths of so many hidden layers.
///
/// # Errors
/// [`NetworkError::Config`] names the field, `hidden` or `layers`, that is out of its range.
pub(crate) fn hidden_widths(hidden: usize, layers: usize) -> Result<Vec<usize>, NetworkError> {
    for (field, value, most) in [("hidden", hidden, 4096), ("layers", layers, 32)] {
        if !(1..=most).contains(&value) {
            return Err(NetworkError::Config {
                field,
                found: value.to_string(),
                expected: format!("1 to {most}"),
            });
        }
    }
    Ok(vec![hidden; layers])
}
