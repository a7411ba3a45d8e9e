//! Runs by the task that they share.

use std::collections::BTreeMap;

use crystalgym_environment::target_text;
use crystalgym_evaluation::Property;
use crystalgym_training::Algorithm;

use super::text::file_safe;
use crate::{data::Run, palette::rank};

/// Runs of the same experiment and property.
pub(super) struct TaskRuns<'a, 'b> {
    pub(super) experiment: &'b str,
    pub(super) property: Property,
    /// A number in the property's unit, or a range of it.
    pub(super) target_text: String,
    pub(super) target: f64,
    pub(super) runs: Vec<&'b Run<'a>>,
}

impl TaskRuns<'_, '_> {
    /// `density, target 3 g/cm³ (paper-exp1)`.
    pub(super) fn title(&self) -> String {
        let property = self.property.facts().title;
        let (target, unit) = (&self.target_text, self.property.unit());
        match self.experiment {
            "run" => format!("{property}, target {target} {unit}"),
            experiment => format!("{property}, target {target} {unit} ({experiment})"),
        }
    }

    /// For file names.
    pub(super) fn name(&self) -> String {
        format!("{}-{}", file_safe(self.experiment), self.property)
    }
}

/// By experiment and property, in the order of their names.
pub(super) fn by_task<'a, 'b>(runs: &'b [Run<'a>]) -> Vec<TaskRuns<'a, 'b>> {
    let mut tasks: BTreeMap<(&str, Property), Vec<&Run<'_>>> = BTreeMap::new();
    for run in runs {
        let key = (run.label.experiment.as_str(), run.label.property);
        tasks.entry(key).or_default().push(run);
    }
    let tasks = tasks.into_iter();
    tasks
        .map(|((experiment, property), runs)| TaskRuns {
            experiment,
            property,
            target_text: runs.first().map_or_else(String::new, |run| {
                target_text(run.label.target, run.label.tolerance)
            }),
            target: runs.first().map_or(0.0, |run| run.label.target),
            runs,
        })
        .collect()
}

/// What the runs share, in the order in which it is listed.
pub(super) fn algorithms<'a>(algorithms: impl Iterator<Item = &'a Algorithm>) -> Vec<Algorithm> {
    let mut all: Vec<Algorithm> = algorithms.copied().collect();
    all.sort_by_key(|algorithm| rank(*algorithm));
    all.dedup();
    all
}
