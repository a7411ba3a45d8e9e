//! Objectives of several terms as configurations write them.

use crystalgym_evaluation::Property;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

use super::written_target::{WrittenTarget, aim};
use crate::{
    EnvironmentError,
    error::invalid_task,
    terms::{Aim, Combination, Term, Terms},
};

/// `task.objective`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenTerms {
    #[serde(default)]
    combination: Combination,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    skip_below: Option<f64>,
    #[serde(default)]
    terms: Vec<WrittenTerm>,
}

/// A property with a target (and a tolerance), a bound or two, or a direction; without any of them
/// the target that was published for it.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenTerm {
    property: Property,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    target: Option<WrittenTarget>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tolerance: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    at_most: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    at_least: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    direction: Option<Direction>,
    #[serde(default = "one")]
    weight: f64,
}

/// Where a property should go.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Direction {
    Minimise,
    Maximise,
}

fn one() -> f64 {
    1.0
}

impl TryFrom<WrittenTerm> for Term {
    type Error = EnvironmentError;

    fn try_from(term: WrittenTerm) -> Result<Self, EnvironmentError> {
        let property = term.property;
        let refused = |message: String| Err(invalid_task("objective", message));
        let has_target = term.target.is_some() || term.tolerance.is_some();
        let has_bound = term.at_most.is_some() || term.at_least.is_some();
        let kinds = [has_target, has_bound, term.direction.is_some()];
        if kinds.into_iter().filter(|given| *given).count() > 1 {
            return refused(format!(
                "objective: {property} has more than one of a target, bounds and a direction, expected one"
            ));
        }
        let aim = match (term.at_least, term.at_most, term.direction) {
            (Some(low), Some(high), _) if low > high => {
                return refused(format!(
                    "objective: {property} is to be at least {low} and at most {high}, expected bounds \
                     that a value can keep"
                ));
            }
            (Some(low), Some(high), _) => {
                let target = 0.5 * (low + high);
                let tolerance = (high - target).max(target - low);
                Aim::Target { target, tolerance }
            }
            (Some(low), None, _) => Aim::AtLeast(low),
            (None, Some(high), _) => Aim::AtMost(high),
            (None, None, Some(Direction::Minimise)) => Aim::Minimise,
            (None, None, Some(Direction::Maximise)) => Aim::Maximise,
            (None, None, None) => {
                let (target, tolerance) = aim(Some(property), term.target, term.tolerance)?;
                Aim::Target { target, tolerance }
            }
        };
        Ok(Self {
            property,
            aim,
            weight: term.weight,
        })
    }
}

impl From<&Term> for WrittenTerm {
    fn from(term: &Term) -> Self {
        let mut written = Self {
            property: term.property,
            target: None,
            tolerance: None,
            at_most: None,
            at_least: None,
            direction: None,
            weight: term.weight,
        };
        match term.aim {
            Aim::Target { target, tolerance } => {
                written.target = Some(WrittenTarget::Value(target));
                written.tolerance = (tolerance > 0.0).then_some(tolerance);
            }
            Aim::AtMost(bound) => written.at_most = Some(bound),
            Aim::AtLeast(bound) => written.at_least = Some(bound),
            Aim::Minimise => written.direction = Some(Direction::Minimise),
            Aim::Maximise => written.direction = Some(Direction::Maximise),
        }
        written
    }
}

impl<'de> Deserialize<'de> for Terms {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let written = WrittenTerms::deserialize(deserializer)?;
        let terms = written.terms.into_iter().map(Term::try_from);
        let terms = terms.collect::<Result<_, _>>().map_err(D::Error::custom)?;
        Self::new(terms, written.combination, written.skip_below).map_err(D::Error::custom)
    }
}

impl Serialize for Terms {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let written = WrittenTerms {
            combination: self.combination(),
            skip_below: self.skip_below(),
            terms: self.terms().iter().map(WrittenTerm::from).collect(),
        };
        written.serialize(serializer)
    }
}
