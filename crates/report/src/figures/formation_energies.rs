//! Formation energies of the crystals that were made.

use std::collections::BTreeMap;

use crystalgym_benchmark::JobMeasure;

use super::{histogram::Histogram, text::four};
use crate::{
    axis::{Axis, Frame},
    canvas::{Anchor, Canvas},
    figure::{DataTable, Figure, Panel, Section},
    palette::{AlgorithmStyle, rank, style_of},
};

const BINS: usize = 28;
const SIZE: (f64, f64) = (318.0, 216.0);

/// Formation energies of the crystals that the agents made, where they have been computed.
pub(super) fn figure(jobs: &[JobMeasure], stamp: &str) -> Option<Figure> {
    let mut algorithms: BTreeMap<usize, (AlgorithmStyle, Vec<f64>)> = BTreeMap::new();
    for job in jobs {
        let algorithm = job.manifest.algorithm;
        let (_, energies) = algorithms
            .entry(rank(algorithm))
            .or_insert_with(|| (style_of(algorithm), Vec::new()));
        energies.extend(&job.formation_energies_ev_per_atom);
    }
    algorithms.retain(|_, (_, energies)| !energies.is_empty());
    let all: Vec<f64> = algorithms
        .values()
        .flat_map(|(_, e)| e.iter().copied())
        .collect();
    let histogram = Histogram::around(&all, Some(0.0), BINS)?;
    let most = algorithms
        .values()
        .flat_map(|(_, energies)| histogram.count(energies))
        .max()
        .unwrap_or(1);
    let mut panels: Vec<Panel> = Vec::new();
    let mut rows = Vec::new();
    let mut sentences = Vec::new();
    for (style, energies) in algorithms.values() {
        let counts = histogram.count(energies);
        panels.push(panel(style, &counts, &histogram, most).into());
        let below = energies.iter().filter(|energy| **energy < 0.0).count();
        sentences.push(format!(
            "{}: {below} of {} below zero",
            style.name,
            energies.len()
        ));
        for (bin, count) in counts.iter().enumerate().filter(|(_, count)| **count > 0) {
            let (from, to) = histogram.edges(bin);
            rows.push(vec![
                style.name.to_owned(),
                four(from),
                four(to),
                count.to_string(),
            ]);
        }
    }
    Some(Figure {
        name: "formation_energies".to_owned(),
        section: Section::Properties,
        title: format!("Formation energies of the crystals made \u{b7} {stamp}"),
        caption: format!(
            "Against the elements, computed by the same calculator; the line is at zero, below which \
             a crystal is bound with respect to its elements. That does not make it stable against \
             other compounds. {}.",
            sentences.join("; ")
        ),
        alternative_text: format!(
            "Histograms of formation energies. {}.",
            sentences.join("; ")
        ),
        choice: None,
        table: DataTable {
            columns: vec!["algorithm", "from (eV/atom)", "to (eV/atom)", "crystals"],
            rows,
        },
        panels,
        legend: Vec::new(),
    })
}

fn panel(style: &AlgorithmStyle, counts: &[usize], histogram: &Histogram, most: usize) -> Canvas {
    let (width, height) = SIZE;
    let mut canvas = Canvas::new(width, height);
    let x = Axis::linear(histogram.low, histogram.high, 54.0, width - 14.0);
    let y = Axis::linear(0.0, 1.06 * most as f64, height - 42.0, 34.0);
    canvas.text(
        (54.0, 16.0),
        Anchor::Start,
        &format!("t-{}", style.key),
        style.name,
    );
    let frame = Frame {
        x,
        y,
        x_label: "Formation energy (eV/atom)",
        y_label: "Crystals",
    };
    frame.draw(&mut canvas);
    let counts: Vec<f64> = counts.iter().map(|count| *count as f64).collect();
    let outline = histogram.outline(&counts, &x, &y);
    canvas.polygon(&outline, &format!("b-{}", style.key));
    canvas.polyline(&outline, &format!("l-{}", style.key));
    canvas.line((x.at(0.0), 26.0), (x.at(0.0), height - 42.0), "target");
    canvas
}
