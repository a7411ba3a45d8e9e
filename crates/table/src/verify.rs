//! Whether a table holds: some of its rows computed again.

use std::sync::Arc;

use crystalgym_crystal::{Crystal, Skeleton};
use crystalgym_environment::random::uniform_below;
use crystalgym_evaluation::{
    Calculator, EvaluationPool, FailureCode, Outcome, ResultTable, TableRow,
};
use rand::SeedableRng;
use rand_pcg::Pcg64;

use crate::TableError;

/// What became of a row that was computed again.
#[derive(Debug, Clone, PartialEq)]
pub struct RowCheck {
    /// The row.
    pub row: TableRow,
    /// What this machine found.
    pub found: Outcome,
    /// How the two compare.
    pub verdict: RowVerdict,
}

/// Whether a row holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RowVerdict {
    /// To the last bit, or the same failure.
    Equal,
    /// Within what the convergence leaves open between kinds of processor.
    WithinTolerance,
    /// It does not hold.
    Differs,
    /// This machine could not say: its time limit, a missing program, …
    NotComputed,
}

impl RowVerdict {
    /// Whether the row holds.
    pub fn holds(self) -> bool {
        matches!(self, Self::Equal | Self::WithinTolerance)
    }
}

/// Computes a random sample of a table's rows again, without any store, and reports each. `None` if
/// `stop` turned true before all were computed.
///
/// # Errors
/// [`TableError::Maker`] if the calculator is not the one that made the table;
/// [`TableError::Calculator`] if it cannot work.
pub fn verify_rows(
    table: &ResultTable,
    skeleton: &Arc<Skeleton>,
    calculator: &Arc<dyn Calculator>,
    options: &VerifyOptions<'_>,
) -> Result<Option<Vec<RowCheck>>, TableError> {
    let description = table.description();
    let (elements, property) = (&description.elements, description.property);
    calculator.check(elements, property)?;
    let own = calculator.fingerprint(elements, property);
    let theirs = table.fingerprint(elements);
    if theirs.as_ref() != Some(&own) || calculator.name() != description.calculator_name {
        return Err(TableError::Maker {
            table: theirs.map_or_else(String::new, |theirs| theirs.0),
            here: own.0,
        });
    }
    let pool = EvaluationPool::new(Arc::clone(calculator), None, options.workers, usize::MAX);
    let mut asked = Vec::new();
    for place in sample(table.rows().len(), options.sample, options.seed) {
        let row = &table.rows()[place];
        let crystal = Crystal::new(Arc::clone(skeleton), row.elements.clone())?;
        asked.push((pool.submit(&crystal, property), row));
    }
    let mut checks = Vec::new();
    for (ticket, row) in asked {
        let evaluation = loop {
            if (options.stop)() {
                return Ok(None);
            }
            if let Some(evaluation) = pool.wait(ticket, Some(crate::build::LOOK_UP)) {
                break evaluation;
            }
        };
        let check = RowCheck {
            row: row.clone(),
            verdict: compare(&row.outcome, &evaluation.outcome, |value| {
                property.facts().tolerance.at(value)
            }),
            found: evaluation.outcome,
        };
        (options.report)(&check);
        checks.push(check);
    }
    Ok(Some(checks))
}

/// How a table is verified.
pub struct VerifyOptions<'a> {
    /// Rows that are computed again; all if there are no more.
    pub sample: usize,
    /// Seed of the draw.
    pub seed: u64,
    /// Calculations at the same time.
    pub workers: usize,
    /// Whether to stop.
    pub stop: &'a dyn Fn() -> bool,
    /// Told of each row.
    pub report: &'a dyn Fn(&RowCheck),
}

/// Distinct places below `count`, drawn with equal chances.
fn sample(count: usize, size: usize, seed: u64) -> Vec<usize> {
    let mut rng = Pcg64::seed_from_u64(seed);
    let mut places: Vec<usize> = (0..count).collect();
    let size = size.min(count);
    for first in 0..size {
        let chosen = first + uniform_below(&mut rng, count - first);
        places.swap(first, chosen);
    }
    places.truncate(size);
    places
}

fn compare(claimed: &Outcome, found: &Outcome, tolerance: impl Fn(f64) -> f64) -> RowVerdict {
    let passes = |code: FailureCode| code.depends_on_the_moment();
    match (claimed, found) {
        (Outcome::Success(claimed), Outcome::Success(found)) => {
            let (claimed, found) = (claimed.value, found.value);
            match (found - claimed).abs() {
                // To the last bit.
                _ if claimed.to_bits() == found.to_bits() => RowVerdict::Equal,
                deviation if deviation <= tolerance(claimed) => RowVerdict::WithinTolerance,
                _ => RowVerdict::Differs,
            }
        }
        (_, Outcome::Failure(found)) if passes(found.code) => RowVerdict::NotComputed,
        (Outcome::Failure(claimed), Outcome::Failure(found)) if claimed.code == found.code => {
            RowVerdict::Equal
        }
        _ => RowVerdict::Differs,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_sample_has_no_row_twice() {
        for seed in 0..5 {
            let drawn = sample(50, 20, seed);
            let distinct: BTreeSet<usize> = drawn.iter().copied().collect();
            assert_eq!((drawn.len(), distinct.len()), (20, 20));
            assert!(distinct.iter().all(|&place| place < 50));
        }
        assert_ne!(sample(50, 20, 1), sample(50, 20, 2));
        assert_eq!(sample(3, 20, 1).len(), 3);
    }
}
