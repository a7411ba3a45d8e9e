//! Learning curves.

use std::collections::BTreeMap;

use crystalgym_benchmark::CurveAxis;
use crystalgym_training::Algorithm;

use super::{
    tasks::{TaskRuns, algorithms, by_task},
    text::four,
};
use crate::{
    axis::{Axis, Frame, extent, padded},
    canvas::{Anchor, Canvas},
    data::Run,
    figure::{DataTable, Figure, Section, WIDE_PANEL},
    marks::mark,
    palette::style_of,
};

/// Points of a mean curve.
const POINTS: usize = 60;
/// Every how many of them stand in the table.
const IN_TABLE: usize = 6;
const SIZE: (f64, f64) = (318.0, 236.0);

/// The curves of an algorithm on a set of skeletons.
struct Curves {
    algorithm: Algorithm,
    seeds: usize,
    /// x, mean, smallest, largest over the finished runs.
    mean: Vec<[f64; 4]>,
    /// Runs under way, one by one.
    unfinished: Vec<Vec<(f64, f64)>>,
}

/// Learning curves of each experiment and property, over each axis.
pub(super) fn figures(runs: &[Run<'_>], stamp: &str) -> Vec<Figure> {
    let mut figures = Vec::new();
    for task in by_task(runs) {
        for axis in CurveAxis::ALL {
            figures.extend(figure(&task, axis, stamp));
        }
    }
    figures
}

fn figure(task: &TaskRuns<'_, '_>, axis: CurveAxis, stamp: &str) -> Option<Figure> {
    let mut by_skeletons: BTreeMap<&str, Vec<&Run<'_>>> = BTreeMap::new();
    for &run in &task.runs {
        let skeletons = run.label.skeletons.as_str();
        by_skeletons.entry(skeletons).or_default().push(run);
    }
    let groups: Vec<(&str, Vec<&Run<'_>>)> = by_skeletons.into_iter().collect();
    beside_each_other(&task.name(), &task.title(), &groups, axis, stamp)
}

/// The curves of several groups of runs, each in a panel of its own; `None` where all rewards of every
/// curve arrived at one moment: points are no curves.
pub(super) fn beside_each_other(
    name: &str,
    title: &str,
    groups: &[(&str, Vec<&Run<'_>>)],
    axis: CurveAxis,
    stamp: &str,
) -> Option<Figure> {
    let panels: Vec<(&str, Vec<Curves>)> = groups
        .iter()
        .map(|(group, runs)| {
            let mut by_algorithm: BTreeMap<usize, Vec<&Run<'_>>> = BTreeMap::new();
            for &run in runs {
                let rank = crate::palette::rank(run.label.algorithm);
                by_algorithm.entry(rank).or_default().push(run);
            }
            let curves = by_algorithm.into_values().map(|runs| curves(&runs, axis));
            (*group, curves.collect())
        })
        .collect();
    let heights = panels
        .iter()
        .flat_map(|(_, curves)| curves)
        .flat_map(|curves| {
            let mean = curves
                .mean
                .iter()
                .flat_map(|[_, _, low, high]| [*low, *high]);
            let single = curves.unfinished.iter().flatten().map(|(_, y)| *y);
            mean.chain(single)
        });
    let heights = padded(extent(heights).unwrap_or((0.0, 1.0)), 0.06);
    let runs = || groups.iter().flat_map(|(_, runs)| runs);
    let unfinished = runs().filter(|run| !run.finished).count();
    let mut caption = format!(
        "Trailing mean of the return over 10 % of the episodes (at least 5), failures counted. Line: \
         mean over seeds; band: smallest to largest seed, as far as all of them reach. {}",
        match axis {
            CurveAxis::Calculations =>
                "Calculations are those that a run would make on an empty store: its distinct \
                 crystals.",
            CurveAxis::Steps => "A step puts one element on one site.",
            CurveAxis::Episodes => "An episode makes one crystal.",
        }
    );
    if unfinished > 0 {
        caption += " Dashed: runs under way, one by one.";
    }
    let all_curves = || panels.iter().flat_map(|(_, curves)| curves);
    let has_lines =
        all_curves().any(|curves| curves.mean.len() > 1 || !curves.unfinished.is_empty());
    if !has_lines {
        return None;
    }
    let table = table(&panels, axis);
    let ends = panels.iter().flat_map(|(skeletons, curves)| {
        curves.iter().filter_map(move |curves| {
            let [_, mean, ..] = *curves.mean.last()?;
            let name = style_of(curves.algorithm).name;
            Some(format!("{name} on {skeletons} ends at {mean:.2}"))
        })
    });
    let ends: Vec<String> = ends.collect();
    let alone = panels.len() == 1;
    Some(Figure {
        name: format!("learning_curves-{name}-{}", axis.name()),
        section: Section::Learning,
        title: format!("Return while learning: {title} \u{b7} {stamp}"),
        caption,
        alternative_text: format!(
            "Learning curves over {}. {}.",
            axis_label(axis).to_lowercase(),
            ends.join("; ")
        ),
        choice: Some((format!("learning-{name}"), axis_label(axis).to_owned())),
        table,
        legend: algorithms(runs().map(|run| &run.label.algorithm)),
        panels: panels
            .iter()
            .map(|(skeletons, curves)| panel(skeletons, curves, axis, heights, alone).into())
            .collect(),
    })
}

fn axis_label(axis: CurveAxis) -> &'static str {
    match axis {
        CurveAxis::Steps => "Environment steps",
        CurveAxis::Episodes => "Episodes",
        CurveAxis::Calculations => "Calculations",
    }
}

fn curves(runs: &[&Run<'_>], axis: CurveAxis) -> Curves {
    let smooth = |finished: bool| -> Vec<Vec<(f64, f64)>> {
        let chosen = runs.iter().filter(|run| run.finished == finished);
        let curves = chosen.map(|run| run.training.curve.smoothed(axis));
        curves.filter(|curve| !curve.is_empty()).collect()
    };
    let finished = smooth(true);
    let unfinished = smooth(false);
    Curves {
        algorithm: runs[0].label.algorithm,
        seeds: finished.len(),
        mean: mean_curve(&finished),
        unfinished: unfinished.iter().map(|curve| thinned(curve)).collect(),
    }
}

/// Mean, smallest and largest where all curves have begun and none has ended.
fn mean_curve(curves: &[Vec<(f64, f64)>]) -> Vec<[f64; 4]> {
    if curves.is_empty() {
        return Vec::new();
    }
    let first = curves.iter().map(|curve| curve[0].0).fold(0.0, f64::max);
    let ends = curves.iter().map(|curve| curve[curve.len() - 1].0);
    let last = ends.fold(f64::INFINITY, f64::min).max(first);
    let points = if last > first { POINTS } else { 0 };
    (0..=points)
        .map(|index| {
            let x = first + (last - first) * index as f64 / points.max(1) as f64;
            let heights: Vec<f64> = curves.iter().map(|curve| height(curve, x)).collect();
            let mean = heights.iter().sum::<f64>() / heights.len() as f64;
            let (low, high) = extent(heights.into_iter()).unwrap_or((mean, mean));
            [x, mean, low, high]
        })
        .collect()
}

/// The mean as it stood at x.
fn height(curve: &[(f64, f64)], x: f64) -> f64 {
    let after = curve.partition_point(|(at, _)| *at <= x + 1e-9);
    curve[after.saturating_sub(1)].1
}

fn thinned(curve: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let step = curve.len().div_ceil(2 * POINTS).max(1);
    let last = curve.len() - 1;
    let chosen = curve.iter().enumerate();
    let chosen = chosen.filter(|(index, _)| index % step == 0 || *index == last);
    chosen.map(|(_, point)| *point).collect()
}

/// A panel that is alone in its figure fills the card.
fn panel(
    skeletons: &str,
    curves: &[Curves],
    axis: CurveAxis,
    heights: (f64, f64),
    alone: bool,
) -> Canvas {
    let (width, height) = match alone {
        false => SIZE,
        true => (WIDE_PANEL, 330.0),
    };
    let mut canvas = Canvas::new(width, height);
    let ends = curves.iter().flat_map(|curves| {
        let single = curves.unfinished.iter().filter_map(|curve| curve.last());
        let single = single.map(|(x, _)| *x);
        curves
            .mean
            .last()
            .map(|[x, ..]| *x)
            .into_iter()
            .chain(single)
    });
    let last = ends.fold(0.0, f64::max);
    let x = Axis::linear(0.0, last, 58.0, width - 74.0);
    let y = Axis::linear(heights.0, heights.1, height - 42.0, 30.0);
    canvas.text((58.0, 16.0), Anchor::Start, "title", skeletons);
    let frame = Frame {
        x,
        y,
        x_label: axis_label(axis),
        y_label: "Return",
    };
    frame.draw(&mut canvas);
    let mut labels = Vec::new();
    for curves in curves {
        let style = style_of(curves.algorithm);
        let at = |x_value: f64, y_value: f64| (x.at(x_value), y.at(y_value));
        if curves.mean.len() > 1 {
            if curves.seeds > 1 {
                let above = curves.mean.iter().map(|[x, _, _, high]| at(*x, *high));
                let below = curves.mean.iter().rev().map(|[x, _, low, _]| at(*x, *low));
                let band: Vec<(f64, f64)> = above.chain(below).collect();
                canvas.polygon(&band, &format!("b-{}", style.key));
            }
            let line: Vec<(f64, f64)> = curves.mean.iter().map(|[x, m, ..]| at(*x, *m)).collect();
            let tooltip = format!("{}: mean of {} seeds", style.name, curves.seeds);
            canvas.with_tooltip(&tooltip, |canvas| {
                canvas.polyline(&line, &format!("l-{}", style.key));
            });
        }
        // All rewards of a short run may arrive at the same step: that is a point, not a line.
        if let [[x, mean, low, high]] = curves.mean.as_slice() {
            canvas.line(at(*x, *low), at(*x, *high), &format!("l-{}", style.key));
            mark(&mut canvas, &style, at(*x, *mean), 4.2, false);
        }
        for single in &curves.unfinished {
            let line: Vec<(f64, f64)> = single.iter().map(|(x, y)| at(*x, *y)).collect();
            canvas.polyline(&line, &format!("r-{}", style.key));
        }
        let mean = curves.mean.last().map(|[x, mean, ..]| (*x, *mean));
        let single = curves
            .unfinished
            .iter()
            .filter_map(|curve| curve.last().copied());
        if let Some((end, value)) = mean.into_iter().chain(single).next() {
            labels.push((y.at(value), x.at(end), style));
        }
    }
    labels.sort_by(|a, b| a.0.total_cmp(&b.0));
    let heights: Vec<f64> = labels.iter().map(|(y, ..)| *y).collect();
    let heights = spread_apart(&heights, 13.0, 30.0, height - 42.0);
    for ((wanted, end, style), place) in labels.iter().zip(heights) {
        let class = format!("t-{}", style.key);
        let at = width - 68.0;
        if at - end > 14.0 || (place - wanted).abs() > 3.0 {
            canvas.line((end + 2.0, *wanted), (at - 3.0, place), "grid");
        }
        canvas.text((at, place + 4.0), Anchor::Start, &class, style.name);
    }
    canvas
}

/// Heights as near as possible to the wanted ones (ascending), no two closer than `least`.
fn spread_apart(wanted: &[f64], least: f64, top: f64, bottom: f64) -> Vec<f64> {
    let mut places = wanted.to_vec();
    for index in 0..places.len() {
        let lowest = match index {
            0 => top,
            _ => places[index - 1] + least,
        };
        places[index] = places[index].max(lowest);
    }
    for index in (0..places.len()).rev() {
        let highest = match places.get(index + 1) {
            Some(next) => next - least,
            None => bottom,
        };
        places[index] = places[index].min(highest);
    }
    places
}

fn table(panels: &[(&str, Vec<Curves>)], axis: CurveAxis) -> DataTable {
    let mut rows = Vec::new();
    for (skeletons, curves) in panels {
        for curves in curves {
            for [x, mean, low, high] in curves.mean.iter().step_by(IN_TABLE) {
                rows.push(vec![
                    (*skeletons).to_owned(),
                    style_of(curves.algorithm).name.to_owned(),
                    curves.seeds.to_string(),
                    format!("{x:.0}"),
                    four(*mean),
                    four(*low),
                    four(*high),
                ]);
            }
        }
    }
    let x = match axis {
        CurveAxis::Steps => "steps",
        CurveAxis::Episodes => "episodes",
        CurveAxis::Calculations => "calculations",
    };
    DataTable {
        columns: vec![
            "skeletons",
            "algorithm",
            "seeds",
            x,
            "mean",
            "smallest",
            "largest",
        ],
        rows,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Oracle: two curves by hand; the mean begins where both have begun and ends with the shorter.
    #[test]
    fn the_mean_is_taken_where_all_seeds_are() {
        let long = vec![(1.0, 0.0), (2.0, 2.0), (5.0, 4.0)];
        let short = vec![(2.0, 1.0), (4.0, 3.0)];
        let mean = mean_curve(&[long, short]);
        assert_eq!(mean[0], [2.0, 1.5, 1.0, 2.0]);
        assert_eq!(mean[mean.len() - 1], [4.0, 2.5, 2.0, 3.0]);
        assert!(mean_curve(&[]).is_empty());
    }

    #[test]
    fn labels_do_not_cover_each_other() {
        let places = spread_apart(&[10.0, 11.0, 90.0, 91.0], 12.0, 0.0, 95.0);
        assert!(
            places
                .windows(2)
                .all(|pair| pair[1] - pair[0] >= 12.0 - 1e-9)
        );
        assert!(places[3] <= 95.0);
    }
}
