//! What objectives of several terms trade against each other.

use std::collections::BTreeMap;

use crystalgym_benchmark::{CrystalValues, ObjectiveMeasure, pareto_front};
use crystalgym_environment::Term;

use super::{
    tasks::{TaskRuns, algorithms, by_task},
    text::four,
};
use crate::{
    axis::{Axis, Frame, extent, padded},
    canvas::Canvas,
    data::Run,
    figure::{DataTable, Figure, Section},
    marks::mark,
    palette::{rank, style_of},
};

const SIZE: (f64, f64) = (560.0, 360.0);

/// The different crystals of all runs of a task by the first two terms of its objective, and those that no
/// other beats in all terms.
pub(super) fn figures(runs: &[Run<'_>], stamp: &str) -> Vec<Figure> {
    let tasks = by_task(runs);
    tasks
        .iter()
        .filter_map(|task| figure(task, stamp))
        .collect()
}

fn figure(task: &TaskRuns<'_, '_>, stamp: &str) -> Option<Figure> {
    let measured = |run: &&&Run<'_>| run.training.objective.is_some();
    let first = task
        .runs
        .iter()
        .find(measured)?
        .training
        .objective
        .as_ref()?;
    // Runs of another objective are another figure's.
    let runs: Vec<(&Run<'_>, &ObjectiveMeasure)> = (task.runs.iter())
        .filter_map(|run| Some((*run, run.training.objective.as_ref()?)))
        .filter(|(_, objective)| objective.terms == first.terms)
        .collect();
    let terms = first.terms.terms();
    let (x_term, y_term) = (terms.first()?, terms.get(1)?);
    let mut different: BTreeMap<(&str, &str), (&Run<'_>, &CrystalValues)> = BTreeMap::new();
    for (run, objective) in &runs {
        for crystal in &objective.crystals {
            let key = (crystal.skeleton.as_str(), crystal.elements.as_str());
            different.entry(key).or_insert((run, crystal));
        }
    }
    let front = pareto_front(
        &first.terms,
        different.values().map(|(_, crystal)| *crystal),
    );
    let made_by = |crystal: &CrystalValues| {
        let key = (crystal.skeleton.as_str(), crystal.elements.as_str());
        different.get(&key).map(|(run, _)| run.label.algorithm)
    };
    let axis = |place: usize, from: f64, to: f64| {
        let values = different.values().map(|(_, crystal)| crystal.values[place]);
        let (low, high) = padded(extent(values).unwrap_or((0.0, 1.0)), 0.05);
        Axis::linear(low, high, from, to)
    };
    let (width, height) = SIZE;
    let frame = Frame {
        x: axis(0, 66.0, width - 14.0),
        y: axis(1, height - 42.0, 20.0),
        x_label: &axis_label(x_term),
        y_label: &axis_label(y_term),
    };
    let mut canvas = Canvas::new(width, height);
    frame.draw(&mut canvas);
    let mut order: Vec<&(&Run<'_>, &CrystalValues)> = different.values().collect();
    order.sort_by_key(|(run, _)| rank(run.label.algorithm));
    let at =
        |crystal: &CrystalValues| (frame.x.at(crystal.values[0]), frame.y.at(crystal.values[1]));
    for (run, crystal) in order {
        let class = format!(r#"class="d-{}""#, style_of(run.label.algorithm).key);
        canvas.circle(at(crystal), 2.2, &class);
    }
    let mut rows = Vec::new();
    for crystal in &front {
        let Some(algorithm) = made_by(crystal) else {
            continue;
        };
        let style = style_of(algorithm);
        let values = terms.iter().zip(&crystal.values);
        let values: Vec<String> = values
            .map(|(term, value)| format!("{} {}", term.property.name(), four(*value)))
            .collect();
        let shown = format!(
            "{} {}: {}",
            crystal.skeleton,
            crystal.elements,
            values.join(", ")
        );
        canvas.with_tooltip(&shown, |canvas| {
            mark(canvas, &style, at(crystal), 5.0, false)
        });
        rows.push(vec![
            crystal.skeleton.clone(),
            crystal.elements.clone(),
            style.name.to_owned(),
            values.join(" "),
        ]);
    }
    let [met, skipped] = [
        runs.iter()
            .map(|(_, objective)| objective.met)
            .sum::<usize>(),
        runs.iter()
            .map(|(_, objective)| objective.skipped)
            .sum::<usize>(),
    ];
    let wanted: Vec<String> = terms.iter().map(wanted).collect();
    Some(Figure {
        name: format!("pareto-{}", task.name()),
        section: Section::Properties,
        title: format!("Several objectives: {} \u{b7} {stamp}", wanted.join(", ")),
        caption: format!(
            "Dots: the {} different crystals of which all values are known; marks: the {} that no other beats in \
             all {} terms (the Pareto front). {met} of the crystals of all runs are in all terms as they should \
             be; of {skipped} something was not computed, since the rest decided.",
            different.len(),
            rows.len(),
            terms.len(),
        ),
        alternative_text: format!(
            "Scatter of {} against {} of {} crystals, {} of them on the Pareto front.",
            x_term.property.facts().title.to_lowercase(),
            y_term.property.facts().title.to_lowercase(),
            different.len(),
            rows.len(),
        ),
        choice: None,
        table: DataTable {
            columns: vec!["skeleton", "elements", "algorithm", "values"],
            rows,
        },
        panels: vec![canvas.into()],
        legend: algorithms(runs.iter().map(|(run, _)| &run.label.algorithm)),
    })
}

fn axis_label(term: &Term) -> String {
    let facts = term.property.facts();
    format!("{} ({})", facts.title, facts.unit)
}

/// `Band gap 1.12 eV`, `Energy above the hull at most 0.1 eV/atom`.
fn wanted(term: &Term) -> String {
    format!("{} {}", term.property.facts().title, term.aim_text())
}
