//! Names and numbers as figures show them.

/// A name of an experiment, which comes from a file, without what could lead a path or a reference
/// elsewhere.
pub(super) fn file_safe(name: &str) -> String {
    let safe = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    name.chars()
        .map(|c| if safe(c) { c } else { '_' })
        .collect()
}

/// Four decimals, as in the tables.
pub(super) fn four(value: f64) -> String {
    format!("{value:.4}")
}

pub(super) fn percent(share: f64) -> String {
    format!("{:.1} %", 100.0 * share)
}
