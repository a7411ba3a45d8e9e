//! Crystals of objectives of several terms, and those among them that no other beats in all of them.

use crystalgym_environment::{Term, Terms};
use crystalgym_evaluation::FailureCode;
use crystalgym_training::EpisodeRow;

use crate::limits::LARGEST_VALUE;

/// What the different crystals of a run are worth by each term of its objective.
#[derive(Debug, Clone, PartialEq)]
pub struct ObjectiveMeasure {
    /// The objective.
    pub terms: Terms,
    /// The different crystals of which all values are known.
    pub crystals: Vec<CrystalValues>,
    /// Those of which something was left out because the rest decided.
    pub skipped: usize,
    /// Those that are in all terms as they should be.
    pub met: usize,
}

/// A crystal and its values.
#[derive(Debug, Clone, PartialEq)]
pub struct CrystalValues {
    /// Label of the skeleton.
    pub skeleton: String,
    /// Symbols in site order, separated by blanks.
    pub elements: String,
    /// The value of each term, in its unit.
    pub values: Vec<f64>,
}

impl ObjectiveMeasure {
    pub(crate) fn of(terms: Terms) -> Self {
        Self {
            terms,
            crystals: Vec::new(),
            skipped: 0,
            met: 0,
        }
    }

    /// Takes a crystal that has not been there before.
    pub(crate) fn add(&mut self, row: &EpisodeRow) {
        let known = row.values_of_terms();
        let value = |term: &Term| {
            let of_term = known
                .iter()
                .find(|(property, _)| *property == term.property);
            let value = of_term.and_then(|(_, value)| *value);
            value.filter(|value| value.abs() <= LARGEST_VALUE)
        };
        let values: Option<Vec<f64>> = self.terms.terms().iter().map(value).collect();
        let Some(values) = values else {
            let is_skipped = row.failure == Some(FailureCode::Skipped);
            self.skipped += usize::from(is_skipped);
            return;
        };
        let mut each = self.terms.terms().iter().zip(&values);
        self.met += usize::from(each.all(|(term, value)| term.is_met(*value)));
        self.crystals.push(CrystalValues {
            skeleton: row.skeleton.clone(),
            elements: row.elements.clone(),
            values,
        });
    }
}

/// The crystals that no other beats (the Pareto front), the best by the first term first: another one
/// beats a crystal that misses no term by more and one by less ([`Term::miss`], to nine decimals: what
/// lies beyond is rounding). Of crystals that miss all terms by the same, the first.
pub fn pareto_front<'a>(
    terms: &Terms,
    crystals: impl IntoIterator<Item = &'a CrystalValues>,
) -> Vec<&'a CrystalValues> {
    let misses = |crystal: &CrystalValues| -> Vec<f64> {
        let each = terms.terms().iter().zip(&crystal.values);
        each.map(|(term, value)| (1e9 * term.miss(*value)).round() / 1e9)
            .collect()
    };
    let mut all: Vec<(Vec<f64>, &CrystalValues)> = crystals
        .into_iter()
        .map(|crystal| (misses(crystal), crystal))
        .collect();
    // Whatever beats a crystal, or is as good, comes before it; so the front so far is all to compare
    // with.
    all.sort_by(|(a, _), (b, _)| a.partial_cmp(b).unwrap_or(std::cmp::Ordering::Equal));
    let mut front: Vec<(Vec<f64>, &CrystalValues)> = Vec::new();
    for (miss, crystal) in all {
        let is_beaten = front
            .iter()
            .any(|(other, _)| other.iter().zip(&miss).all(|(other, own)| other <= own));
        if !is_beaten {
            front.push((miss, crystal));
        }
    }
    front.into_iter().map(|(_, crystal)| crystal).collect()
}

#[cfg(test)]
mod tests {
    use crystalgym_environment::{Aim, Combination};
    use crystalgym_evaluation::Property;
    use proptest::prelude::*;

    use super::*;

    fn terms() -> Terms {
        let term = |property, aim| Term {
            property,
            aim,
            weight: 1.0,
        };
        let target = Aim::Target {
            target: 3.0,
            tolerance: 0.2,
        };
        let terms = vec![
            term(Property::Density, target),
            term(Property::EnergyAboveHull, Aim::AtMost(0.1)),
            term(Property::BulkModulus, Aim::Maximise),
        ];
        Terms::new(terms, Combination::Product, None).unwrap()
    }

    fn crystal(number: usize, values: Vec<f64>) -> CrystalValues {
        CrystalValues {
            skeleton: "C2".into(),
            elements: number.to_string(),
            values,
        }
    }

    proptest! {
        /// Oracle: the definition, every crystal against every other, misses written out.
        #[test]
        fn the_front_is_what_nothing_beats(
            raw in prop::collection::vec((20..45_i32, -3..9_i32, 0..5_i32), 0..60),
        ) {
            let crystals: Vec<CrystalValues> = raw
                .iter()
                .enumerate()
                .map(|(number, (density, hull, bulk))| {
                    let values = [*density, *hull, *bulk].map(f64::from);
                    crystal(number, vec![0.1 * values[0], 0.1 * values[1], 50.0 * values[2]])
                })
                .collect();
            let misses = |crystal: &CrystalValues| {
                let [density, hull, bulk] = crystal.values[..] else { unreachable!() };
                let misses = [((density - 3.0).abs() - 0.2).max(0.0), (hull - 0.1).max(0.0), -bulk];
                misses.map(|miss| (1e9 * miss).round() / 1e9)
            };
            let beats = |a: &CrystalValues, b: &CrystalValues| {
                let (a, b) = (misses(a), misses(b));
                a.iter().zip(&b).all(|(a, b)| a <= b) && a.iter().zip(&b).any(|(a, b)| a < b)
            };
            let found = pareto_front(&terms(), &crystals);
            let mut expected: Vec<[f64; 3]> = crystals
                .iter()
                .filter(|b| !crystals.iter().any(|a| beats(a, b)))
                .map(misses)
                .collect();
            expected.sort_by(|a, b| a.partial_cmp(b).unwrap());
            expected.dedup();
            let found: Vec<[f64; 3]> = found.into_iter().map(misses).collect();
            prop_assert_eq!(found, expected);
        }
    }
}
