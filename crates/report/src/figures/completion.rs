//! Completion beside substitution, on MEGNet and on CHGNet (paper, Figure 13).

use crystalgym_benchmark::{CurveAxis, FIGURE_13, figure_13};

use super::{learning::beside_each_other, tasks::by_task};
use crate::{data::Run, figure::Figure};

/// What the panels show, in the order of the experiments.
const PANELS: [&str; 4] = [
    "completion, MEGNet",
    "completion, CHGNet",
    "substitution, MEGNet",
    "substitution, CHGNet",
];

/// Learning curves of each property over each axis, where there are runs of two of the four
/// experiments at least.
pub(super) fn figures(runs: &[Run<'_>], stamp: &str) -> Vec<Figure> {
    let tasks = by_task(runs);
    let names = figure_13().map(|experiment| experiment.name);
    let mut properties: Vec<_> = tasks.iter().map(|task| task.property).collect();
    properties.sort_unstable();
    properties.dedup();
    let mut figures = Vec::new();
    for property in properties {
        let of = |name: &str| {
            let mut found = tasks.iter();
            found.find(|task| task.experiment == name && task.property == property)
        };
        let panels = PANELS.into_iter().zip(names);
        let groups: Vec<_> = panels
            .filter_map(|(panel, name)| Some((panel, of(name)?.runs.clone())))
            .collect();
        if groups.len() < 2 {
            continue;
        }
        let title = format!("{}, completion and substitution", property.facts().title);
        for axis in CurveAxis::ALL {
            let name = format!("{FIGURE_13}-{property}");
            figures.extend(beside_each_other(&name, &title, &groups, axis, stamp));
        }
    }
    figures
}
