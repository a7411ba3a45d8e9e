//! What a file says of crystals, and which of them are computed again.

use std::collections::{BTreeMap, BTreeSet};

use crystalgym_crystal::Element;
use crystalgym_evaluation::{CalculatorConfig, FailureCode, Property};
use rand::{Rng, SeedableRng};
use rand_pcg::Pcg64;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{
    compositions::{Composition, Compositions},
    elements::action_elements,
    file::{ResultFile, ResultJob},
};

/// A value or a failure.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Found {
    /// In the property's unit.
    Value(f64),
    /// Why there is none.
    Failure(FailureCode),
}

/// Why a crystal was computed again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Choice {
    /// A number that is ranked depends on it.
    Ranked,
    /// Drawn from the others.
    Sample,
}

/// Property, settings and fingerprint of a calculator.
pub(super) type Origin<'a> = (Property, &'a CalculatorConfig, &'a str);

/// What a job's numbers come from.
pub(super) fn origin(job: &ResultJob) -> Origin<'_> {
    (
        job.property,
        &job.settings.calculator,
        job.fingerprint.as_str(),
    )
}

/// The distinct calculators of a result: property, settings and fingerprint.
pub fn calculators(file: &ResultFile) -> Vec<(Property, &CalculatorConfig, &str)> {
    let mut found: Vec<Origin<'_>> = Vec::new();
    for job in &file.jobs {
        if !found.contains(&origin(job)) {
            found.push(origin(job));
        }
    }
    found
}

/// What a file says of the crystals that one calculator computed.
pub(super) struct Claims {
    /// Those of all action sets.
    pub(super) elements: BTreeSet<Element>,
    /// Failures that depend on the moment are none: they have the lowest return, so that nobody
    /// gains by them.
    pub(super) outcomes: BTreeMap<Composition, Found>,
    /// Crystals of the greedy rollouts: all that ranked means depend on, with their best return.
    ranked: BTreeMap<Composition, f64>,
    instant: bool,
}

impl Claims {
    pub(super) fn of(
        file: &ResultFile,
        calculator: Origin<'_>,
        compositions: &mut Compositions,
    ) -> Self {
        let mut claims = Self {
            elements: BTreeSet::new(),
            outcomes: BTreeMap::new(),
            ranked: BTreeMap::new(),
            instant: calculator.1.name.is_instant(),
        };
        for job in file.jobs.iter().filter(|job| origin(job) == calculator) {
            claims
                .elements
                .extend(action_elements(&job.settings.task).unwrap_or_default());
            for row in &job.episodes {
                let crystal = compositions.of(&row.skeleton, &row.elements).ok();
                claims.add(crystal, row.value, row.failure, None);
            }
            for row in &job.rollouts {
                let crystal = compositions.of(&row.skeleton, &row.elements).ok();
                let ranked = (row.mode == "greedy").then_some(row.episodic_return);
                claims.add(crystal, row.value, row.failure, ranked);
            }
        }
        claims
    }

    fn add(
        &mut self,
        crystal: Option<Composition>,
        value: Option<f64>,
        failure: Option<FailureCode>,
        ranked: Option<f64>,
    ) {
        let found = match (value, failure) {
            (Some(value), _) => Found::Value(value),
            (None, Some(code)) if !code.depends_on_the_moment() => Found::Failure(code),
            _ => return,
        };
        let Some(crystal) = crystal else { return };
        if let Some(episodic_return) = ranked {
            let best = self.ranked.entry(crystal.clone()).or_insert(f64::MIN);
            *best = best.max(episodic_return);
        }
        self.outcomes.insert(crystal, found);
    }

    /// How many crystals ranked numbers depend on.
    pub(super) fn ranked(&self) -> usize {
        self.ranked.len()
    }

    /// How many others there are.
    pub(super) fn others(&self) -> usize {
        self.outcomes.len() - self.ranked.len()
    }

    /// The crystals to compute again: the ranked ones, best first, and of the others so many that
    /// `random` draws, or all where that takes no time.
    pub(super) fn choose(
        &self,
        most_ranked: Option<usize>,
        sample: usize,
        random: &mut Pcg64,
    ) -> Vec<(Composition, Choice)> {
        let mut ranked: Vec<(&Composition, f64)> =
            self.ranked.iter().map(|(c, best)| (c, *best)).collect();
        // Stable: among equals the order of their names.
        ranked.sort_by(|(_, a), (_, b)| b.total_cmp(a));
        ranked.truncate(most_ranked.unwrap_or(usize::MAX));
        let mut others: Vec<&Composition> = self
            .outcomes
            .keys()
            .filter(|crystal| !self.ranked.contains_key(crystal))
            .collect();
        let sample = match self.instant && sample > 0 {
            true => others.len(),
            false => sample.min(others.len()),
        };
        let mut chosen: Vec<(Composition, Choice)> = ranked
            .into_iter()
            .map(|(crystal, _)| (crystal.clone(), Choice::Ranked))
            .collect();
        for _ in 0..sample {
            let index = (random.next_u64() % others.len() as u64) as usize;
            chosen.push((others.swap_remove(index).clone(), Choice::Sample));
        }
        chosen
    }
}

/// The draws of a verification: by what the file says and by a number that the verifier draws once
/// the file is there, so that who made it can neither choose nor try.
/// Each `stream` has draws of its own.
pub(super) fn draws(sha256: &str, seed: u64, stream: usize) -> Pcg64 {
    let mut digest = Sha256::new();
    digest.update(sha256);
    digest.update(seed.to_le_bytes());
    digest.update((stream as u64).to_le_bytes());
    let bytes = digest.finalize();
    let first = bytes.first_chunk::<8>().copied().unwrap_or_default();
    Pcg64::seed_from_u64(u64::from_le_bytes(first))
}

/// The chance that a sample of `drawn` of `all` holds none of `edited`:
/// `C(all − edited, drawn) / C(all, drawn)`.
pub fn chance_of_missing(all: usize, edited: usize, drawn: usize) -> f64 {
    if edited + drawn > all {
        return 0.0;
    }
    (0..drawn)
        .map(|index| (all - edited - index) as f64 / (all - index) as f64)
        .product()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Oracle: all samples of two of five, counted by hand: 10, of which 3 hold none of two, 1 none
    /// of three, and 0 none of four.
    #[test]
    fn the_chance_of_missing_is_that_of_counting() {
        for (edited, expected) in [(0, 1.0), (1, 0.6), (2, 0.3), (3, 0.1), (4, 0.0), (5, 0.0)] {
            let found = chance_of_missing(5, edited, 2);
            assert!((found - expected).abs() < 1e-15, "{edited}: {found}");
        }
        assert_eq!(chance_of_missing(5, 1, 5), 0.0);
    }
}
