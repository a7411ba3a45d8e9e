//! Interquartile means with their intervals.

use std::collections::BTreeMap;

use crystalgym_benchmark::{
    JobMeasure, RolloutKind, interquartile_mean, interquartile_mean_interval,
};
use crystalgym_evaluation::Property;
use crystalgym_training::Algorithm;

use super::text::four;
use crate::{
    axis::{Axis, extent, padded},
    canvas::{Anchor, Canvas},
    figure::{DataTable, Figure, Panel, Section, WIDE_PANEL},
    marks::mark,
    palette::{rank, style_of},
};

struct Row {
    algorithm: Algorithm,
    jobs: usize,
    mean: f64,
    interval: Option<(f64, f64)>,
}

/// Interquartile means of the greedy policies with bootstrap intervals; those of the best finds of
/// searches, which are no policies, in a figure of their own.
pub(super) fn figures(jobs: &[JobMeasure], stamp: &str) -> Vec<Figure> {
    let figures = RolloutKind::ALL.map(|kind| figure(jobs, kind, stamp));
    figures.into_iter().flatten().collect()
}

fn figure(jobs: &[JobMeasure], kind: RolloutKind, stamp: &str) -> Option<Figure> {
    // By experiment, property and algorithm: the returns of each set of skeletons.
    type Strata<'a> = BTreeMap<usize, (Algorithm, BTreeMap<&'a str, Vec<f64>>)>;
    let mut tasks: BTreeMap<(&str, Property), Strata<'_>> = BTreeMap::new();
    for job in jobs.iter().filter(|job| job.rollout_kind() == kind) {
        let m = &job.manifest;
        let algorithms = tasks
            .entry((m.experiment.as_str(), m.property))
            .or_default();
        let (_, strata) = algorithms
            .entry(rank(m.algorithm))
            .or_insert_with(|| (m.algorithm, BTreeMap::new()));
        strata
            .entry(&m.skeletons)
            .or_default()
            .push(job.greedy_return);
    }
    let alone = tasks.len() == 1;
    let mut panels: Vec<Panel> = Vec::new();
    let mut table = Vec::new();
    let mut sentences = Vec::new();
    for ((experiment, property), algorithms) in tasks {
        let rows: Vec<Row> = algorithms
            .into_values()
            .filter_map(|(algorithm, strata)| {
                let strata: Vec<Vec<f64>> = strata.into_values().collect();
                let all = strata.concat();
                Some(Row {
                    algorithm,
                    jobs: all.len(),
                    mean: interquartile_mean(&all)?,
                    interval: interquartile_mean_interval(&strata),
                })
            })
            .collect();
        let title = format!("{} ({experiment})", property.facts().title);
        panels.push(panel(&title, &rows, alone).into());
        for row in rows {
            let name = style_of(row.algorithm).name;
            sentences.push(format!("{title}, {name}: {:.2}", row.mean));
            let bound = |value: Option<f64>| value.map_or("one seed".to_owned(), four);
            table.push(vec![
                experiment.to_owned(),
                property.to_string(),
                name.to_owned(),
                row.jobs.to_string(),
                four(row.mean),
                bound(row.interval.map(|(low, _)| low)),
                bound(row.interval.map(|(_, high)| high)),
            ]);
        }
    }
    if panels.is_empty() {
        return None;
    }
    Some(Figure {
        name: match kind {
            RolloutKind::Policy => "interquartile_mean",
            RolloutKind::BestFind => "interquartile_mean_searches",
        }
        .to_owned(),
        section: Section::Performance,
        title: format!(
            "Interquartile mean of the {} of {} \u{b7} {stamp}",
            kind.name(),
            kind.group()
        ),
        caption: format!(
            "Mean of the middle half of all jobs, over skeletons and seeds. Line: 95 % of 2000 \
             bootstrap samples drawn within each set of skeletons; none where there is one seed. {}",
            kind.explanation()
        ),
        alternative_text: format!("Interquartile means. {}.", sentences.join("; ")),
        choice: None,
        table: DataTable {
            columns: vec![
                "experiment",
                "property",
                "algorithm",
                "jobs",
                "mean",
                "2.5 %",
                "97.5 %",
            ],
            rows: table,
        },
        panels,
        legend: Vec::new(),
    })
}

/// A panel that is alone in its figure fills the card.
fn panel(title: &str, rows: &[Row], alone: bool) -> Canvas {
    let width = if alone { WIDE_PANEL } else { 318.0 };
    let (left, top, pitch) = (88.0, 34.0, 26.0);
    let bottom = top + pitch * rows.len() as f64;
    let mut canvas = Canvas::new(width, bottom + 40.0);
    canvas.text((14.0, 16.0), Anchor::Start, "title", title);
    let values = rows.iter().flat_map(|row| {
        let (low, high) = row.interval.unwrap_or((row.mean, row.mean));
        [row.mean, low, high]
    });
    let (low, high) = padded(extent(values).unwrap_or((0.0, 1.0)), 0.08);
    let x = Axis::linear(low, high, left, width - 16.0);
    for (value, label) in x.ticks(5) {
        let at = x.at(value);
        canvas.line((at, top - 4.0), (at, bottom), "grid");
        canvas.text((at, bottom + 15.0), Anchor::Middle, "tick", &label);
    }
    canvas.line((left, bottom), (width - 16.0, bottom), "axis");
    let middle = 0.5 * (left + width - 16.0);
    canvas.text((middle, bottom + 31.0), Anchor::Middle, "label", "Return");
    for (index, row) in rows.iter().enumerate() {
        let style = style_of(row.algorithm);
        let y = top + pitch * (index as f64 + 0.5);
        let class = format!("t-{}", style.key);
        canvas.text((left - 10.0, y + 4.0), Anchor::End, &class, style.name);
        let tooltip = match row.interval {
            Some((low, high)) => {
                format!("{}: {:.3} ({low:.3} to {high:.3})", style.name, row.mean)
            }
            None => format!("{}: {:.3} (one seed)", style.name, row.mean),
        };
        canvas.with_tooltip(&tooltip, |canvas| {
            if let Some((low, high)) = row.interval {
                let class = format!("l-{}", style.key);
                canvas.line((x.at(low), y), (x.at(high), y), &class);
            }
            mark(canvas, &style, (x.at(row.mean), y), 5.0, false);
        });
    }
    canvas
}
