//! Values of seeds by skeleton and algorithm.

use std::collections::BTreeMap;

use crystalgym_training::Algorithm;

use crate::{
    axis::{Axis, extent, padded, spread},
    canvas::{Anchor, Canvas},
    figure::WIDE_PANEL,
    marks::mark,
    palette::{rank, style_of},
};

/// The values of the seeds, by column of the panel and by algorithm.
#[derive(Default)]
pub(super) struct Columns {
    columns: BTreeMap<String, BTreeMap<usize, (Algorithm, Vec<f64>)>>,
}

impl Columns {
    pub(super) fn add(&mut self, column: &str, algorithm: Algorithm, value: f64) {
        let by_algorithm = self.columns.entry(column.to_owned()).or_default();
        let (_, values) = by_algorithm
            .entry(rank(algorithm))
            .or_insert_with(|| (algorithm, Vec::new()));
        values.push(value);
    }

    /// Column, algorithm, values, in the order in which they are drawn.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, Algorithm, &[f64])> {
        self.columns.iter().flat_map(|(column, by_algorithm)| {
            by_algorithm
                .values()
                .map(move |(algorithm, values)| (column.as_str(), *algorithm, values.as_slice()))
        })
    }

    /// A column for each set of skeletons: a mark at the mean of the seeds, a line from the smallest
    /// to the largest, a dot for each.
    ///
    /// A panel that is alone in its figure fills the card.
    pub(super) fn panel(&self, title: &str, y_label: &str, alone: bool) -> Canvas {
        let most = self.columns.values().map(BTreeMap::len).max().unwrap_or(1);
        let column = (17.0 * most as f64 + 22.0).max(62.0);
        let (left, height) = (66.0, 258.0);
        let least = if alone { WIDE_PANEL } else { 300.0 };
        let width = (left + column * self.columns.len() as f64 + 12.0).max(least);
        let column = (width - left - 12.0) / self.columns.len().max(1) as f64;
        let mut canvas = Canvas::new(width, height);
        canvas.text((left, 16.0), Anchor::Start, "title", title);
        let values = self
            .iter()
            .flat_map(|(_, _, values)| values.iter().copied());
        let (low, high) = padded(extent(values).unwrap_or((0.0, 1.0)), 0.08);
        let y = Axis::linear(low, high, height - 30.0, 32.0);
        let right = width - 12.0;
        for (value, label) in y.ticks(6) {
            let at = y.at(value);
            canvas.line((left, at), (right, at), "grid");
            canvas.text((left - 6.0, at + 3.8), Anchor::End, "tick", &label);
        }
        canvas.line((left, height - 30.0), (right, height - 30.0), "axis");
        canvas.vertical_text((12.0, 0.5 * (height + 2.0)), "label", y_label);
        for (index, (name, by_algorithm)) in self.columns.iter().enumerate() {
            let middle = left + column * (index as f64 + 0.5);
            canvas.text((middle, height - 12.0), Anchor::Middle, "text", name);
            let count = by_algorithm.len() as f64;
            let step = (column - 18.0) / count.max(1.0);
            for (place, (algorithm, values)) in by_algorithm.values().enumerate() {
                let x = middle + step.min(24.0) * (place as f64 - 0.5 * (count - 1.0));
                draw_values(&mut canvas, *algorithm, values, x, &y, name);
            }
        }
        canvas
    }
}

fn draw_values(
    canvas: &mut Canvas,
    algorithm: Algorithm,
    values: &[f64],
    x: f64,
    y: &Axis,
    column: &str,
) {
    let Some((mean, low, high)) = spread(values) else {
        return;
    };
    let style = style_of(algorithm);
    let tooltip = format!(
        "{}, {column}: {mean:.3} ({low:.3} to {high:.3}, {} seeds)",
        style.name,
        values.len()
    );
    canvas.with_tooltip(&tooltip, |canvas| {
        if values.len() > 1 {
            let class = format!("l-{}", style.key);
            canvas.line((x, y.at(low)), (x, y.at(high)), &class);
            for value in values {
                let class = format!(r#"class="d-{}""#, style.key);
                canvas.circle((x, y.at(*value)), 2.4, &class);
            }
        }
        mark(canvas, &style, (x, y.at(mean)), 5.0, false);
    });
}
