//! Final returns by skeleton.

use std::collections::BTreeMap;

use crystalgym_benchmark::{JobMeasure, RolloutKind};
use crystalgym_environment::target_text;
use crystalgym_evaluation::Property;

use super::{
    by_skeleton::Columns,
    tasks::algorithms,
    text::{file_safe, four},
};
use crate::{
    axis::spread,
    figure::{DataTable, Figure, Panel, Section},
    palette::style_of,
};

/// Returns of the final greedy rollouts, an experiment each (paper, Figure 6); of searches, which have no
/// policy, the best finds in figures of their own.
pub(super) fn figures(jobs: &[JobMeasure], stamp: &str) -> Vec<Figure> {
    let policies = Measure {
        name: "performance",
        title: "Return of the greedy policy",
        caption: "Mark: mean over seeds of the mean return of five greedy rollouts of the trained \
                  policy, failures counted; line and dots: the seeds. The highest possible return is 1 \
                  for the density and the band gap and 0 for the bulk modulus; a failure gives −1 \
                  (bulk modulus −5). Held out: on C1 and C5, which the agent has never seen.",
        y_label: "Return",
        section: Section::Performance,
        value: |job| job.greedy_return,
        held_out: |job| job.held_out_return,
        shows: |job| job.rollout_kind() == RolloutKind::Policy,
    };
    let best_finds = Measure {
        name: "best_finds",
        title: "Best find of the searches",
        caption: "Searches learn no policy: this is the return of the best crystal of each whole \
                  search, a maximum, not to be compared with the mean of a policy. Mark: mean over \
                  seeds; line and dots: the seeds. Held out: what the search proposes for C1 and C5, \
                  which it has never searched.",
        shows: |job| job.rollout_kind() == RolloutKind::BestFind,
        ..policies
    };
    let mut figures = policies.figures(jobs, stamp);
    figures.extend(best_finds.figures(jobs, stamp));
    figures
}

/// A number of each job, drawn by skeleton.
pub(super) struct Measure {
    pub(super) name: &'static str,
    pub(super) title: &'static str,
    pub(super) caption: &'static str,
    pub(super) y_label: &'static str,
    pub(super) section: Section,
    pub(super) value: fn(&JobMeasure) -> f64,
    pub(super) held_out: fn(&JobMeasure) -> Option<f64>,
    /// Whether a job belongs into the figure.
    pub(super) shows: fn(&JobMeasure) -> bool,
}

impl Measure {
    pub(super) fn figures(&self, jobs: &[JobMeasure], stamp: &str) -> Vec<Figure> {
        let mut experiments: BTreeMap<&str, BTreeMap<Property, Vec<&JobMeasure>>> = BTreeMap::new();
        for job in jobs.iter().filter(|job| (self.shows)(job)) {
            let by_property = experiments.entry(&job.manifest.experiment).or_default();
            by_property
                .entry(job.manifest.property)
                .or_default()
                .push(job);
        }
        let experiments = experiments.into_iter();
        experiments
            .map(|(experiment, by_property)| self.figure(experiment, &by_property, stamp))
            .collect()
    }

    fn figure(
        &self,
        experiment: &str,
        by_property: &BTreeMap<Property, Vec<&JobMeasure>>,
        stamp: &str,
    ) -> Figure {
        let mut panels: Vec<Panel> = Vec::new();
        let mut rows = Vec::new();
        let mut sentences = Vec::new();
        for (property, jobs) in by_property {
            let mut columns = Columns::default();
            for job in jobs {
                let algorithm = job.manifest.algorithm;
                columns.add(&job.manifest.skeletons, algorithm, (self.value)(job));
                if let Some(value) = (self.held_out)(job) {
                    columns.add("held out", algorithm, value);
                }
            }
            let target = jobs.first().map_or_else(String::new, |job| {
                target_text(job.manifest.target, job.manifest.tolerance)
            });
            let (name, unit) = (property.facts().title, property.unit());
            let title = format!("{name}, target {target} {unit}");
            let alone = by_property.len() == 1;
            panels.push(columns.panel(&title, self.y_label, alone).into());
            for (column, algorithm, values) in columns.iter() {
                let Some((mean, low, high)) = spread(values) else {
                    continue;
                };
                let algorithm = style_of(algorithm).name;
                sentences.push(format!("{name}, {column}, {algorithm}: {mean:.2}"));
                rows.push(vec![
                    property.to_string(),
                    column.to_owned(),
                    algorithm.to_owned(),
                    values.len().to_string(),
                    four(mean),
                    four(low),
                    four(high),
                ]);
            }
        }
        let jobs = by_property.values().flatten();
        Figure {
            name: format!("{}-{}", self.name, file_safe(experiment)),
            section: self.section,
            title: format!("{}: {experiment} \u{b7} {stamp}", self.title),
            caption: self.caption.to_owned(),
            alternative_text: format!("{} by skeleton. {}.", self.title, sentences.join("; ")),
            choice: None,
            table: DataTable {
                columns: vec![
                    "property",
                    "skeletons",
                    "algorithm",
                    "seeds",
                    "mean",
                    "smallest",
                    "largest",
                ],
                rows,
            },
            panels,
            legend: algorithms(jobs.map(|job| &job.manifest.algorithm)),
        }
    }
}
