//! The table of jobs on learned rewards.

use crate::{JobMeasure, LearnedMeasure, Table, solved::middle};

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
