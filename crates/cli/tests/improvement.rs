//! `crystalgym train` on improvement of crystals in place: rewards of differences, starts from the
//! store.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

use crystalgym_environment::{NamedStart, StartCrystal};
use crystalgym_evaluation::Property;
use crystalgym_testing::wait_until;
use crystalgym_training::{RunFolder, read_episodes};

fn crystalgym(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_crystalgym"));
    command.current_dir(folder).args(arguments);
    command.env("XDG_DATA_HOME", folder);
    command
}

fn run(folder: &Path, arguments: &[&str]) -> Output {
    let output = crystalgym(folder, arguments).output().unwrap();
    let message = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{message}");
    output
}

fn files(folder: &Path, is_wanted: impl Fn(&Path) -> bool) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else {
        return Vec::new();
    };
    let paths = entries.map(|entry| entry.unwrap().path());
    let mut paths: Vec<PathBuf> = paths.filter(|path| is_wanted(path)).collect();
    paths.sort();
    paths
}

/// The published density reward, written out.
fn density_reward(value: f64) -> f64 {
    (-(value - 4.0).powi(2) / 4.0).exp()
}

/// Killed and resumed it is the run that nobody disturbed; its table says what both crystals of each
/// episode are.
#[test]
fn a_run_for_differences_goes_on_where_it_was() {
    let arguments = [
        "train",
        "--set",
        "calculator.name=rigid",
        "--set",
        "task.property=density",
        "--set",
        "task.target=4",
        "--set",
        "task.skeletons=['C2','C6']",
        "--set",
        "task.process=improvement",
        "--set",
        "task.reward_form=difference",
        "--set",
        "task.steps=3",
        "--set",
        "dqn.total_steps=600",
        "--set",
        "dqn.network.hidden=8",
        "--set",
        "dqn.network.blocks=1",
        "--set",
        "output.checkpoint_every=100",
        "--output",
        "run",
    ];
    let undisturbed = tempfile::tempdir().unwrap();
    run(undisturbed.path(), &arguments);

    let disturbed = tempfile::tempdir().unwrap();
    let mut child = crystalgym(disturbed.path(), &arguments)
        .stderr(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let is_step = |path: &Path| path.to_string_lossy().contains("/step-");
    let checkpoints = disturbed.path().join("run/checkpoints");
    let begun = wait_until(|| !files(&checkpoints, is_step).is_empty());
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(begun, "no checkpoint");
    run(disturbed.path(), &["train", "--resume", "run"]);

    let read = |root: &Path, name: &str| fs::read(root.join("run").join(name)).unwrap();
    for name in ["episodes.csv", "config.toml"] {
        let same = read(undisturbed.path(), name) == read(disturbed.path(), name);
        assert!(same, "{name} differs");
    }
    let networks = |root: &Path| {
        let last = root.join("run/checkpoints/step-000000600");
        let is_networks = |path: &Path| path.extension().is_some_and(|e| e == "safetensors");
        fs::read(&files(&last, is_networks)[0]).unwrap()
    };
    assert!(networks(undisturbed.path()) == networks(disturbed.path()));

    let rows = read_episodes(&undisturbed.path().join("run/episodes.csv")).unwrap();
    assert_eq!(rows.len(), 200);
    for row in &rows {
        let reward = |value: Option<f64>| density_reward(value.unwrap());
        let expected = reward(row.value) - reward(row.start_value);
        assert!((row.episodic_return - expected).abs() < 1e-12, "{row:?}");
        let start: Vec<&str> = row.start_elements.as_ref().unwrap().split(' ').collect();
        let end: Vec<&str> = row.elements.split(' ').collect();
        let changed = start.iter().zip(&end).filter(|(was, is)| was != is);
        assert!(
            changed.count() <= 3 && row.start_failure.is_none(),
            "{row:?}"
        );
    }
    // The best crystals are those of the highest reward, from wherever they were made.
    let best = files(&undisturbed.path().join("run/best"), |_| true);
    let best = crystalgym_crystal::Structure::from_file(&best[0]).unwrap();
    let rewards = rows.iter().map(|row| density_reward(row.value.unwrap()));
    let highest = rewards.fold(f64::NEG_INFINITY, f64::max);
    assert!((density_reward(best.density_g_cm3()) - highest).abs() < 1e-9);
}

/// Oracle: the table of the run that filled the store. The start is looked up once and written down.
#[test]
fn a_run_starts_from_the_best_crystal_of_the_store() {
    let folder = tempfile::tempdir().unwrap();
    let calculator = [
        "train",
        "--set",
        "algorithm.name=random_search",
        "--set",
        "calculator.native.gth_cutoff_ry=12",
        "--set",
        "calculator.native.kppa=40",
        "--set",
        "output.evaluation_rollouts=0",
    ];
    let improvement = [
        "--set",
        "task.process=improvement",
        "--set",
        "task.start_crystal=stored",
        "--set",
        "task.steps=1",
        "--set",
        "task.reward_form=difference",
        "--set",
        "random_search.total_steps=2",
        "--set",
        "random_search.environments=1",
        "--output",
        "improved",
    ];
    // The task of a run that says nothing about its task.
    let task = crystalgym_training::first_task();
    let config = folder.path().join("task.toml");
    let text = toml::to_string(&std::collections::BTreeMap::from([("task", &task)])).unwrap();
    fs::write(&config, text).unwrap();
    let improvement = [&["--config", "task.toml"][..], &improvement].concat();
    let improvement = [&calculator[..], &improvement].concat();
    let nothing = crystalgym(folder.path(), &improvement).output().unwrap();
    let message = String::from_utf8_lossy(&nothing.stderr);
    let expected = "the store knows no band_gap of a crystal on C2 by native";
    assert!(
        !nothing.status.success() && message.contains(expected),
        "{message}"
    );

    let filling = [
        "--set",
        "random_search.total_steps=20",
        "--output",
        "filled",
    ];
    run(folder.path(), &[&calculator[..], &filling].concat());
    run(folder.path(), &improvement);

    let reward = |gap: f64| (-(gap - 3.0).powi(2)).exp();
    let filled = read_episodes(&folder.path().join("filled/episodes.csv")).unwrap();
    let best = filled
        .iter()
        .max_by(|a, b| a.episodic_return.total_cmp(&b.episodic_return))
        .unwrap();
    let config = RunFolder::at(folder.path().join("improved"))
        .config()
        .unwrap();
    assert_eq!(config.task.property, Property::BandGap);
    assert_ne!(
        config.task.start_crystal,
        StartCrystal::Named(NamedStart::Stored)
    );
    let StartCrystal::Elements(start) = config.task.start_crystal else {
        unreachable!("one skeleton has one list")
    };
    let start: Vec<&str> = start.iter().map(|element| element.symbol()).collect();
    let rows = read_episodes(&folder.path().join("improved/episodes.csv")).unwrap();
    assert_eq!(rows.len(), 2);
    for row in rows {
        assert_eq!(
            row.start_elements.as_deref(),
            Some(start.join(" ").as_str())
        );
        assert_eq!(row.start_value, best.value);
        let end = row.value.map_or(-1.0, reward);
        let expected = end - reward(row.start_value.unwrap());
        assert!((row.episodic_return - expected).abs() < 1e-12, "{row:?}");
    }
}
