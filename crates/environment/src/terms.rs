//! Objectives of several terms, each a property with what it should be, and their combined reward.

use crystalgym_evaluation::{FailureCode, Outcome, Property, TermOutcome};
use serde::{Deserialize, Serialize};

use crate::{CustomReward, EnvironmentError, Reward, error::invalid_task, target_text};

/// What a crystal without a value of some term earns, however many there are: once.
const FAILURE: f64 = -1.0;
/// What a crystal earns that is in all terms as it should be.
const BEST: f64 = 1.0;

/// Several things that a crystal should be, and how they are combined to one reward.
///
/// Each term says how good a crystal is by a number d from 0 to 1 ([`Term::desirability`]); the reward
/// is their combination, which lies between 0 and 1 as well, or −1 once if any of the calculations
/// failed.
#[derive(Debug, Clone, PartialEq)]
pub struct Terms {
    terms: Vec<Term>,
    combination: Combination,
    skip_below: Option<f64>,
}

/// A property and what it should be.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Term {
    /// The property.
    pub property: Property,
    /// What it should be, in its unit.
    pub aim: Aim,
    /// How much it counts beside the others.
    pub weight: f64,
}

/// What a property should be, in its unit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Aim {
    /// At most `tolerance` away from `target`.
    Target {
        /// The target.
        target: f64,
        /// How far away is as good.
        tolerance: f64,
    },
    /// At most so much.
    AtMost(f64),
    /// At least so much.
    AtLeast(f64),
    /// As low as can be.
    Minimise,
    /// As high as can be.
    Maximise,
}

/// How terms with desirabilities dᵢ and weights wᵢ become one reward; W is the sum of the weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Combination {
    /// `Σ wᵢ dᵢ / W`.
    #[default]
    WeightedSum,
    /// `Π dᵢ^(wᵢ / W)` (Derringer and Suich 1980, equation 3, with weights): nothing makes up for a term
    /// that is missed.
    Product,
    /// `min dᵢ`, without weights.
    Worst,
}

impl Term {
    /// How good a value is, from 0 to 1.
    ///
    /// - For a target it is the property's reward ([`Reward::of`]) of the value, shifted and scaled so
    ///   that the lowest reward of a value is 0 and the best is 1: `exp(−(p − p̂)²)` of gaps and
    ///   energies, `exp(−(p − p̂)² / p̂)` of the density, `max(1 − |p̂ − p| / 5p̂, 0)` of the moduli;
    ///   within the tolerance it is 1, and beyond it falls off with the distance from there.
    /// - For a bound it is 1 on its right side, and on the other the same with the bound as target.
    /// - For a direction it is `1 / (1 + exp(∓(p − c) / s))`, with the typical value s of the property,
    ///   and c = s where the property is positive, 0 where it may have either sign.
    pub fn desirability(&self, value: f64) -> f64 {
        let towards = |target: f64, tolerance: f64| {
            let beyond = ((value - target).abs() - tolerance).max(0.0);
            let shifted = target + beyond.copysign(value - target);
            let reward = Reward::of(self.property);
            let lowest = match reward {
                Reward::RelativeDistance => reward.of_failure(),
                _ => 0.0,
            };
            (reward.of_value(target, shifted) - lowest) / (reward.best() - lowest)
        };
        let rising = || {
            let facts = self.property.facts();
            let scale = facts.typical_value;
            let centre = if facts.targets[0] > 0.0 { scale } else { 0.0 };
            ((centre - value) / scale).exp()
        };
        match self.aim {
            Aim::Target { target, tolerance } => towards(target, tolerance),
            Aim::AtMost(bound) if value > bound => towards(bound, 0.0),
            Aim::AtLeast(bound) if value < bound => towards(bound, 0.0),
            Aim::AtMost(_) | Aim::AtLeast(_) => 1.0,
            Aim::Maximise => 1.0 / (1.0 + rising()),
            Aim::Minimise => 1.0 / (1.0 + 1.0 / rising()),
        }
    }

    /// Whether a value is as it should be: on the right side of a bound, or as near to a target as the
    /// term tolerates, and at least as near as hits it by itself ([`Property::hit_tolerance`]). A
    /// direction is never reached.
    pub fn is_met(&self, value: f64) -> bool {
        match self.aim {
            Aim::Target { target, tolerance } => {
                (value - target).abs() <= tolerance.max(self.property.hit_tolerance(target))
            }
            Aim::AtMost(bound) => value <= bound,
            Aim::AtLeast(bound) => value >= bound,
            Aim::Minimise | Aim::Maximise => false,
        }
    }

    /// By how much a value misses, in the property's unit: 0 where it is as it should be; of a
    /// direction the value itself, its sign turned where more is better. What Pareto fronts minimise.
    pub fn miss(&self, value: f64) -> f64 {
        match self.aim {
            Aim::Target { target, tolerance } => ((value - target).abs() - tolerance).max(0.0),
            Aim::AtMost(bound) => (value - bound).max(0.0),
            Aim::AtLeast(bound) => (bound - value).max(0.0),
            Aim::Minimise => value,
            Aim::Maximise => -value,
        }
    }

    /// The number that the aim is about: the target, the bound, or of a direction the typical value.
    pub fn number(&self) -> f64 {
        match self.aim {
            Aim::Target { target, .. } => target,
            Aim::AtMost(bound) | Aim::AtLeast(bound) => bound,
            Aim::Minimise | Aim::Maximise => self.property.facts().typical_value,
        }
    }

    /// What is aimed at as it is read: `3 g/cm³`, `at most 0.1 eV/atom`, `as high as can be`.
    pub fn aim_text(&self) -> String {
        let unit = self.property.unit();
        match self.aim {
            Aim::Target { target, tolerance } => {
                format!("{} {unit}", target_text(target, tolerance))
            }
            Aim::AtMost(bound) => format!("at most {bound} {unit}"),
            Aim::AtLeast(bound) => format!("at least {bound} {unit}"),
            Aim::Minimise => "as low as can be".to_owned(),
            Aim::Maximise => "as high as can be".to_owned(),
        }
    }

    /// The same about another number; a direction has none.
    #[must_use]
    fn about(self, number: f64) -> Self {
        let aim = match self.aim {
            Aim::Target { tolerance, .. } => Aim::Target {
                target: number,
                tolerance,
            },
            Aim::AtMost(_) => Aim::AtMost(number),
            Aim::AtLeast(_) => Aim::AtLeast(number),
            direction @ (Aim::Minimise | Aim::Maximise) => direction,
        };
        Self { aim, ..self }
    }
}

impl Terms {
    /// Several terms, the first of which is the one whose number networks see and relabelling
    /// changes.
    ///
    /// `skip_below`: once a crystal can earn at most so much, what is not yet computed is left out, and
    /// it earns that most.
    ///
    /// # Errors
    /// [`EnvironmentError::InvalidTask`] for no term, numbers that the property cannot be aimed at,
    /// weights that are none, and bounds that contradict each other.
    pub fn new(
        terms: Vec<Term>,
        combination: Combination,
        skip_below: Option<f64>,
    ) -> Result<Self, EnvironmentError> {
        let refused = |message: String| Err(invalid_task("objective", message));
        if terms.is_empty() {
            return refused("objective has no terms, expected at least one".to_owned());
        }
        for term in &terms {
            let property = term.property;
            let [least, most] = property.facts().targets;
            let number = term.number();
            if !(least..=most).contains(&number) {
                return refused(format!(
                    "objective: {property} aims at {number}, expected a number from {least:?} to {most:?}"
                ));
            }
            if let Aim::Target { tolerance, .. } = term.aim
                && !(tolerance >= 0.0 && tolerance <= most)
            {
                return refused(format!(
                    "objective: tolerance of {property} is {tolerance}, expected a number from 0 up"
                ));
            }
            if !(term.weight.is_finite() && term.weight > 0.0) {
                return refused(format!(
                    "objective: weight of {property} is {}, expected a positive number",
                    term.weight
                ));
            }
            if combination == Combination::Worst && term.weight != 1.0 {
                return refused(format!(
                    "objective: weight of {property} is {}, but the worst term counts alone: leave it out",
                    term.weight
                ));
            }
        }
        if let Some(least) = skip_below.filter(|least| !(0.0..=1.0).contains(least)) {
            return refused(format!(
                "objective: skip_below is {least}, expected a number from 0 to 1"
            ));
        }
        if let Some(message) = contradiction(&terms) {
            return refused(message);
        }
        Ok(Self {
            terms,
            combination,
            skip_below,
        })
    }

    /// The terms; there is a first one.
    pub fn terms(&self) -> &[Term] {
        &self.terms
    }

    /// How they are combined.
    pub fn combination(&self) -> Combination {
        self.combination
    }

    /// The term whose number networks see.
    pub fn first(&self) -> &Term {
        &self.terms[0]
    }

    /// The same with another number in the first term.
    #[must_use]
    pub fn about(mut self, number: f64) -> Self {
        self.terms[0] = self.terms[0].about(number);
        self
    }

    /// The properties, each once, in the order of the terms.
    pub fn properties(&self) -> Vec<Property> {
        let mut properties: Vec<Property> = Vec::new();
        for term in &self.terms {
            if !properties.contains(&term.property) {
                properties.push(term.property);
            }
        }
        properties
    }

    /// The most that may still be earned for the rest to be left out.
    pub fn skip_below(&self) -> Option<f64> {
        self.skip_below
    }

    /// What a crystal earns, with `number` in the first term; terms whose value is not known count as
    /// met, so that it is the most that can be earned.
    pub fn of_values(&self, number: f64, value: impl Fn(Property) -> Option<f64>) -> f64 {
        let total: f64 = self.terms.iter().map(|term| term.weight).sum();
        let each = self.terms.iter().enumerate().map(|(place, term)| {
            let term = match place {
                0 => term.about(number),
                _ => *term,
            };
            let desirability = value(term.property).map_or(1.0, |value| term.desirability(value));
            (desirability, term.weight / total)
        });
        match self.combination {
            Combination::WeightedSum => each.map(|(d, weight)| weight * d).sum(),
            Combination::Product => each.map(|(d, weight)| d.powf(weight)).product(),
            Combination::Worst => each.map(|(d, _)| d).fold(BEST, f64::min),
        }
    }

    /// Whether what is known decides: the most that can still be earned is at most `skip_below`.
    pub fn is_decided(&self, known: &[TermOutcome]) -> bool {
        let number = self.first().number();
        self.skip_below.is_some_and(|least| {
            self.of_values(number, |property| value_of(known, property)) <= least
        })
    }

    /// Whether a term needs filled bands, so that an odd number of electrons fails.
    pub fn needs_pairs(&self) -> bool {
        (self.terms.iter()).any(|term| term.property.facts().fixed_occupations)
    }
}

impl CustomReward for Terms {
    /// Of a value of the first term alone: the most that can be earned with it.
    fn of_value(&self, number: f64, value: f64) -> f64 {
        let first = self.first().property;
        self.of_values(number, |property| (property == first).then_some(value))
    }

    fn of_failure(&self) -> f64 {
        FAILURE
    }

    fn best(&self) -> f64 {
        BEST
    }

    fn of_outcome(&self, number: f64, outcome: &Outcome) -> f64 {
        match outcome {
            Outcome::Failure(failure) if failure.code != FailureCode::Skipped => FAILURE,
            Outcome::Success(values) if values.terms.is_empty() => {
                self.of_value(number, values.value)
            }
            known => self.of_values(number, |property| value_of(known.terms(), property)),
        }
    }
}

fn value_of(known: &[TermOutcome], property: Property) -> Option<f64> {
    let found = known.iter().find(|term| term.property == property);
    found.and_then(|term| term.value)
}

/// Bounds of one property that no value keeps.
fn contradiction(terms: &[Term]) -> Option<String> {
    let bounds = |of: &Term| match of.aim {
        Aim::AtLeast(low) => Some((low, f64::INFINITY)),
        Aim::AtMost(high) => Some((f64::NEG_INFINITY, high)),
        Aim::Target { .. } | Aim::Minimise | Aim::Maximise => None,
    };
    terms.iter().find_map(|term| {
        let property = term.property;
        let same = terms.iter().filter(|other| other.property == property);
        let (low, high) = same.filter_map(bounds).fold(
            (f64::NEG_INFINITY, f64::INFINITY),
            |(low, high), (from, to)| (f64::max(low, from), f64::min(high, to)),
        );
        (low > high).then(|| {
            format!("objective: {property} is to be at least {low} and at most {high}, expected bounds that a value can keep")
        })
    })
}

#[cfg(test)]
mod tests;
