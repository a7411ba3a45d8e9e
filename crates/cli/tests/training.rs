//! `crystalgym train` as a user runs it: to the end, stopped, killed, resumed, misused.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may panic")]

mod common;

use std::{
    fs,
    path::Path,
    process::{Child, Command, Output, Stdio},
};

use common::{crystalgym, run, text};
use crystalgym_crystal::{Skeleton, Structure};
use crystalgym_testing::wait_until;
use crystalgym_training::{EpisodeRow, read_episodes};

fn assert_success(output: &Output) {
    assert!(output.status.success(), "{}", text(&output.stderr));
}

/// A short run with frequent checkpoints.
const SHORT: [&str; 13] = [
    "train",
    "--set",
    "calculator.name=rigid",
    "--set",
    "task.property=density",
    "--set",
    "dqn.total_steps=2400",
    "--set",
    "output.checkpoint_every=200",
    "--set",
    "task.skeletons=['C2','C7']",
    "--output",
    "run",
];

fn signal(child: &Child, signal: &str) {
    let pid = child.id().to_string();
    assert!(
        Command::new("kill")
            .args([signal, &pid])
            .status()
            .unwrap()
            .success()
    );
}

fn checkpoints(run: &Path) -> usize {
    fs::read_dir(run.join("checkpoints")).map_or(0, |entries| {
        entries
            .filter(|e| {
                e.as_ref()
                    .unwrap()
                    .file_name()
                    .to_string_lossy()
                    .starts_with("step-")
            })
            .count()
    })
}

/// Oracle: the best return of all 18⁵ fillings, by enumeration of their densities.
fn best_possible_return(target: f64) -> f64 {
    let actions = crystalgym_environment::ActionSet::published("small").unwrap();
    let masses: Vec<f64> = actions.elements().iter().map(|e| e.mass_u()).collect();
    let volume = Skeleton::builtin("C2").unwrap().lattice.volume();
    let mut best = f64::NEG_INFINITY;
    for index in 0..18usize.pow(5) {
        let mass: f64 = (0..5)
            .map(|site| masses[index / 18usize.pow(site) % 18])
            .sum();
        let density = 1.660_539_066_60 * mass / volume;
        best = best.max((-(density - target).powi(2) / target).exp());
    }
    best
}

#[test]
fn a_run_learns_to_near_the_optimum_and_leaves_its_best_crystals() {
    let folder = tempfile::tempdir().unwrap();
    let task = ["--task", "density-C2-easy-small"];
    let rigid = ["--set", "calculator.name=rigid"];
    let output = run(folder.path(), &[&["train"][..], &task, &rigid].concat());
    assert_success(&output);
    let shown = text(&output.stdout);
    let run = folder.path().join("runs/density-C2-dqn-seed1");
    let episodes = read_episodes(&run.join("episodes.csv")).unwrap();
    let mean = |rows: &[EpisodeRow]| {
        rows.iter().map(|row| row.episodic_return).sum::<f64>() / rows.len() as f64
    };
    let optimum = best_possible_return(3.0);
    let (first, last) = (
        mean(&episodes[..100]),
        mean(&episodes[episodes.len() - 100..]),
    );
    assert!(
        first < 0.8 * optimum,
        "random play is already good: {first}"
    );
    // Not near the optimum: a training that looks for new crystals does not repeat its best.
    assert!(last > first + 0.1, "{first} to {last} of {optimum}");
    // The greedy policy of the end.
    let policy: f64 = shown
        .split("mean return ")
        .last()
        .and_then(|rest| rest.split(' ').next()?.parse().ok())
        .unwrap();
    assert!(policy >= 0.95 * optimum, "{policy} of {optimum}:\n{shown}");
    let mut files: Vec<_> = fs::read_dir(run.join("best"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    assert_eq!(files.len(), 10);
    // The first file is the best crystal of the table, read back.
    let best = Structure::from_file(&files[0]).unwrap();
    let best_value = episodes
        .iter()
        .max_by(|a, b| a.episodic_return.total_cmp(&b.episodic_return))
        .and_then(|row| row.value)
        .unwrap();
    assert!((best.density_g_cm3() - best_value).abs() < 1e-9);
}

/// Kill −9 and SIGTERM at arbitrary moments, resume each time: the table of episodes, the best
/// crystals and the final networks are those of a run that nobody disturbed.
#[test]
fn a_killed_and_resumed_run_equals_an_undisturbed_one() {
    let undisturbed = tempfile::tempdir().unwrap();
    assert_success(&run(undisturbed.path(), &SHORT));

    let disturbed = tempfile::tempdir().unwrap();
    let folder = disturbed.path().join("run");
    let mut child = crystalgym(disturbed.path(), &SHORT)
        .stderr(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    assert!(wait_until(|| checkpoints(&folder) > 0), "no checkpoint");
    signal(&child, "-KILL");
    child.wait().unwrap();

    let resume = ["train", "--resume", "run"];
    let child = crystalgym(disturbed.path(), &resume)
        .stderr(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let rows = || fs::read_to_string(folder.join("episodes.csv")).map_or(0, |t| t.lines().count());
    let before = rows();
    assert!(wait_until(|| rows() != before), "no episode after resuming");
    signal(&child, "-TERM");
    let output = child.wait_with_output().unwrap();
    assert_success(&output);
    let message = text(&output.stderr);
    assert!(
        message.contains("go on with: crystalgym train --resume"),
        "{message}"
    );

    assert_success(&run(disturbed.path(), &resume));
    let read = |root: &Path, name: &str| fs::read(root.join("run").join(name)).unwrap();
    for name in ["episodes.csv", "config.toml"] {
        assert!(
            read(undisturbed.path(), name) == read(disturbed.path(), name),
            "{name} differs"
        );
    }
    let final_networks = |root: &Path| {
        let folder = root.join("run/checkpoints/step-000002400");
        let file = fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .find(|path| {
                path.extension()
                    .is_some_and(|extension| extension == "safetensors")
            })
            .unwrap();
        fs::read(file).unwrap()
    };
    assert!(final_networks(undisturbed.path()) == final_networks(disturbed.path()));
    let best = |root: &Path| {
        let mut names: Vec<_> = fs::read_dir(root.join("run/best"))
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        names.sort();
        names
    };
    assert_eq!(best(undisturbed.path()), best(disturbed.path()));
}

#[test]
fn a_run_killed_before_its_first_checkpoint_starts_again() {
    let folder = tempfile::tempdir().unwrap();
    let mut child = crystalgym(folder.path(), &SHORT)
        .stderr(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let configuration = folder.path().join("run/config.toml");
    assert!(wait_until(|| configuration.exists()), "no configuration");
    signal(&child, "-KILL");
    child.wait().unwrap();
    let run_folder = folder.path().join("run");
    let _ = fs::remove_dir_all(run_folder.join("checkpoints"));
    assert_success(&run(folder.path(), &["train", "--resume", "run"]));
    let events = fs::read_dir(&run_folder)
        .unwrap()
        .filter(|e| {
            e.as_ref()
                .unwrap()
                .file_name()
                .to_string_lossy()
                .contains("tfevents")
        })
        .count();
    assert_eq!(events, 1);
    assert!(
        read_episodes(&run_folder.join("episodes.csv"))
            .unwrap()
            .len()
            >= 400
    );
}

#[test]
fn only_one_process_trains_in_a_folder() {
    let folder = tempfile::tempdir().unwrap();
    let mut arguments = SHORT.to_vec();
    arguments.extend(["--set", "dqn.total_steps=1000000"]);
    let mut child = crystalgym(folder.path(), &arguments)
        .stderr(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let first_run = folder.path().join("run");
    assert!(wait_until(|| checkpoints(&first_run) > 0), "no checkpoint");
    let output = run(folder.path(), &["train", "--resume", "run"]);
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(
        text(&output.stderr).contains("another process"),
        "{}",
        text(&output.stderr)
    );
    let output = run(folder.path(), &SHORT);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        text(&output.stderr).contains("holds a run already"),
        "{}",
        text(&output.stderr)
    );
}

#[test]
fn bad_settings_end_with_status_2_and_leave_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    for (arguments, expected) in [
        (
            vec!["train", "--set", "dqn.batch=1"],
            "unknown field `batch`",
        ),
        (
            vec!["train", "--set", "task.skeletons=['C9']"],
            "unknown skeleton 'C9'",
        ),
        (
            vec![
                "train",
                "--set",
                "task.property=band_gap",
                "--set",
                "calculator.name=rigid",
            ],
            "it knows the density only",
        ),
        (
            vec!["train", "--task", "nonsense"],
            "unknown task 'nonsense'",
        ),
        (vec!["train", "--set", "task.target=-1"], "target is -1"),
    ] {
        let output = run(folder.path(), &arguments);
        let message = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {message}");
        assert!(message.contains(expected), "{message}");
        assert!(!message.contains("panicked"), "{message}");
    }
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

/// Every algorithm trains from the command line, and its checkpoint makes crystals on skeletons that
/// it never saw, for a target that it was not trained for.
#[test]
fn every_algorithm_trains_and_rolls_out_on_held_out_skeletons() {
    let folder = tempfile::tempdir().unwrap();
    for algorithm in [
        "dqn",
        "rainbow",
        "ppo",
        "sac",
        "gflownet",
        "surrogate",
        "random",
        "genetic",
        "local_search",
    ] {
        let section = if algorithm == "random" {
            "random_search"
        } else {
            algorithm
        };
        let steps = format!("{section}.total_steps=300");
        let hidden = format!("{section}.network.hidden=16");
        let rehearsal = format!("{section}.finds.rehearsal=0");
        let small: &[&str] = match algorithm {
            "dqn" | "rainbow" | "ppo" | "sac" => &["--set", &hidden, "--set", &rehearsal],
            "gflownet" => &["--set", &hidden],
            _ => &[],
        };
        // A crystal has many histories where it is improved.
        let processes = match algorithm {
            "gflownet" => &["filling", "substitution"][..],
            _ => &["filling", "substitution", "improvement"],
        };
        for process in processes {
            let run_folder = format!("{algorithm}-{process}");
            let process = format!("task.process={process}");
            let arguments = [
                "train",
                "--algorithm",
                algorithm,
                "--set",
                &steps,
                "--set",
                "calculator.name=rigid",
                "--set",
                "task.property=density",
                "--set",
                &process,
                "--output",
                &run_folder,
            ];
            assert_success(&run(folder.path(), &[&arguments[..], small].concat()));
            let held_out = ["--skeletons", "C1,C5", "--target", "4", "--sampled"];
            let arguments = [&["rollout", &run_folder][..], &held_out].concat();
            let output = run(folder.path(), &arguments);
            assert_success(&output);
            let shown = text(&output.stdout);
            assert!(
                shown.contains("of 5 rollouts, 0 of them failures"),
                "{shown}"
            );
            assert!(!shown.contains("C2"), "{shown}");
        }
    }
    let output = run(folder.path(), &["train", "--algorithm", "dqm"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(
        text(&output.stderr).contains("local_search"),
        "{}",
        text(&output.stderr)
    );
}

/// The first command of the README, cut short: gaps of real calculations, none of which fails.
#[test]
fn nothing_but_train_computes_band_gaps() {
    let folder = tempfile::tempdir().unwrap();
    let output = crystalgym(
        folder.path(),
        &[
            "train",
            "--set",
            "algorithm.name=random_search",
            "--set",
            "random_search.total_steps=40",
            "--set",
            "calculator.native.gth_cutoff_ry=12",
            "--set",
            "calculator.native.kppa=40",
            "--set",
            "output.evaluation_rollouts=1",
        ],
    )
    .env("XDG_DATA_HOME", folder.path())
    .output()
    .unwrap();
    assert_success(&output);
    let message = text(&output.stderr);
    assert!(message.contains("rewards by native"), "{message}");
    let table = folder
        .path()
        .join("runs/band_gap-C2-random_search-seed1/episodes.csv");
    let episodes = read_episodes(&table).unwrap();
    assert_eq!(episodes.len(), 8);
    for row in &episodes {
        assert!(
            row.value.is_some_and(|gap| (0.0..10.0).contains(&gap)),
            "{row:?}"
        );
    }
    assert!(folder.path().join("crystalgym/store.sqlite").exists());
}

#[test]
fn a_second_run_of_the_same_task_gets_a_folder_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    for name in [
        "density-C2-random_search-seed1",
        "density-C2-random_search-seed1-2",
    ] {
        let settings = [
            "algorithm.name=random_search",
            "random_search.total_steps=100",
        ];
        let density = ["task.property=density", "calculator.name=rigid"];
        let arguments: Vec<&str> = ["train"]
            .into_iter()
            .chain(
                density
                    .into_iter()
                    .chain(settings)
                    .flat_map(|s| ["--set", s]),
            )
            .collect();
        assert_success(&run(folder.path(), &arguments));
        assert!(folder.path().join("runs").join(name).join("best").exists());
    }
}

#[test]
fn the_configuration_can_be_shown_saved_and_used() {
    let folder = tempfile::tempdir().unwrap();
    let output = run(
        folder.path(),
        &["train", "--set", "dqn.seed=5", "--show-config"],
    );
    assert_success(&output);
    let shown = text(&output.stdout);
    assert!(shown.contains("seed = 5"), "{shown}");
    fs::write(folder.path().join("my.toml"), &shown).unwrap();
    let again = run(
        folder.path(),
        &["train", "--config", "my.toml", "--show-config"],
    );
    assert_eq!(text(&again.stdout), shown);
}
