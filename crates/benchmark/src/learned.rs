//! What is measured of a job on a learned reward: predicted and calculated side by side, never in one number.

use crystalgym_evaluation::Property;
use crystalgym_training::{PredictionRow, PretrainingRow};

use crate::statistics::mean;

/// Predictions over which the last return is taken.
const LAST_PREDICTIONS: usize = 100;
/// Calculations over which the last ones are judged.
const LAST_CALCULATIONS: usize = 20;
/// A gap below this is none, in eV.
const NO_GAP_EV: f64 = 0.02;

/// What the files of a job on a learned reward say of the model.
#[derive(Debug, Clone, PartialEq)]
pub struct LearnedMeasure {
    /// Every crystal that the model was asked about, in order.
    pub asked: Vec<AskedCrystal>,
    /// How the model was pretrained.
    pub pretraining: Vec<PretrainingRow>,
    /// Standard deviation of the last hundred predicted values, in the property's unit: near 0 of a model
    /// that says the same of everything, or of an agent that makes one crystal.
    pub spread_of_values: f64,
    /// Of the calculations, those that failed.
    pub failures: usize,
    /// And those without a gap, where that is the property.
    pub without_gap: Option<usize>,
}

/// A crystal that a model was asked about.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AskedCrystal {
    /// Number of its episode.
    pub episode: u64,
    /// Return by the prediction.
    pub predicted_return: f64,
    /// Return by the calculation, if there was one.
    pub calculated_return: Option<f64>,
}

impl LearnedMeasure {
    /// What the tables of a run say.
    pub(crate) fn of(
        property: Property,
        rows: &[PredictionRow],
        pretraining: Vec<PretrainingRow>,
    ) -> Self {
        let last = rows.iter().rev().take(LAST_PREDICTIONS);
        let values: Vec<f64> = last.map(|row| row.predicted_value).collect();
        let middle = mean(values.iter().copied()).unwrap_or(f64::NAN);
        let squares = values.iter().map(|value| (value - middle).powi(2));
        let calculated = || rows.iter().filter(|row| row.calculated_return.is_some());
        let no_gap = |row: &&PredictionRow| row.calculated_value.is_some_and(|v| v < NO_GAP_EV);
        Self {
            spread_of_values: mean(squares).map_or(f64::NAN, f64::sqrt),
            failures: calculated()
                .filter(|row| row.calculated_failure.is_some())
                .count(),
            without_gap: (property == Property::BandGap)
                .then(|| calculated().filter(no_gap).count()),
            asked: rows
                .iter()
                .map(|row| AskedCrystal {
                    episode: row.episode,
                    predicted_return: row.predicted_return,
                    calculated_return: row.calculated_return,
                })
                .collect(),
            pretraining,
        }
    }

    /// Crystals whose reward was predicted.
    pub fn predicted(&self) -> usize {
        self.asked.len() - self.calculated()
    }

    /// Crystals that were calculated.
    pub fn calculated(&self) -> usize {
        self.pairs().count()
    }

    /// Predicted and calculated returns of what was calculated.
    fn pairs(&self) -> impl DoubleEndedIterator<Item = (f64, f64)> {
        let asked = self.asked.iter();
        asked.filter_map(|asked| Some((asked.predicted_return, asked.calculated_return?)))
    }

    /// Mean predicted return of the last hundred that were not calculated.
    pub fn last_predicted_return(&self) -> Option<f64> {
        let asked = self.asked.iter().rev();
        let predicted = asked.filter(|asked| asked.calculated_return.is_none());
        mean(
            predicted
                .take(LAST_PREDICTIONS)
                .map(|asked| asked.predicted_return),
        )
    }

    /// Mean calculated return of the last twenty calculations.
    pub fn last_calculated_return(&self) -> Option<f64> {
        mean(
            self.pairs()
                .rev()
                .take(LAST_CALCULATIONS)
                .map(|pair| pair.1),
        )
    }

    /// Mean of what the model said of these before they were calculated.
    pub fn predicted_return_of_calculated(&self) -> Option<f64> {
        mean(
            self.pairs()
                .rev()
                .take(LAST_CALCULATIONS)
                .map(|pair| pair.0),
        )
    }
}
