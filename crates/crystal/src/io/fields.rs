//! Fields of a text, numbers and elements, and the error for what is none.

use crate::{CrystalError, Element};

/// A parse error of `format` at a line counted from 1.
pub(super) fn parse_error(
    format: &'static str,
    line: usize,
    message: impl Into<String>,
) -> CrystalError {
    CrystalError::Parse {
        format,
        line,
        message: message.into(),
    }
}

/// A finite number, its exponent written with E or, as Fortran does, with D; `what` names it in the
/// error.
pub(super) fn number(
    format: &'static str,
    line: usize,
    what: &str,
    text: &str,
) -> Result<f64, CrystalError> {
    text.parse::<f64>()
        .or_else(|_| text.replace(['d', 'D'], "e").parse())
        .ok()
        .filter(|x| x.is_finite())
        .ok_or_else(|| {
            parse_error(
                format,
                line,
                format!("{what} is '{text}', expected a finite number"),
            )
        })
}

/// The first three of `fields` as numbers.
pub(super) fn three_numbers(
    format: &'static str,
    line: usize,
    what: &str,
    fields: &[&str],
) -> Result<[f64; 3], CrystalError> {
    let &[x, y, z, ..] = fields else {
        let message = format!("{what} has {} numbers, expected three", fields.len());
        return Err(parse_error(format, line, message));
    };
    Ok([
        number(format, line, what, x)?,
        number(format, line, what, y)?,
        number(format, line, what, z)?,
    ])
}

/// The element named by `text`, which a charge or a label's number may follow (`Na1+`, `O2`).
pub(super) fn element_of(
    format: &'static str,
    line: usize,
    text: &str,
) -> Result<Element, CrystalError> {
    let letters: String = text.chars().take_while(char::is_ascii_alphabetic).collect();
    // Heavy hydrogen has the electrons of hydrogen.
    let symbol = if matches!(letters.as_str(), "D" | "T") {
        "H"
    } else {
        &letters
    };
    symbol.parse().map_err(|_| {
        parse_error(
            format,
            line,
            format!("'{text}' names no element: expected H, He, … Og"),
        )
    })
}
