//! Different crystals and new compositions.

use std::collections::{BTreeMap, BTreeSet};

use crystalgym_benchmark::{JobMeasure, ReducedElements};

use super::{
    tasks::{TaskRuns, by_task},
    text::percent,
};
use crate::{
    axis::Axis,
    canvas::{Anchor, Canvas},
    data::{ReportData, Run},
    figure::{DataTable, Figure, Panel, Section},
    marks::mark,
    palette::{AlgorithmStyle, rank, style_of},
};

struct Row {
    style: AlgorithmStyle,
    episodes: usize,
    /// Different crystals, seed by seed.
    distinct: u64,
    /// Different crystals among the final rollouts, seed by seed, and all of these.
    rollouts: (usize, usize),
    compositions: usize,
    new: usize,
}

impl Row {
    fn training_share(&self) -> f64 {
        self.distinct as f64 / self.episodes.max(1) as f64
    }

    fn rollout_share(&self) -> Option<f64> {
        let (distinct, all) = self.rollouts;
        (all > 0).then(|| distinct as f64 / all as f64)
    }
}

/// Different crystals and new compositions.
pub(super) fn figure(data: &ReportData, runs: &[Run<'_>]) -> Option<Figure> {
    let mut panels: Vec<Panel> = Vec::new();
    let mut table = Vec::new();
    let mut sentences = Vec::new();
    for task in by_task(runs) {
        let rows = rows(&task, data);
        panels.push(panel(&task, &rows).into());
        for row in rows {
            let (distinct, all) = row.rollouts;
            let name = row.style.name;
            let share = percent(row.training_share());
            sentences.push(format!("{}, {name}: {share}", task.title()));
            table.push(vec![
                task.experiment.to_owned(),
                task.property.to_string(),
                name.to_owned(),
                row.episodes.to_string(),
                row.distinct.to_string(),
                share,
                format!("{distinct} of {all}"),
                row.compositions.to_string(),
                row.new.to_string(),
            ]);
        }
    }
    if panels.is_empty() {
        return None;
    }
    Some(Figure {
        name: "uniqueness".to_owned(),
        section: Section::Uniqueness,
        title: format!(
            "Different crystals and new compositions \u{b7} {}",
            data.stamp
        ),
        caption: format!(
            "Filled: different crystals among the final rollouts (greedy and sampled), counted seed \
             by seed; hollow: among the training episodes, fillings that the skeleton's symmetry \
             turns into each other counted once. Compositions: of all training episodes, in lowest \
             terms. New: not among {}; nothing is said about other data bases.",
            data.reference.name
        ),
        alternative_text: format!("Shares of different crystals. {}.", sentences.join("; ")),
        choice: None,
        table: DataTable {
            columns: vec![
                "experiment",
                "property",
                "algorithm",
                "episodes",
                "different",
                "share",
                "different rollouts",
                "compositions",
                "new",
            ],
            rows: table,
        },
        panels,
        legend: Vec::new(),
    })
}

fn rows(task: &TaskRuns<'_, '_>, data: &ReportData) -> Vec<Row> {
    let mut rows: BTreeMap<usize, (Row, BTreeSet<&ReducedElements>)> = BTreeMap::new();
    for run in &task.runs {
        let algorithm = run.label.algorithm;
        let (row, compositions) = rows.entry(rank(algorithm)).or_insert_with(|| {
            let row = Row {
                style: style_of(algorithm),
                episodes: 0,
                distinct: 0,
                rollouts: (0, 0),
                compositions: 0,
                new: 0,
            };
            (row, BTreeSet::new())
        });
        row.episodes += run.training.episodes;
        row.distinct += run.training.found.distinct;
        compositions.extend(&run.training.found.compositions);
    }
    for job in &data.jobs {
        let manifest = &job.manifest;
        let of_task = manifest.experiment == task.experiment && manifest.property == task.property;
        if let Some((row, _)) = rows.get_mut(&rank(manifest.algorithm)).filter(|_| of_task) {
            add_rollouts(row, job);
        }
    }
    let known = &data.reference.compositions;
    rows.into_values()
        .map(|(row, compositions)| Row {
            compositions: compositions.len(),
            new: compositions.iter().filter(|c| !known.contains(**c)).count(),
            ..row
        })
        .collect()
}

fn add_rollouts(row: &mut Row, job: &JobMeasure) {
    row.rollouts.0 += job.unique_rollouts.0;
    row.rollouts.1 += job.unique_rollouts.1;
}

fn panel(task: &TaskRuns<'_, '_>, rows: &[Row]) -> Canvas {
    let (width, left, top, pitch) = (410.0, 88.0, 48.0, 26.0);
    let right = width - 118.0;
    let bottom = top + pitch * rows.len() as f64;
    let mut canvas = Canvas::new(width, bottom + 42.0);
    canvas.text((14.0, 16.0), Anchor::Start, "title", &task.title());
    canvas.text(
        (right + 14.0, 38.0),
        Anchor::Start,
        "small",
        "new compositions",
    );
    let x = Axis::linear(0.0, 100.0, left, right);
    for (value, label) in x.ticks(5) {
        let at = x.at(value);
        canvas.line((at, top - 4.0), (at, bottom), "grid");
        canvas.text((at, bottom + 15.0), Anchor::Middle, "tick", &label);
    }
    canvas.line((left, bottom), (right, bottom), "axis");
    let label = "Different crystals (%)";
    canvas.text(
        (0.5 * (left + right), bottom + 32.0),
        Anchor::Middle,
        "label",
        label,
    );
    for (index, row) in rows.iter().enumerate() {
        let y = top + pitch * (index as f64 + 0.5);
        let class = format!("t-{}", row.style.key);
        canvas.text((left - 10.0, y + 4.0), Anchor::End, &class, row.style.name);
        let training = x.at(100.0 * row.training_share());
        if let Some(share) = row.rollout_share() {
            let rollouts = x.at(100.0 * share);
            canvas.line(
                (training, y),
                (rollouts, y),
                &format!("l-{}", row.style.key),
            );
            mark(&mut canvas, &row.style, (training, y), 4.6, true);
            mark(&mut canvas, &row.style, (rollouts, y), 4.6, false);
        } else {
            mark(&mut canvas, &row.style, (training, y), 4.6, true);
        }
        let new = format!("{} of {}", row.new, row.compositions);
        canvas.text((right + 14.0, y + 4.0), Anchor::Start, "text", &new);
    }
    canvas
}
