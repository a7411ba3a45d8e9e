//! Failed episodes by element.

use std::collections::BTreeMap;

use crystalgym_crystal::Element;
use crystalgym_evaluation::Property;

use super::text::percent;
use crate::{
    canvas::{Anchor, Canvas, short},
    data::Run,
    figure::{DataTable, Figure, Panel, Section},
};

const CELL: (f64, f64) = (38.0, 38.0);
const LEFT: f64 = 12.0;
const TOP: f64 = 30.0;

/// Shares of failed episodes among those whose crystal holds an element, as a periodic table.
pub(super) fn figure(runs: &[Run<'_>], stamp: &str) -> Option<Figure> {
    let mut properties: BTreeMap<Property, BTreeMap<Element, (usize, usize)>> = BTreeMap::new();
    for run in runs {
        let elements = properties.entry(run.label.property).or_default();
        for (symbol, (failed, all)) in &run.training.failures_by_element {
            if let Ok(element) = symbol.parse::<Element>() {
                let sum = elements.entry(element).or_default();
                sum.0 += failed;
                sum.1 += all;
            }
        }
    }
    let mut panels: Vec<Panel> = Vec::new();
    let mut table = Vec::new();
    let mut sentences = Vec::new();
    for (property, elements) in &properties {
        panels.push(panel(property.facts().title, elements).into());
        let mut worst: Vec<(f64, Element)> = Vec::new();
        for (element, (failed, all)) in elements {
            let share = *failed as f64 / (*all).max(1) as f64;
            worst.push((share, *element));
            table.push(vec![
                property.to_string(),
                element.to_string(),
                all.to_string(),
                failed.to_string(),
                percent(share),
            ]);
        }
        worst.sort_by(|a, b| b.0.total_cmp(&a.0));
        let worst: Vec<String> = (worst.iter().take(3))
            .map(|(share, element)| format!("{element} {}", percent(*share)))
            .collect();
        let name = property.facts().title;
        sentences.push(format!("{name}, most with {}", worst.join(", ")));
    }
    if table.is_empty() {
        return None;
    }
    Some(Figure {
        name: "failures_by_element".to_owned(),
        section: Section::Failures,
        title: format!("Failed episodes by element \u{b7} {stamp}"),
        caption: "Share of failures, in per cent, among the training episodes whose crystal holds \
                  the element, of all algorithms together. Framed: no episode."
            .to_owned(),
        alternative_text: format!(
            "Periodic tables of failure rates. {}.",
            sentences.join("; ")
        ),
        choice: None,
        table: DataTable {
            columns: vec!["property", "element", "episodes", "failed", "share"],
            rows: table,
        },
        panels,
        legend: Vec::new(),
    })
}

/// Row and column of an element; lanthanum stands in its gap, other elements of the f block below.
fn place(element: Element) -> (f64, f64) {
    let data = element.data();
    let number = element.atomic_number();
    match number {
        57 | 89 => (f64::from(data.period), 3.0),
        58..=71 => (8.4, f64::from(number) - 54.0),
        90..=103 => (9.4, f64::from(number) - 86.0),
        _ => (f64::from(data.period), f64::from(data.group)),
    }
}

fn panel(title: &str, elements: &BTreeMap<Element, (usize, usize)>) -> Canvas {
    let f_block = elements.keys().any(|element| place(*element).0 > 7.0);
    let rows = match f_block {
        true => 9.4,
        // The empty seventh period would only take room.
        false => 6.0,
    };
    let width = LEFT + 18.0 * CELL.0 + 12.0;
    let mut canvas = Canvas::new(width, TOP + rows * CELL.1 + 12.0);
    canvas.text((LEFT, 16.0), Anchor::Start, "title", title);
    scale(&mut canvas, LEFT + 4.0 * CELL.0, TOP + 6.0);
    for element in Element::all() {
        let (row, column) = place(element);
        if row > rows + 0.01 {
            continue;
        }
        let corner = (LEFT + (column - 1.0) * CELL.0, TOP + (row - 1.0) * CELL.1);
        let size = (CELL.0 - 2.0, CELL.1 - 2.0);
        let Some((failed, all)) = elements.get(&element) else {
            canvas.rect(corner, size, r#"rx="3" class="empty""#);
            continue;
        };
        let share = *failed as f64 / (*all).max(1) as f64;
        let (fill, text) = colour(share);
        let tooltip = format!("{}: {failed} of {all} episodes failed", element.data().name);
        canvas.with_tooltip(&tooltip, |canvas| {
            canvas.rect(corner, size, &format!(r#"rx="3" fill="{fill}""#));
            let middle = corner.0 + 0.5 * size.0;
            let class = format!("cell {text}");
            canvas.text(
                (middle, corner.1 + 16.0),
                Anchor::Middle,
                &class,
                element.symbol(),
            );
            let class = format!("number {text}");
            let label = format!("{:.0}", 100.0 * share);
            canvas.text((middle, corner.1 + 29.0), Anchor::Middle, &class, &label);
        });
    }
    canvas
}

/// The colours of shares from 0 to 1, in the gap above the transition metals.
fn scale(canvas: &mut Canvas, left: f64, top: f64) {
    let (steps, width) = (50, 5.0 * CELL.0);
    for step in 0..steps {
        let (fill, _) = colour(f64::from(step) / f64::from(steps - 1));
        let x = left + width * f64::from(step) / f64::from(steps);
        let w = short(width / f64::from(steps) + 0.4);
        let x = short(x);
        canvas.raw(&format!(
            r#"<rect x="{x}" y="{}" width="{w}" height="9" fill="{fill}"/>"#,
            short(top)
        ));
    }
    for (share, label) in [(0.0, "0"), (0.5, "50"), (1.0, "100 % failed")] {
        let x = left + share * width;
        canvas.text((x, top + 23.0), Anchor::Middle, "tick", label);
    }
}

/// Ends and middles of a scale of even lightness that is clear to all kinds of colour vision
/// (the points of "cividis").
const STOPS: [(f64, [f64; 3]); 5] = [
    (0.0, [253.0, 231.0, 138.0]),
    (0.25, [190.0, 176.0, 120.0]),
    (0.5, [124.0, 123.0, 120.0]),
    (0.75, [66.0, 78.0, 107.0]),
    (1.0, [0.0, 32.0, 81.0]),
];

/// Fill of a share, and the class of text upon it.
fn colour(share: f64) -> (String, &'static str) {
    let share = share.clamp(0.0, 1.0);
    let upper = STOPS
        .iter()
        .position(|(at, _)| *at >= share)
        .unwrap_or(4)
        .max(1);
    let ((from, low), (to, high)) = (STOPS[upper - 1], STOPS[upper]);
    let part = (share - from) / (to - from);
    let mixed: [u8; 3] =
        std::array::from_fn(|i| (low[i] + part * (high[i] - low[i])).round() as u8);
    let text = if share < 0.45 { "on-light" } else { "on-dark" };
    (
        format!("#{:02x}{:02x}{:02x}", mixed[0], mixed[1], mixed[2]),
        text,
    )
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn no_two_elements_share_a_cell() {
        let places: BTreeSet<(i64, i64)> = Element::all()
            .map(place)
            .map(|(row, column)| ((10.0 * row) as i64, (10.0 * column) as i64))
            .collect();
        assert_eq!(places.len(), 118);
        assert!(places.iter().all(|(_, column)| (10..=180).contains(column)));
    }
}
