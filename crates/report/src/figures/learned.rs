//! Learned rewards: how the model was pretrained, and what it said beside what calculations said (paper,
//! Section D.2, Figures 18 to 20).

use std::collections::BTreeMap;

use crystalgym_benchmark::{JobMeasure, LearnedMeasure};
use crystalgym_training::{Algorithm, PretrainingRow};

use super::{tasks::algorithms, text::four};
use crate::{
    axis::{Axis, Frame, extent, padded},
    canvas::{Anchor, Canvas},
    figure::{DataTable, Figure, Section},
    palette::style_of,
};

const SIZE: (f64, f64) = (318.0, 236.0);
/// Predictions over which a trailing mean is taken.
const TRAILING: usize = 50;
/// Points of a line.
const POINTS: usize = 150;

/// A job with what is measured of its model.
type Learned<'a> = (&'a JobMeasure, &'a LearnedMeasure);

/// Both figures of each experiment and property that has a learned reward.
pub(super) fn figures(jobs: &[JobMeasure], stamp: &str) -> Vec<Figure> {
    let mut groups: BTreeMap<(&str, String), Vec<Learned<'_>>> = BTreeMap::new();
    for job in jobs {
        if let Some(learned) = &job.learned {
            let key = (
                job.manifest.experiment.as_str(),
                job.manifest.property.to_string(),
            );
            groups.entry(key).or_default().push((job, learned));
        }
    }
    let mut figures = Vec::new();
    for ((experiment, property), learned) in groups {
        let name = format!("{experiment}-{property}");
        figures.extend(pretraining(&name, &learned, stamp));
        figures.push(rewards(&name, &learned, stamp));
    }
    figures
}

/// Jobs by their skeletons.
fn by_skeletons<'a>(learned: &[Learned<'a>]) -> BTreeMap<&'a str, Vec<Learned<'a>>> {
    let mut groups: BTreeMap<&str, Vec<Learned<'a>>> = BTreeMap::new();
    for &(job, measure) in learned {
        let skeletons = job.manifest.skeletons.as_str();
        groups.entry(skeletons).or_default().push((job, measure));
    }
    groups
}

/// Lines with the algorithm whose colour they have, and single points.
struct Drawn {
    lines: Vec<(Algorithm, Vec<(f64, f64)>)>,
    dots: Vec<(Algorithm, (f64, f64))>,
}

fn panel(title: &str, x_label: &str, y_label: &str, drawn: &Drawn) -> Canvas {
    let (width, height) = SIZE;
    let points = || {
        let on_lines = drawn.lines.iter().flat_map(|(_, line)| line);
        on_lines.chain(drawn.dots.iter().map(|(_, point)| point))
    };
    let x = extent(points().map(|point| point.0)).unwrap_or((0.0, 1.0));
    let y = padded(
        extent(points().map(|point| point.1)).unwrap_or((0.0, 1.0)),
        0.06,
    );
    let frame = Frame {
        x: Axis::linear(x.0, x.1, 50.0, width - 12.0),
        y: Axis::linear(y.0, y.1, height - 42.0, 30.0),
        x_label,
        y_label,
    };
    let mut canvas = Canvas::new(width, height);
    canvas.text((50.0, 18.0), Anchor::Start, "head", title);
    frame.draw(&mut canvas);
    for (algorithm, point) in &drawn.dots {
        let class = format!(r#"class="d-{}""#, style_of(*algorithm).key);
        canvas.circle((frame.x.at(point.0), frame.y.at(point.1)), 2.2, &class);
    }
    for (algorithm, line) in &drawn.lines {
        let at: Vec<(f64, f64)> = line
            .iter()
            .map(|(x, y)| (frame.x.at(*x), frame.y.at(*y)))
            .collect();
        canvas.polyline(&at, &format!("l-{}", style_of(*algorithm).key));
    }
    canvas
}

/// Error on what is left out, and gap of the ascent, over the passes; `None` without a pretraining.
fn pretraining(name: &str, learned: &[Learned<'_>], stamp: &str) -> Option<Figure> {
    let mut rows = Vec::new();
    let mut panels = Vec::new();
    for (skeletons, jobs) in by_skeletons(learned) {
        let line = |measure: &dyn Fn(&PretrainingRow) -> Option<f64>| {
            let mut lines = Vec::new();
            for (job, learned) in &jobs {
                let mut by_member: BTreeMap<usize, Vec<(f64, f64)>> = BTreeMap::new();
                for row in &learned.pretraining {
                    if let Some(value) = measure(row) {
                        let line = by_member.entry(row.member).or_default();
                        line.push((row.epoch as f64, value));
                    }
                }
                let members = by_member.into_values();
                lines.extend(members.map(|line| (job.manifest.algorithm, line)));
            }
            Drawn {
                lines,
                dots: Vec::new(),
            }
        };
        for (job, learned) in &jobs {
            rows.extend(learned.pretraining.iter().map(|row| {
                vec![
                    skeletons.to_owned(),
                    job.manifest.seed.to_string(),
                    row.member.to_string(),
                    row.epoch.to_string(),
                    four(row.error),
                    row.validation_error.map(four).unwrap_or_default(),
                    four(row.gap),
                    four(row.weight),
                ]
            }));
        }
        for (what, drawn) in [
            ("Error, left out", line(&|row| row.validation_error)),
            ("Gap of the ascent", line(&|row| Some(row.gap))),
        ] {
            if !drawn.lines.is_empty() {
                panels.push(panel(skeletons, "Pass over the data", what, &drawn).into());
            }
        }
    }
    (!panels.is_empty()).then(|| Figure {
        name: format!("pretraining-{name}"),
        section: Section::Learning,
        title: format!("Pretraining of the learned reward: {name} \u{b7} {stamp}"),
        caption: "Squared error of the standardised values on what a network leaves out, and mean gap between its \
                  objective where the ascent ends and at the known crystals, after each pass over the data. A line \
                  for each network of each seed; the pass with the least error is kept."
            .to_owned(),
        alternative_text: format!("Errors and gaps over {} passes.", rows.len()),
        choice: None,
        legend: algorithms(learned.iter().map(|(job, _)| &job.manifest.algorithm)),
        table: DataTable {
            columns: vec![
                "skeletons",
                "seed",
                "network",
                "pass",
                "training error",
                "validation error",
                "gap",
                "weight",
            ],
            rows,
        },
        panels,
    })
}

/// Predicted returns as a line, calculated ones as dots.
fn rewards(name: &str, learned: &[Learned<'_>], stamp: &str) -> Figure {
    let mut rows = Vec::new();
    let mut panels = Vec::new();
    for (skeletons, jobs) in by_skeletons(learned) {
        let mut drawn = Drawn {
            lines: Vec::new(),
            dots: Vec::new(),
        };
        for (job, learned) in &jobs {
            let algorithm = job.manifest.algorithm;
            let line = predicted_line(learned);
            let calculated = learned.asked.iter();
            let calculated = calculated
                .filter_map(|asked| Some((asked.episode as f64, asked.calculated_return?)));
            let dots: Vec<(f64, f64)> = calculated.collect();
            let seed = job.manifest.seed.to_string();
            let row = |kind: &str, (episode, height): (f64, f64)| {
                vec![
                    skeletons.to_owned(),
                    seed.clone(),
                    kind.to_owned(),
                    episode.to_string(),
                    four(height),
                ]
            };
            rows.extend(
                line.iter()
                    .map(|&point| row("predicted, trailing mean", point)),
            );
            rows.extend(dots.iter().map(|&point| row("calculated", point)));
            drawn.lines.push((algorithm, line));
            drawn
                .dots
                .extend(dots.into_iter().map(|dot| (algorithm, dot)));
        }
        panels.push(panel(skeletons, "Episode", "Return", &drawn).into());
    }
    let count = learned
        .iter()
        .map(|(_, learned)| learned.calculated())
        .sum::<usize>();
    Figure {
        name: format!("learned_reward-{name}"),
        section: Section::Learning,
        title: format!("Predicted and calculated returns: {name} \u{b7} {stamp}"),
        caption: format!(
            "Lines: trailing mean, over {TRAILING} crystals, of the return that the model predicts and that the agent is \
             trained on, one for each seed. Dots: the {count} calculated returns, one crystal each."
        ),
        alternative_text: format!("Predicted returns of each seed, and {count} calculated ones."),
        choice: None,
        legend: algorithms(learned.iter().map(|(job, _)| &job.manifest.algorithm)),
        table: DataTable {
            columns: vec!["skeletons", "seed", "what", "episode", "return"],
            rows,
        },
        panels,
    }
}

/// The trailing mean of what was predicted, thinned.
fn predicted_line(learned: &LearnedMeasure) -> Vec<(f64, f64)> {
    let asked = &learned.asked;
    let step = asked.len().div_ceil(POINTS).max(1);
    let ends = (1..=asked.len()).filter(|end| end % step == 0 || *end == asked.len());
    ends.map(|end| {
        let part = &asked[end.saturating_sub(TRAILING)..end];
        let sum = part.iter().map(|asked| asked.predicted_return).sum::<f64>();
        (asked[end - 1].episode as f64, sum / part.len() as f64)
    })
    .collect()
}
