//! How often what came lay where it was expected, before it was learned from.

use serde::{Deserialize, Serialize};

use crate::{
    model::{Forecast, Known, floor_below},
    rewards::central_half_width,
};
use crystalgym_evaluation::Property;

/// Counts of results by what was expected of them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Calibration {
    /// Values above the floor.
    pub values: u64,
    /// Of these, inside of the interval that should hold half.
    pub in_half: u64,
    /// Of these, inside of the interval that should hold nine tenths.
    pub in_nine_tenths: u64,
    /// Results, failures included.
    pub results: u64,
    /// Failures.
    pub failures: u64,
    /// Failures that were expected, added up.
    pub failures_expected: f64,
    /// Brier's score of that, the squared distance from what came, added up.
    pub failures_squared: f64,
}

impl Calibration {
    /// Takes a result that was not known when the forecast was made.
    pub fn take(&mut self, property: Property, forecast: &Forecast, known: Known) {
        let failed = matches!(known, Known::Failure(_));
        let expected = forecast.failure_probability();
        self.results += 1;
        self.failures += u64::from(failed);
        self.failures_expected += expected;
        self.failures_squared += (f64::from(u8::from(failed)) - expected).powi(2);
        let floor = floor_below(property).unwrap_or(f64::NEG_INFINITY);
        if let Known::Value(value) = known
            && value >= floor
        {
            let away = ((value - forecast.value.mean) / forecast.value.spread).abs();
            self.values += 1;
            self.in_half += u64::from(away <= central_half_width(0.5));
            self.in_nine_tenths += u64::from(away <= central_half_width(0.9));
        }
    }

    /// Share of the values in the interval that should hold half of them; `None` of no values.
    pub fn coverage_50(&self) -> Option<f64> {
        share(self.in_half as f64, self.values)
    }

    /// Share of the values in the interval that should hold nine tenths of them.
    pub fn coverage_90(&self) -> Option<f64> {
        share(self.in_nine_tenths as f64, self.values)
    }

    /// Brier's score of failures: 0 of perfect forecasts, 0.25 of a coin.
    pub fn failure_score(&self) -> Option<f64> {
        share(self.failures_squared, self.results)
    }

    /// Whether these can be counts.
    pub fn is_sane(&self) -> bool {
        self.in_half <= self.in_nine_tenths
            && self.in_nine_tenths <= self.values
            && self.values + self.failures <= self.results
            && (0.0..=self.results as f64 + 1e-6).contains(&self.failures_expected)
            && (0.0..=self.results as f64 + 1e-6).contains(&self.failures_squared)
    }
}

fn share(part: f64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part / whole as f64)
}
