//! Wall times of calculations.

use std::collections::BTreeMap;

use crystalgym_evaluation::Property;

use crate::{
    axis::{Axis, compact, extent},
    canvas::{Anchor, Canvas},
    data::Run,
    figure::{DataTable, Figure, Section},
};

/// Quantiles that are shown: ends of the line, of the box, and the stroke in it.
const QUANTILES: [f64; 5] = [0.05, 0.25, 0.5, 0.75, 0.95];

struct Row {
    name: String,
    count: usize,
    mean: f64,
    quantiles: [f64; 5],
}

/// Wall time of a calculation (paper, Table 4), by property and skeletons.
pub(super) fn figure(runs: &[Run<'_>], stamp: &str) -> Option<Figure> {
    let mut groups: BTreeMap<(Property, &str), Vec<f32>> = BTreeMap::new();
    for run in runs {
        let key = (run.label.property, run.label.skeletons.as_str());
        groups.entry(key).or_default().extend(&run.training.seconds);
    }
    let rows: Vec<Row> = groups
        .into_iter()
        // Calculators that are instant take no time that could be shown.
        .filter(|(_, seconds)| seconds.iter().any(|seconds| *seconds > 0.0))
        .map(|((property, skeletons), mut seconds)| {
            seconds.sort_by(f32::total_cmp);
            let sum: f64 = seconds.iter().map(|s| f64::from(*s)).sum();
            Row {
                name: format!("{}, {skeletons}", property.facts().title),
                count: seconds.len(),
                mean: sum / seconds.len() as f64,
                quantiles: QUANTILES.map(|share| quantile(&seconds, share)),
            }
        })
        .collect();
    if rows.is_empty() {
        return None;
    }
    let sentences: Vec<String> = rows
        .iter()
        .map(|row| format!("{}: median {:.3} s", row.name, row.quantiles[2]))
        .collect();
    let table = rows.iter().map(|row| {
        let mut cells = vec![row.name.clone(), row.count.to_string()];
        cells.push(format!("{:.4}", row.mean));
        cells.extend(row.quantiles.map(|value| format!("{value:.4}")));
        cells
    });
    Some(Figure {
        name: "times".to_owned(),
        section: Section::Times,
        title: format!("Wall time of a calculation \u{b7} {stamp}"),
        caption: "Calculations that the training episodes made, failures included; what came from \
                  the store is not counted. Box: middle half, with the median; line: 5 % to 95 %; \
                  dot: mean."
            .to_owned(),
        alternative_text: format!("Times in seconds. {}.", sentences.join("; ")),
        choice: None,
        table: DataTable {
            columns: vec![
                "property and skeletons",
                "calculations",
                "mean (s)",
                "5 % (s)",
                "25 % (s)",
                "median (s)",
                "75 % (s)",
                "95 % (s)",
            ],
            rows: table.collect(),
        },
        panels: vec![panel(&rows).into()],
        legend: Vec::new(),
    })
}

/// Linear between the values, which are sorted.
fn quantile(sorted: &[f32], share: f64) -> f64 {
    let at = share * (sorted.len() - 1) as f64;
    let (low, high) = (sorted[at.floor() as usize], sorted[at.ceil() as usize]);
    f64::from(low) + at.fract() * f64::from(high - low)
}

fn panel(rows: &[Row]) -> Canvas {
    let (width, left, top, pitch) = (700.0, 168.0, 12.0, 26.0);
    let right = width - 96.0;
    let bottom = top + pitch * rows.len() as f64;
    let mut canvas = Canvas::new(width, bottom + 42.0);
    let values = rows
        .iter()
        .flat_map(|row| [row.quantiles[0], row.quantiles[4], row.mean]);
    let (low, high) = extent(values.filter(|value| *value > 0.0)).unwrap_or((0.1, 1.0));
    let x = Axis::decades(low, high, left, right);
    for (value, label) in x.ticks(6) {
        let at = x.at(value);
        canvas.line((at, top), (at, bottom), "grid");
        canvas.text((at, bottom + 15.0), Anchor::Middle, "tick", &label);
    }
    canvas.line((left, bottom), (right, bottom), "axis");
    let label = "Seconds a calculation";
    canvas.text(
        (0.5 * (left + right), bottom + 32.0),
        Anchor::Middle,
        "label",
        label,
    );
    for (index, row) in rows.iter().enumerate() {
        let y = top + pitch * (index as f64 + 0.5);
        canvas.text((left - 10.0, y + 4.0), Anchor::End, "text", &row.name);
        let count = format!("n = {}", compact(row.count as f64));
        canvas.text((right + 12.0, y + 4.0), Anchor::Start, "small", &count);
        let [q5, q25, q50, q75, q95] = row.quantiles.map(|value| x.at(value));
        let tooltip = format!(
            "{}: median {:.3} s, mean {:.3} s",
            row.name, row.quantiles[2], row.mean
        );
        canvas.with_tooltip(&tooltip, |canvas| {
            canvas.line((q5, y), (q95, y), "whisker");
            let size = ((q75 - q25).max(2.0), 13.0);
            canvas.rect((q25, y - 6.5), size, r#"rx="2" class="box""#);
            canvas.line((q50, y - 7.5), (q50, y + 7.5), "median");
            canvas.circle((x.at(row.mean), y), 3.0, r#"class="dot""#);
        });
    }
    canvas
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Oracle: the quartiles of 0, 1, 2, 3, 4 are themselves.
    #[test]
    fn quantiles_interpolate() {
        let values = [0.0, 1.0, 2.0, 3.0, 4.0];
        assert_eq!(quantile(&values, 0.25), 1.0);
        assert_eq!(quantile(&values, 0.5), 2.0);
        assert!((quantile(&values, 0.95) - 3.8).abs() < 1e-6);
        assert_eq!(quantile(&[7.0], 0.3), 7.0);
    }
}
