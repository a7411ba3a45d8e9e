//! What is wrong with a CIF, in words.

use crate::{CrystalError, io::fields};

/// A parse error at a line counted from 1.
pub(super) fn parse_error(line: usize, message: impl Into<String>) -> CrystalError {
    fields::parse_error("CIF", line, message)
}

/// The start of a value, for errors: values can be megabytes long.
pub(super) fn shown(text: &str) -> String {
    const LENGTH: usize = 60;
    if text.chars().nth(LENGTH).is_none() {
        return text.to_owned();
    }
    text.chars().take(LENGTH).chain(['…']).collect()
}
