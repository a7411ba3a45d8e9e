//! Properties at the start and at the end of training.

use std::collections::BTreeMap;

use super::{
    histogram::Histogram,
    tasks::{TaskRuns, by_task},
    text::four,
};
use crate::{
    axis::{Axis, Frame},
    canvas::{Anchor, Canvas},
    data::Run,
    figure::{DataTable, Figure, Panel, Section},
    palette::{AlgorithmStyle, rank, style_of},
};

const BINS: usize = 28;
const SIZE: (f64, f64) = (318.0, 216.0);

/// The values of a part of an algorithm's episodes; failures are no values.
#[derive(Default)]
struct Part {
    values: Vec<f64>,
    episodes: usize,
}

/// Properties of the crystals at the start and at the end of training, with the target.
pub(super) fn figures(runs: &[Run<'_>], stamp: &str) -> Vec<Figure> {
    let tasks = by_task(runs);
    tasks
        .iter()
        .filter_map(|task| figure(task, stamp))
        .collect()
}

fn figure(task: &TaskRuns<'_, '_>, stamp: &str) -> Option<Figure> {
    let mut algorithms: BTreeMap<usize, (AlgorithmStyle, [Part; 2])> = BTreeMap::new();
    for run in &task.runs {
        let algorithm = run.label.algorithm;
        let (_, [first, last]) = algorithms
            .entry(rank(algorithm))
            .or_insert_with(|| (style_of(algorithm), Default::default()));
        let values = &run.training.values;
        let quarter = values.len().div_ceil(4);
        first.add(&values[..quarter]);
        last.add(&values[values.len() - quarter..]);
    }
    let parts = algorithms.values().flat_map(|(_, parts)| parts);
    let all: Vec<f64> = parts.flat_map(|part| part.values.iter().copied()).collect();
    let histogram = Histogram::around(&all, Some(task.target), BINS)?;
    let most = algorithms
        .values()
        .flat_map(|(_, parts)| parts)
        .flat_map(|part| part.shares(&histogram))
        .fold(1.0, f64::max);
    let mut panels: Vec<Panel> = Vec::new();
    let mut rows = Vec::new();
    let mut sentences = Vec::new();
    for (style, parts) in algorithms.values() {
        panels.push(panel(task, style, parts, &histogram, most).into());
        for (name, part) in [("first quarter", &parts[0]), ("last quarter", &parts[1])] {
            let mean = part.values.iter().sum::<f64>() / part.values.len().max(1) as f64;
            let shown = match part.values.is_empty() {
                true => String::new(),
                false => four(mean),
            };
            if name == "last quarter" {
                sentences.push(format!("{}: mean {shown} at the end", style.name));
            }
            let counts = histogram.count(&part.values);
            for (bin, count) in counts.iter().enumerate().filter(|(_, count)| **count > 0) {
                let (from, to) = histogram.edges(bin);
                rows.push(vec![
                    style.name.to_owned(),
                    name.to_owned(),
                    four(from),
                    four(to),
                    count.to_string(),
                    part.episodes.to_string(),
                ]);
            }
        }
    }
    let (name, unit) = (task.property.facts().title, task.property.unit());
    Some(Figure {
        name: format!("properties-{}", task.name()),
        section: Section::Properties,
        title: format!("Crystals made: {} \u{b7} {stamp}", task.title()),
        caption: "Grey: the first quarter of each run's episodes; colour: the last quarter; all \
                  seeds and skeletons together. Shares are of all episodes, so that what failed is \
                  missing from the sum. The outermost bins hold what lies beyond."
            .to_owned(),
        alternative_text: format!(
            "Histograms of the {} in {unit}, target {}. {}.",
            name.to_lowercase(),
            task.target_text,
            sentences.join("; ")
        ),
        choice: None,
        table: DataTable {
            columns: vec!["algorithm", "episodes", "from", "to", "crystals", "of"],
            rows,
        },
        panels,
        legend: Vec::new(),
    })
}

impl Part {
    fn add(&mut self, values: &[f32]) {
        self.episodes += values.len();
        let finite = values.iter().filter(|value| value.is_finite());
        self.values.extend(finite.map(|value| f64::from(*value)));
    }

    /// Per cent of the episodes in each bin.
    fn shares(&self, histogram: &Histogram) -> Vec<f64> {
        let counts = histogram.count(&self.values).into_iter();
        let share = 100.0 / self.episodes.max(1) as f64;
        counts.map(|count| share * count as f64).collect()
    }
}

fn panel(
    task: &TaskRuns<'_, '_>,
    style: &AlgorithmStyle,
    [first, last]: &[Part; 2],
    histogram: &Histogram,
    most: f64,
) -> Canvas {
    let (width, height) = SIZE;
    let mut canvas = Canvas::new(width, height);
    let x = Axis::linear(histogram.low, histogram.high, 54.0, width - 14.0);
    let y = Axis::linear(0.0, 1.06 * most, height - 42.0, 34.0);
    canvas.text(
        (54.0, 16.0),
        Anchor::Start,
        &format!("t-{}", style.key),
        style.name,
    );
    let unit = task.property.unit();
    let frame = Frame {
        x,
        y,
        x_label: &format!("{} ({unit})", task.property.facts().title),
        y_label: "Episodes (%)",
    };
    frame.draw(&mut canvas);
    let outline = histogram.outline(&first.shares(histogram), &x, &y);
    canvas.polygon(&outline, "before");
    let outline = histogram.outline(&last.shares(histogram), &x, &y);
    canvas.polygon(&outline, &format!("b-{}", style.key));
    canvas.polyline(&outline, &format!("l-{}", style.key));
    let at = x.at(task.target);
    canvas.line((at, 26.0), (at, height - 42.0), "target");
    let (anchor, beside) = match at > 0.6 * width {
        true => (Anchor::End, at - 5.0),
        false => (Anchor::Start, at + 5.0),
    };
    let label = format!("target {} {unit}", task.target_text);
    canvas.text((beside, 30.0), anchor, "small", &label);
    canvas
}
