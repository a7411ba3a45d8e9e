//! Numbers of a CIF: with their uncertainty, and how far the true value may lie from the text.

use super::{
    error::{parse_error, shown},
    syntax::Token,
};
use crate::CrystalError;

/// A number as it is written.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Value {
    pub number: f64,
    /// How far the true value may lie away: half a unit of the last decimal, twice the standard
    /// uncertainty, or the distance to a twelfth that the text is the rounding or the start of
    /// (0.33, 0.66, 0.3330).
    pub reach: f64,
}

impl Value {
    pub(super) fn exact(number: f64) -> Self {
        Self { number, reach: 0.0 }
    }

    /// Reads `1.234`, `1.234(5)`, `.5` or `1/3`.
    ///
    /// # Errors
    /// [`CrystalError::Parse`] if it is no finite number; `what` names it.
    pub(super) fn of(token: &Token, what: &str) -> Result<Self, CrystalError> {
        Self::parse(token.text.trim()).ok_or_else(|| {
            let message = format!(
                "{what} is '{}', expected a finite number",
                shown(token.text)
            );
            parse_error(token.line, message)
        })
    }

    fn parse(text: &str) -> Option<Self> {
        let plain = text.replace('\u{2212}', "-");
        let (digits, uncertainty) = match plain.split_once('(') {
            Some((digits, rest)) => (digits, Some(rest.strip_suffix(')').unwrap_or(rest))),
            None => (plain.as_str(), None),
        };
        if let Some((above, below)) = digits.split_once('/') {
            let number = finite(above)? / finite(below)?;
            return number.is_finite().then_some(Self::exact(number));
        }
        let number = finite(digits)?;
        let (mantissa, exponent) = digits.split_once(['e', 'E']).unwrap_or((digits, "0"));
        let decimals = mantissa
            .split_once('.')
            .map_or("", |(_, decimals)| decimals);
        let exponent: i32 = exponent.parse().ok()?;
        let places = decimals.len() as i32 - exponent;
        let unit = 10_f64.powi(-places);
        let mut reach = if decimals.is_empty() { 0.0 } else { 0.5 * unit };
        if exponent == 0 {
            reach = reach.max(distance_to_twelfth(
                number,
                decimals.trim_end_matches('0').len(),
            ));
        }
        match uncertainty {
            None => {}
            Some(digits) if digits.bytes().all(|b| b.is_ascii_digit() || b == b'.') => {
                if let Ok(count) = digits.parse::<f64>() {
                    reach = reach.max(2.0 * count * unit);
                }
            }
            Some(_) => return None,
        }
        Some(Self { number, reach })
    }
}

fn finite(text: &str) -> Option<f64> {
    let numeric = |b: u8| b.is_ascii_digit() || b"+-.eE".contains(&b);
    if !text.bytes().all(numeric) {
        return None;
    }
    text.parse::<f64>().ok().filter(|x| x.is_finite())
}

/// Distance to the nearest twelfth, where `number` is that twelfth rounded or cut to `places` ≥ 2
/// decimals; else 0.
fn distance_to_twelfth(number: f64, places: usize) -> f64 {
    let distance = (number - (number * 12.0).round() / 12.0).abs();
    let unit = 10_f64.powi(-(places.min(300) as i32));
    if places >= 2 && distance < 0.99 * unit {
        distance * 1.001
    } else {
        0.0
    }
}
