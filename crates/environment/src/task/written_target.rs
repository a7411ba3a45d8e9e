//! A target as it is written: a number, a range, or nothing.

use std::fmt;

use crystalgym_evaluation::Property;
use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{self, SeqAccess, Visitor},
};

use crate::{Difficulty, EnvironmentError, error::invalid_task, published_target};

/// The property of a task that says nothing of its objective.
pub(super) const DEFAULT_PROPERTY: Property = Property::Density;

/// Target and tolerance: a range is its middle with half its width; without a target that of the
/// property that was published first.
///
/// # Errors
/// [`EnvironmentError::InvalidTask`] for a target without a property, a property without a target
/// where none was published, a range that is none or that has a tolerance beside it.
pub(super) fn aim(
    property: Option<Property>,
    target: Option<WrittenTarget>,
    tolerance: Option<f64>,
) -> Result<(f64, f64), EnvironmentError> {
    let missing = |message: String| Err(invalid_task("target", message));
    match (property, target) {
        (None, None) => aim(Some(DEFAULT_PROPERTY), None, tolerance),
        (Some(property), None) => match published_target(property, Difficulty::Easy) {
            Some(target) => Ok((target, tolerance.unwrap_or(0.0))),
            None => missing(format!(
                "target is missing: none was published for {property}, expected a number in {}",
                property.unit()
            )),
        },
        (None, Some(target)) => missing(format!(
            "target is {target} without a property: expected property beside it, one of {}",
            Property::ALL.map(Property::name).join(", ")
        )),
        (Some(_), Some(WrittenTarget::Value(target))) => Ok((target, tolerance.unwrap_or(0.0))),
        (Some(property), Some(target @ WrittenTarget::Range(low, high))) => {
            if tolerance.is_some() {
                return missing(format!(
                    "target is the range {target} and tolerance is given too, expected one of them"
                ));
            }
            let least = match property.facts().targets[0] < 0.0 {
                true => f64::MIN,
                false => 0.0,
            };
            if !(low < high && low >= least && high.is_finite()) {
                let from = if least < 0.0 { "" } else { " from 0 up" };
                return missing(format!(
                    "target is the range {target}, expected a lower and a higher number{from}"
                ));
            }
            let middle = 0.5 * (low + high);
            // Both ends are within, whatever was rounded.
            Ok((middle, (high - middle).max(middle - low)))
        }
    }
}

/// A number, `[1.4, 1.6]` or `"1.4..1.6"`.
#[derive(Debug, Clone, Copy)]
pub(super) enum WrittenTarget {
    Value(f64),
    Range(f64, f64),
}

impl fmt::Display for WrittenTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Value(value) => write!(f, "{value}"),
            Self::Range(low, high) => write!(f, "{low}..{high}"),
        }
    }
}

impl<'de> Deserialize<'de> for WrittenTarget {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TargetVisitor)
    }
}

impl Serialize for WrittenTarget {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Value(value) => value.serialize(serializer),
            Self::Range(low, high) => [low, high].serialize(serializer),
        }
    }
}

struct TargetVisitor;

impl<'de> Visitor<'de> for TargetVisitor {
    type Value = WrittenTarget;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number, or a range such as [1.4, 1.6] or \"1.4..1.6\"")
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<WrittenTarget, E> {
        Ok(WrittenTarget::Value(value))
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<WrittenTarget, E> {
        Ok(WrittenTarget::Value(value as f64))
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<WrittenTarget, E> {
        Ok(WrittenTarget::Value(value as f64))
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<WrittenTarget, E> {
        let ends = text
            .split_once("..")
            .and_then(|(low, high)| Some((low.trim().parse().ok()?, high.trim().parse().ok()?)));
        match ends {
            Some((low, high)) => Ok(WrittenTarget::Range(low, high)),
            None => Err(E::invalid_value(de::Unexpected::Str(text), &self)),
        }
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<WrittenTarget, A::Error> {
        let mut ends: Vec<f64> = Vec::new();
        while let Some(end) = sequence.next_element()? {
            ends.push(end);
        }
        match ends.as_slice() {
            [low, high] => Ok(WrittenTarget::Range(*low, *high)),
            other => Err(de::Error::invalid_length(other.len(), &self)),
        }
    }
}
