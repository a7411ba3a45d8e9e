//! Runs whose objective has several terms.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::{path::Path, sync::Arc};

use crystalgym_environment::Task;
use crystalgym_evaluation::{FailureCode, Property};
use crystalgym_training::{
    ConfigLayers, EpisodeRow, PolicyEvaluation, RowSource, RunFolder, TrainedAgent, TrainingConfig,
    TrainingError, TrainingRun, Trust, exact_optimum,
};

/// Gaps by textbook formulas, densities by mass over volume; the first term is the dear one in name
/// alone.
const SETTINGS: [&str; 8] = [
    "task.skeletons=['C4']",
    "task.elements=['Li','Mg','O','F','Cl','S']",
    "calculator.name=empirical",
    "calculator.for_property.density.name=rigid",
    "dqn.total_steps=240",
    "dqn.learning_starts=40",
    "output.evaluation_rollouts=0",
    "output.checkpoint_every=100",
];

fn config(objective: &str) -> Result<TrainingConfig, TrainingError> {
    let mut layers = ConfigLayers::default();
    for setting in SETTINGS {
        layers.add_assignment(setting).unwrap();
    }
    layers.add_assignment(&format!("task.objective={objective}"))?;
    TrainingConfig::resolve(&layers, None)
}

const TWO: &str = "{combination='product', terms=[\
    {property='band_gap', target=4.0}, {property='density', at_most=2.5, weight=3}]}";

fn run(config: TrainingConfig, folder: &Path) -> Vec<EpisodeRow> {
    let run = TrainingRun::start(config, folder).unwrap();
    assert!(run.run(&|| false, &mut |_, _| {}).unwrap().finished);
    RunFolder::at(folder).read_episodes().unwrap()
}

/// Oracle: the rewards of docs/agents.md, written out, of the values in the table.
#[test]
fn returns_follow_from_the_values_of_the_terms() {
    let folder = tempfile::tempdir().unwrap();
    let config = config(TWO).unwrap();
    assert_eq!(config.run_name(), "band_gap+density-C4-dqn-seed1");
    let rows = run(config.clone(), &folder.path().join("run"));
    assert_eq!(rows.len(), 60);
    for row in &rows {
        assert_eq!((row.property, row.target), (Property::BandGap, 4.0));
        let [
            (Property::BandGap, Some(gap)),
            (Property::Density, Some(density)),
        ] = row.values_of_terms()[..]
        else {
            unreachable!("{row:?}")
        };
        assert_eq!(row.value, Some(gap));
        let gap = (-(gap - 4.0).powi(2)).exp();
        let density = match density > 2.5 {
            true => (-(density - 2.5).powi(2) / 2.5).exp(),
            false => 1.0,
        };
        let expected = gap.powf(0.25) * density.powf(0.75);
        assert!((row.episodic_return - expected).abs() < 1e-12, "{row:?}");
    }
    let task = Arc::new(Task::new(&config.task).unwrap());
    let best = exact_optimum(&task, &config.evaluator().unwrap()).unwrap();
    let found = rows.iter().map(|row| row.episodic_return);
    assert!(found.fold(f64::MIN, f64::max) <= best && best <= 1.0);

    // The agent goes on with its objective, at another target of the first term too.
    let agent = TrainedAgent::load(&folder.path().join("run")).unwrap();
    let evaluation = PolicyEvaluation {
        skeletons: Vec::new(),
        target: Some(3.0),
        rollouts: 3,
        sampled: true,
        seed: 1,
    };
    let rollouts = agent.evaluate(&evaluation, Trust::Innocent).unwrap();
    assert_eq!(rollouts.len(), 3);
}

#[test]
fn a_stopped_run_is_the_same_run() {
    let folder = tempfile::tempdir().unwrap();
    let whole = run(config(TWO).unwrap(), &folder.path().join("whole"));
    let stopped = folder.path().join("stopped");
    let run = TrainingRun::start(config(TWO).unwrap(), &stopped).unwrap();
    let episodes = std::cell::Cell::new(0);
    let end = run
        .run(
            &|| {
                episodes.set(episodes.get() + 1);
                episodes.get() > 30
            },
            &mut |_, _| {},
        )
        .unwrap();
    assert!(!end.finished);
    let run = TrainingRun::resume(&stopped, Trust::Innocent).unwrap();
    run.run(&|| false, &mut |_, _| {}).unwrap();
    assert_eq!(RunFolder::at(&stopped).read_episodes().unwrap(), whole);

    // Another objective is another task.
    let path = stopped.join(RunFolder::CONFIG);
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(text.contains("at_most = 2.5"), "{text}");
    std::fs::write(&path, text.replace("at_most = 2.5", "at_most = 3.5")).unwrap();
    let error = TrainingRun::resume(&stopped, Trust::Innocent)
        .err()
        .unwrap();
    assert!(error.to_string().contains("objective"), "{error}");
}

/// The density (computed first, as both are instant and it is written first) decides for what is heavy.
#[test]
fn what_is_skipped_is_counted() {
    let folder = tempfile::tempdir().unwrap();
    let objective = "{combination='worst', skip_below=0.9, terms=[\
        {property='density', at_most=2.0}, {property='band_gap', direction='maximise'}]}";
    let rows = run(config(objective).unwrap(), &folder.path().join("run"));
    let skipped = |row: &&EpisodeRow| row.failure == Some(FailureCode::Skipped);
    let count = rows.iter().filter(skipped).count();
    assert!(count > 0 && count < rows.len(), "{count}");
    for row in &rows {
        let terms = row.values_of_terms();
        let density = terms[0].1.unwrap();
        let good = (-(density - 2.0).max(0.0).powi(2) / 2.0).exp();
        let is_skipped = row.failure == Some(FailureCode::Skipped);
        assert_eq!(is_skipped, good <= 0.9, "{row:?}");
        assert_eq!(is_skipped, terms[1].1.is_none(), "{row:?}");
        let expected = match terms[1].1 {
            None => good,
            Some(gap) => good.min(1.0 / (1.0 + (1.0 - gap).exp())),
        };
        assert!((row.episodic_return - expected).abs() < 1e-12, "{row:?}");
        assert_eq!(row.source, RowSource::Computed);
    }
}

#[test]
fn what_cannot_be_is_named() {
    let of = |objective: &str| config(objective).map(|_| ()).unwrap_err().to_string();
    assert!(of("{terms=[]}").contains("objective has no terms"));
    let unknown = of("{terms=[{property='hardness'}]}");
    assert!(unknown.contains("unknown variant `hardness`"), "{unknown}");
    let weight = of("{terms=[{property='density', weight=nan}]}");
    assert!(weight.contains("weight of density is NaN"), "{weight}");
    let bounds = of("{terms=[{property='density', at_least=3, at_most=2}]}");
    assert!(bounds.contains("at least 3 and at most 2"), "{bounds}");
    let folder = tempfile::tempdir().unwrap();
    let mut surrogate = config(TWO).unwrap();
    surrogate.algorithm.name = crystalgym_training::Algorithm::Surrogate;
    let error = TrainingRun::start(surrogate, &folder.path().join("run"))
        .err()
        .unwrap();
    assert!(error.to_string().contains("several terms"), "{error}");
    let mut stored = config(TWO).unwrap();
    stored.task.process = crystalgym_environment::ProcessName::Substitution;
    stored.task.start_crystal =
        crystalgym_environment::StartCrystal::Named(crystalgym_environment::NamedStart::Stored);
    let error = TrainingRun::start(stored, &folder.path().join("run"))
        .err()
        .unwrap();
    assert!(error.to_string().contains("single property"), "{error}");
}
