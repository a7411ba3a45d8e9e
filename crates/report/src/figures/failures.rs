//! Failed episodes by code.

use std::collections::BTreeMap;

use crystalgym_evaluation::Property;
use crystalgym_training::Algorithm;

use super::{tasks::algorithms, text::percent};
use crate::{
    axis::Axis,
    canvas::{Anchor, Canvas},
    data::Run,
    figure::{DataTable, Figure, Panel, Section},
    marks::mark,
    palette::{rank, style_of},
};

/// Failed episodes of an algorithm by code, and all of its episodes.
type Counts<'a> = (Algorithm, BTreeMap<&'a str, usize>, usize);

/// Name of the row of all codes together.
const ANY: &str = "any failure";

/// Failure rates by code and algorithm, a panel for each property.
pub(super) fn figure(runs: &[Run<'_>], stamp: &str) -> Option<Figure> {
    let mut properties: BTreeMap<Property, BTreeMap<usize, Counts<'_>>> = BTreeMap::new();
    for run in runs {
        let algorithm = run.label.algorithm;
        let counts = properties
            .entry(run.label.property)
            .or_default()
            .entry(rank(algorithm))
            .or_insert_with(|| (algorithm, BTreeMap::new(), 0));
        counts.2 += run.training.episodes;
        for (code, count) in &run.training.failures {
            *counts.1.entry(code).or_default() += count;
            *counts.1.entry(ANY).or_default() += count;
        }
    }
    if properties.is_empty() {
        return None;
    }
    let mut panels: Vec<Panel> = Vec::new();
    let mut table = Vec::new();
    let mut sentences = Vec::new();
    for (property, counts) in &properties {
        let counts: Vec<&Counts<'_>> = counts.values().collect();
        let codes = codes(&counts);
        panels.push(panel(property.facts().title, &codes, &counts).into());
        for code in &codes {
            for (algorithm, by_code, episodes) in &counts {
                let count = by_code.get(code).copied().unwrap_or(0);
                let share = percent(count as f64 / (*episodes).max(1) as f64);
                let name = style_of(*algorithm).name;
                if *code == ANY {
                    sentences.push(format!("{}, {name}: {share}", property.facts().title));
                }
                table.push(vec![
                    property.to_string(),
                    (*code).to_owned(),
                    name.to_owned(),
                    count.to_string(),
                    episodes.to_string(),
                    share,
                ]);
            }
        }
    }
    Some(Figure {
        name: "failures".to_owned(),
        section: Section::Failures,
        title: format!("Failed episodes by code and algorithm \u{b7} {stamp}"),
        caption:
            "Share of all training episodes, whether the result was computed or came from the \
                  store."
                .to_owned(),
        alternative_text: format!("Share of failed episodes. {}.", sentences.join("; ")),
        choice: None,
        table: DataTable {
            columns: vec![
                "property",
                "code",
                "algorithm",
                "failed",
                "episodes",
                "share",
            ],
            rows: table,
        },
        panels,
        legend: algorithms(runs.iter().map(|run| &run.label.algorithm)),
    })
}

/// The most frequent code first, all together before them.
fn codes<'a>(counts: &[&Counts<'a>]) -> Vec<&'a str> {
    let mut sums: BTreeMap<&str, usize> = BTreeMap::from([(ANY, 0)]);
    for (_, by_code, _) in counts {
        for (code, count) in by_code {
            *sums.entry(*code).or_default() += count;
        }
    }
    let mut codes: Vec<(&str, usize)> = sums.into_iter().collect();
    codes.sort_by_key(|(code, count)| (*code != ANY, std::cmp::Reverse(*count)));
    codes.into_iter().map(|(code, _)| code).collect()
}

fn panel(title: &str, codes: &[&str], counts: &[&Counts<'_>]) -> Canvas {
    let (width, left, top) = (410.0, 158.0, 34.0);
    let pitch = (9.0 * counts.len() as f64 + 10.0).max(24.0);
    let bottom = top + pitch * codes.len() as f64;
    let mut canvas = Canvas::new(width, bottom + 42.0);
    canvas.text((14.0, 16.0), Anchor::Start, "title", title);
    let shares = counts.iter().flat_map(|(_, by_code, episodes)| {
        let all = (*episodes).max(1) as f64;
        by_code
            .values()
            .map(move |count| 100.0 * *count as f64 / all)
    });
    let most = shares.fold(0.0, f64::max);
    if most == 0.0 {
        let episodes: usize = counts.iter().map(|(_, _, episodes)| episodes).sum();
        let mut canvas = Canvas::new(width, 58.0);
        canvas.text((14.0, 16.0), Anchor::Start, "title", title);
        let none = format!("None of {episodes} episodes failed.");
        canvas.text((14.0, 40.0), Anchor::Start, "text", &none);
        return canvas;
    }
    let x = Axis::linear(0.0, (1.06 * most).clamp(1.0, 100.0), left, width - 18.0);
    for (value, label) in x.ticks(5) {
        let at = x.at(value);
        canvas.line((at, top), (at, bottom), "grid");
        canvas.text((at, bottom + 15.0), Anchor::Middle, "tick", &label);
    }
    canvas.line((left, bottom), (width - 18.0, bottom), "axis");
    let middle = 0.5 * (left + width - 18.0);
    let label = "Share of the episodes (%)";
    canvas.text((middle, bottom + 32.0), Anchor::Middle, "label", label);
    for (row, code) in codes.iter().enumerate() {
        let y = top + pitch * (row as f64 + 0.5);
        let class = if *code == ANY { "title" } else { "text" };
        canvas.text(
            (left - 10.0, y + 4.0),
            Anchor::End,
            class,
            &code.replace('_', " "),
        );
        if row > 0 {
            let edge = top + pitch * row as f64;
            canvas.line((left - 4.0, edge), (width - 18.0, edge), "grid");
        }
        for (place, (algorithm, by_code, episodes)) in counts.iter().enumerate() {
            let count = by_code.get(code).copied().unwrap_or(0);
            let share = count as f64 / (*episodes).max(1) as f64;
            let style = style_of(*algorithm);
            let y = y + 9.0 * (place as f64 - 0.5 * (counts.len() as f64 - 1.0));
            let at = x.at(100.0 * share);
            let tooltip = format!("{}, {code}: {count} of {episodes}", style.name);
            canvas.with_tooltip(&tooltip, |canvas| {
                let class = format!("l-{}", style.key);
                canvas.line((left, y), (at, y), &class);
                mark(canvas, &style, (at, y), 4.0, false);
            });
        }
    }
    canvas
}
