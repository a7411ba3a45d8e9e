//! One file a figure.

mod area;
mod by_skeleton;
pub(crate) mod crystals;
mod failures;
mod failures_by_element;
mod formation_energies;
mod histogram;
mod interquartile;
mod learning;
mod performance;
mod properties;
mod times;
mod uniqueness;

use std::collections::BTreeMap;

use crystalgym_evaluation::Property;
use crystalgym_training::Algorithm;

use crate::{
    data::{ReportData, Run},
    figure::Figure,
    palette::rank,
};

/// All figures that the data are enough for.
pub fn figures(data: &ReportData) -> Vec<Figure> {
    let runs = data.runs();
    let mut figures = learning::figures(&runs, &data.stamp);
    figures.extend(performance::figures(&data.jobs, &data.stamp));
    figures.extend(interquartile::figure(&data.jobs, &data.stamp));
    figures.extend(area::figures(&data.jobs, &data.stamp));
    figures.extend(crystals::figures(data, &runs));
    figures.extend(properties::figures(&runs, &data.stamp));
    figures.extend(formation_energies::figure(&data.jobs, &data.stamp));
    figures.extend(uniqueness::figure(data, &runs));
    figures.extend(failures::figure(&runs, &data.stamp));
    figures.extend(failures_by_element::figure(&runs, &data.stamp));
    figures.extend(times::figure(&runs, &data.stamp));
    figures
}

/// Runs of the same experiment and property.
struct TaskRuns<'a, 'b> {
    experiment: &'b str,
    property: Property,
    target: f64,
    runs: Vec<&'b Run<'a>>,
}

impl TaskRuns<'_, '_> {
    /// `density, target 3 g/cm³ (paper-exp1)`.
    fn title(&self) -> String {
        let property = property_name(self.property);
        let (target, unit) = (self.target, self.property.unit());
        match self.experiment {
            "run" => format!("{property}, target {target} {unit}"),
            experiment => format!("{property}, target {target} {unit} ({experiment})"),
        }
    }

    /// For file names.
    fn name(&self) -> String {
        format!("{}-{}", file_safe(self.experiment), self.property)
    }
}

/// By experiment and property, in the order of their names.
fn by_task<'a, 'b>(runs: &'b [Run<'a>]) -> Vec<TaskRuns<'a, 'b>> {
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
            target: runs.first().map_or(0.0, |run| run.label.target),
            runs,
        })
        .collect()
}

/// What the runs share, in the order in which it is listed.
fn algorithms<'a>(algorithms: impl Iterator<Item = &'a Algorithm>) -> Vec<Algorithm> {
    let mut all: Vec<Algorithm> = algorithms.copied().collect();
    all.sort_by_key(|algorithm| rank(*algorithm));
    all.dedup();
    all
}

/// A name of an experiment, which comes from a file, without what could lead a path or a reference
/// elsewhere.
fn file_safe(name: &str) -> String {
    let safe = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    name.chars()
        .map(|c| if safe(c) { c } else { '_' })
        .collect()
}

/// For a person.
fn property_name(property: Property) -> &'static str {
    match property {
        Property::BandGap => "Band gap",
        Property::BulkModulus => "Bulk modulus",
        Property::Density => "Density",
        other => other.name(),
    }
}

/// Mean, smallest and largest.
fn spread(values: &[f64]) -> Option<(f64, f64, f64)> {
    let (low, high) = crate::axis::extent(values.iter().copied())?;
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    Some((mean, low, high))
}

/// Four decimals, as in the tables.
fn four(value: f64) -> String {
    format!("{value:.4}")
}

fn percent(share: f64) -> String {
    format!("{:.1} %", 100.0 * share)
}
