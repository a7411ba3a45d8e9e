//! Whether cheap results foretell what calculations give.

use serde::{Deserialize, Serialize};

/// Results until which cheap ones are believed on credit.
const CREDIT: u64 = 5;
/// Most that a single result counts for or against them.
const MOST: f64 = 4.0;

/// Which of two forecasts foresaw results better, each said before the result came (prequential: A. P.
/// Dawid, J. R. Stat. Soc. A 147, 278 (1984)): the sum over results of the difference of their logarithmic
/// scores.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Trust {
    results: u64,
    advantage: f64,
}

impl Trust {
    /// Takes the logarithmic score by cheap results less that by calculations alone.
    pub(super) fn take(&mut self, difference: f64) {
        self.results += 1;
        self.advantage += difference.clamp(-MOST, MOST);
    }

    /// Whether crystals are to be chosen by cheap results.
    pub(super) fn is_deserved(self) -> bool {
        self.results < CREDIT || self.advantage >= 0.0
    }

    /// The sum of the differences.
    pub(super) fn advantage(self) -> f64 {
        self.advantage
    }

    pub(super) fn is_sane(self) -> bool {
        self.advantage.abs() <= MOST * self.results as f64
    }
}
