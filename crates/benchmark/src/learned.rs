//! What is measured of a job on a learned reward, and its table: predicted and calculated side by side,
//! never in one number.

use crystalgym_evaluation::Property;
use crystalgym_training::{PredictionRow, PretrainingRow};

use crate::{JobMeasure, Table, measure::mean, solved::middle};

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

const NOTE: &str = "Medians over seeds (smallest to largest). Predicted, calculated: crystals whose reward the \
    agent was given by the model, and by a calculation. Predicted return: of the last 100 that were not \
    calculated. Said and found: what the model had said of the last 20 calculated crystals, and what the \
    calculations then said, as mean returns. Spread: standard deviation of the last 100 predicted values, near 0 \
    of a model that says the same of everything. Failed, without gap: of the calculated ones. Greedy: mean return of \
    the final rollouts, calculated.";

/// A row for the jobs of each group that have a learned reward; `None` without any.
pub(crate) fn learned<'a>(
    groups: impl Iterator<Item = (Vec<String>, &'a [&'a JobMeasure])>,
    stamp: &str,
) -> Option<Table> {
    let rows: Vec<Vec<String>> = groups
        .filter_map(|(mut row, jobs)| {
            let learned: Vec<(&JobMeasure, &LearnedMeasure)> = jobs
                .iter()
                .filter_map(|job| Some((*job, job.learned.as_ref()?)))
                .collect();
            if learned.is_empty() {
                return None;
            }
            let of = |measure: &dyn Fn(&LearnedMeasure) -> Option<f64>| {
                middle(learned.iter().filter_map(|(_, learned)| measure(learned)))
            };
            row.extend([
                learned.len().to_string(),
                of(&|learned| Some(learned.predicted() as f64)),
                of(&|learned| Some(learned.calculated() as f64)),
                of(&LearnedMeasure::last_predicted_return),
                of(&LearnedMeasure::predicted_return_of_calculated),
                of(&LearnedMeasure::last_calculated_return),
                of(&|learned| Some(learned.spread_of_values)),
                of(&|learned| Some(learned.failures as f64)),
                of(&|learned| learned.without_gap.map(|count| count as f64)),
                middle(learned.iter().map(|(job, _)| job.greedy_return)),
            ]);
            Some(row)
        })
        .collect();
    (!rows.is_empty()).then(|| Table {
        name: "learned_reward",
        title: format!("Learned rewards: predicted and calculated ({stamp})"),
        note: NOTE,
        columns: vec![
            "experiment",
            "property",
            "skeletons",
            "algorithm",
            "seeds",
            "predicted",
            "calculated",
            "predicted return",
            "said",
            "found",
            "spread",
            "failed",
            "without gap",
            "greedy",
        ],
        rows,
    })
}
