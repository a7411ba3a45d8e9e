//! The figure of an objective of several terms.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::BTreeMap;

use crystalgym_report::{ReportData, figures};
use crystalgym_training::{ConfigLayers, RunFolder, TrainingConfig, TrainingRun};

/// Oracle: the definition of a Pareto front, on the raw table of episodes, every crystal against every
/// other.
#[test]
fn the_pareto_front_is_that_of_the_raw_episodes() {
    let folder = tempfile::tempdir().unwrap();
    let mut layers = ConfigLayers::default();
    for setting in [
        "task.skeletons=['C4']",
        "task.elements=['Li','Mg','O','F','Cl','S']",
        "task.objective.terms=[{property='band_gap', target=4.0}, {property='density', at_most=2.0}]",
        "calculator.name=empirical",
        "calculator.for_property.density.name=rigid",
        "algorithm.name=random_search",
        "random_search.total_steps=400",
        "output.evaluation_rollouts=0",
    ] {
        layers.add_assignment(setting).unwrap();
    }
    let config = TrainingConfig::resolve(&layers, None).unwrap();
    let run = TrainingRun::start(config, &folder.path().join("run")).unwrap();
    run.run(&|| false, &mut |_, _| {}).unwrap();

    let episodes = RunFolder::at(folder.path().join("run"))
        .read_episodes()
        .unwrap();
    // Images of a crystal agree up to rounding alone.
    let rounded = |x: f64| (1e9 * x).round() / 1e9;
    let misses: BTreeMap<String, [f64; 2]> = episodes
        .iter()
        .map(|row| {
            let values = row.values_of_terms();
            let [gap, density] = [values[0].1.unwrap(), values[1].1.unwrap()];
            (
                row.elements.clone(),
                [(gap - 4.0).abs(), (density - 2.0).max(0.0)].map(rounded),
            )
        })
        .collect();
    let is_beaten = |own: &[f64; 2]| {
        misses.values().any(|other| {
            other[0] <= own[0] && other[1] <= own[1] && (other[0] < own[0] || other[1] < own[1])
        })
    };
    let mut expected: Vec<[f64; 2]> = misses.values().copied().filter(|m| !is_beaten(m)).collect();
    expected.sort_by(|a, b| a.partial_cmp(b).unwrap());
    expected.dedup();

    let data = ReportData::as_it_stands(&folder.path().join("run")).unwrap();
    let figures = figures(&data);
    let figure = figures
        .iter()
        .find(|f| f.name.starts_with("pareto-"))
        .unwrap();
    let mut found: Vec<[f64; 2]> = figure
        .table
        .rows
        .iter()
        .map(|row| misses[&row[1]])
        .collect();
    found.dedup();
    assert_eq!(found, expected);
    assert!(
        figure
            .title
            .contains("Band gap 4 eV, Density at most 2 g/cm³"),
        "{}",
        figure.title
    );
}
