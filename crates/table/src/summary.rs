//! A table in numbers: counts, a histogram, and what comes near a target.

use std::collections::BTreeMap;

use crystalgym_evaluation::{Outcome, Property, TableRow};

/// Bars of a histogram.
const BARS: usize = 20;
/// How near a value is to a published target that counts as hit: of a gap in eV and of an energy in
/// eV/atom, of the others as a part of the target.
const ENERGY_TOLERANCE_EV: f64 = 0.1;
const RELATIVE_TOLERANCE: f64 = 0.05;

/// How far from a target a value still counts as hit, where a task names no tolerance of its own:
/// 0.1 eV for gaps and energies (eV/atom), 5 % of the target for all else.
pub fn hit_tolerance(property: Property, target: f64) -> f64 {
    match property {
        Property::BandGap
        | Property::Energy
        | Property::FormationEnergy
        | Property::EnergyAboveHull => ENERGY_TOLERANCE_EV,
        Property::BulkModulus | Property::Density | Property::ShearModulus => {
            RELATIVE_TOLERANCE * target
        }
    }
}

/// Rows of a table in numbers.
#[derive(Debug, Clone, PartialEq)]
pub struct Summary<'a> {
    /// Rows by their outcome: `success`, or the code of a failure.
    pub counts: BTreeMap<&'static str, usize>,
    /// Rows with a value, by rising values.
    successes: Vec<(f64, &'a TableRow)>,
}

/// How a table lies around a target.
#[derive(Debug, Clone, PartialEq)]
pub struct AroundTarget<'a> {
    /// The fillings nearest to it, best first.
    pub nearest: Vec<(f64, &'a TableRow)>,
    /// Rows within the tolerance.
    pub within: usize,
    /// Fillings of the skeleton that these rows stand for.
    pub fillings_within: u64,
}

/// A bar of a histogram.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bar {
    /// Lower edge.
    pub from: f64,
    /// Upper edge.
    pub to: f64,
    /// Rows from the lower edge to below the upper one; the last bar has its upper edge too.
    pub rows: usize,
}

impl<'a> Summary<'a> {
    /// Of some rows.
    pub fn of(rows: &'a [TableRow]) -> Self {
        let mut counts: BTreeMap<&'static str, usize> = BTreeMap::new();
        let mut successes = Vec::new();
        for row in rows {
            let outcome = match &row.outcome {
                Outcome::Success(values) => {
                    successes.push((values.value, row));
                    "success"
                }
                Outcome::Failure(failure) => failure.code.name(),
            };
            *counts.entry(outcome).or_default() += 1;
        }
        // Stable: among equals the order of the rows.
        successes.sort_by(|(a, _), (b, _)| a.total_cmp(b));
        Self { counts, successes }
    }

    /// Rows with a value.
    pub fn successes(&self) -> usize {
        self.successes.len()
    }

    /// The smallest and the largest value.
    pub fn range(&self) -> Option<(f64, f64)> {
        Some((self.successes.first()?.0, self.successes.last()?.0))
    }

    /// The value in the middle, of an even number the lower one.
    pub fn median(&self) -> Option<f64> {
        let middle = self.successes.len().checked_sub(1)? / 2;
        Some(self.successes.get(middle)?.0)
    }

    /// Twenty bars of equal width over all values; one if all are equal.
    pub fn histogram(&self) -> Vec<Bar> {
        let Some((least, most)) = self.range() else {
            return Vec::new();
        };
        let bars = if least < most { BARS } else { 1 };
        let width = (most - least) / bars as f64;
        let edge = |bar: usize| least + bar as f64 * width;
        let mut histogram: Vec<Bar> = (0..bars)
            .map(|bar| Bar {
                from: edge(bar),
                to: edge(bar + 1),
                rows: 0,
            })
            .collect();
        for (value, _) in &self.successes {
            let bar = histogram.partition_point(|bar| bar.from <= *value);
            histogram[bar.max(1) - 1].rows += 1;
        }
        histogram
    }

    /// The `count` fillings nearest to a target, and how many lie within a tolerance of it.
    pub fn around(&self, target: f64, tolerance: f64, count: usize) -> AroundTarget<'a> {
        let mut nearest = self.successes.clone();
        nearest.sort_by(|(a, _), (b, _)| (a - target).abs().total_cmp(&(b - target).abs()));
        let within = nearest
            .iter()
            .take_while(|(value, _)| (value - target).abs() <= tolerance);
        let (rows, fillings) = within.fold((0, 0), |(rows, fillings), (_, row)| {
            (rows + 1, fillings + u64::from(row.multiplicity))
        });
        nearest.truncate(count);
        AroundTarget {
            nearest,
            within: rows,
            fillings_within: fillings,
        }
    }
}

#[cfg(test)]
mod tests {
    use crystalgym_evaluation::{Failure, FailureCode, Values};

    use super::*;

    fn row(value: Option<f64>, multiplicity: u32) -> TableRow {
        TableRow {
            elements: Vec::new(),
            multiplicity,
            outcome: match value {
                Some(value) => Outcome::Success(Values {
                    value,
                    ..Values::default()
                }),
                None => Outcome::Failure(Failure::new(FailureCode::OddElectronCount, "")),
            },
        }
    }

    /// Oracle: counted by hand.
    #[test]
    fn a_small_table_in_numbers() {
        let rows = [
            row(Some(2.0), 4),
            row(None, 1),
            row(Some(0.0), 6),
            row(Some(1.0), 12),
            row(Some(1.2), 24),
        ];
        let summary = Summary::of(&rows);
        assert_eq!(summary.counts["success"], 4);
        assert_eq!(summary.counts["odd_electron_count"], 1);
        assert_eq!(summary.range(), Some((0.0, 2.0)));
        assert_eq!(summary.median(), Some(1.0));
        let histogram = summary.histogram();
        assert_eq!(histogram.len(), 20);
        let filled: Vec<usize> = histogram.iter().map(|bar| bar.rows).collect();
        let places: Vec<usize> = (0..20).filter(|&bar| filled[bar] > 0).collect();
        assert_eq!(filled.iter().sum::<usize>(), 4);
        assert_eq!((places[0], places[1], places[3]), (0, 10, 19));
        let around = summary.around(1.12, 0.12 + 1e-12, 2);
        assert_eq!((around.within, around.fillings_within), (2, 36));
        assert_eq!((around.nearest[0].0, around.nearest[1].0), (1.2, 1.0));
        assert_eq!(Summary::of(&rows[1..2]).histogram(), []);
        assert_eq!(Summary::of(&rows[..1]).histogram().len(), 1);
    }
}
