//! `crystalgym bench run` with the built-in engine, killed without warning and gone on with; then its
//! result submitted, verified, edited and ranked.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::Stdio,
    thread,
    time::{Duration, Instant},
};

use common::{crystalgym, run, text};
use crystalgym_crystal::{CanonicalCrystal, Crystal, Skeleton, Structure, StructureFormat};
use crystalgym_evaluation::ResultStore;
use crystalgym_training::{EpisodeRow, RowSource, read_episodes};

/// Density functional theory at its cheapest: two experiments, two algorithms.
fn bench_run(output: &str) -> Vec<&str> {
    let mut arguments = vec![
        "bench",
        "run",
        "paper-exp1",
        "paper-exp5",
        "--scale",
        "smoke",
    ];
    arguments.extend(["--properties", "band_gap", "--skeletons", "C4"]);
    arguments.extend(["--algorithms", "random_search,dqn", "--output", output]);
    for setting in [
        "calculator.native.gth_cutoff_ry=6",
        "calculator.native.kppa=1",
        "output.checkpoint_every=10",
    ] {
        arguments.extend(["--set", setting]);
    }
    arguments
}

fn jobs(benchmark: &Path) -> Vec<PathBuf> {
    let mut jobs: Vec<PathBuf> = fs::read_dir(benchmark.join("jobs"))
        .map(|entries| entries.map(|entry| entry.unwrap().path()).collect())
        .unwrap_or_default();
    jobs.sort();
    jobs
}

/// What a calculation is known by: property and crystal, however that is written down.
type Calculation = (String, String);

fn crystal_name(structure: &Structure) -> String {
    CanonicalCrystal::of(structure).unwrap().name()
}

fn stored(benchmark: &Path) -> BTreeSet<Calculation> {
    let path = benchmark.join("store.sqlite");
    if !path.exists() {
        return BTreeSet::new();
    }
    let results = ResultStore::open(&path).unwrap().results(None).unwrap();
    let stored = results.into_iter().map(|row| {
        let structure = Structure::from_text(&row.structure, StructureFormat::Json).unwrap();
        (row.property, crystal_name(&structure))
    });
    stored.collect()
}

fn calculation(row: &EpisodeRow) -> Calculation {
    let elements = row
        .elements
        .split_whitespace()
        .map(|symbol| symbol.parse().unwrap());
    let skeleton = Skeleton::builtin(&row.skeleton).unwrap();
    let crystal = Crystal::new(skeleton, elements.collect())
        .unwrap()
        .canonical();
    (
        row.property.name().to_owned(),
        crystal_name(&crystal.structure()),
    )
}

/// Episodes that have been written whole; the last line of a killed process may not be.
fn written_episodes(job: &Path) -> Vec<EpisodeRow> {
    let path = job.join("run/episodes.csv");
    let text = fs::read_to_string(&path).unwrap_or_default();
    let Some(end) = text.rfind('\n') else {
        return Vec::new();
    };
    let mut reader = csv::Reader::from_reader(&text.as_bytes()[..=end]);
    reader.deserialize().map(|row| row.unwrap()).collect()
}

/// What must not depend on kills: all of an episode but where its value came from and the wall time.
fn outcome(row: EpisodeRow) -> EpisodeRow {
    EpisodeRow {
        source: RowSource::Computed,
        calculation_seconds: 0.0,
        ..row
    }
}

/// Identity: killed with SIGKILL five times, the benchmark ends with the files of an undisturbed one.
/// Nothing that the store had when the process died is computed again.
#[test]
fn a_killed_benchmark_ends_like_an_undisturbed_one() {
    let folder = tempfile::tempdir().unwrap();
    let output = run(folder.path(), &bench_run("undisturbed"));
    assert!(output.status.success(), "{}", text(&output.stderr));
    let undisturbed = folder.path().join("undisturbed");
    let all = jobs(&undisturbed);
    assert_eq!(all.len(), 4);
    let total = stored(&undisturbed).len();

    let killed = folder.path().join("killed");
    let mut snapshots = Vec::new();
    for kill in 1..=5 {
        let mut child = crystalgym(folder.path(), &bench_run("killed"))
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let enough = total * kill / 6;
        let start = Instant::now();
        while stored(&killed).len() < enough && child.try_wait().unwrap().is_none() {
            assert!(
                start.elapsed() < Duration::from_secs(300),
                "nothing was computed"
            );
            thread::sleep(Duration::from_millis(10));
        }
        // SIGKILL.
        child.kill().unwrap();
        child.wait().unwrap();
        let written: Vec<(PathBuf, Vec<EpisodeRow>)> = (jobs(&killed).into_iter())
            .map(|job| {
                let rows = written_episodes(&job);
                (job, rows)
            })
            .collect();
        snapshots.push((stored(&killed), written));
    }
    assert!(
        snapshots.iter().any(|(stored, _)| stored.len() < total),
        "killed too late"
    );
    let output = run(folder.path(), &bench_run("killed"));
    assert!(output.status.success(), "{}", text(&output.stderr));

    for (a, b) in all.iter().zip(jobs(&killed)) {
        assert_eq!(a.file_name(), b.file_name());
        let rows = |job: &Path| {
            let rows = read_episodes(&job.join("run/episodes.csv"))
                .unwrap()
                .into_iter();
            rows.map(outcome).collect::<Vec<_>>()
        };
        assert_eq!(rows(a), rows(&b), "{}", b.display());
        let evaluation = |job: &Path| fs::read_to_string(job.join("evaluation.csv")).unwrap();
        assert_eq!(evaluation(a), evaluation(&b), "{}", b.display());
    }
    assert_eq!(stored(&killed), stored(&undisturbed));
    for job in jobs(&killed) {
        for row in read_episodes(&job.join("run/episodes.csv")).unwrap() {
            if row.source != RowSource::Computed {
                continue;
            }
            for (stored, written) in &snapshots {
                let before = written.iter().find(|(other, _)| *other == job);
                let is_old = before.is_some_and(|(_, rows)| rows.contains(&row));
                let message = format!("{} was computed twice", row.elements);
                assert!(is_old || !stored.contains(&calculation(&row)), "{message}");
            }
        }
    }

    submit_verify_and_rank(folder.path());
}

/// The sixth experiment: random crystals are changed site by site, and its results can be submitted,
/// computed again, trained again and ranked like those of the others.
#[test]
fn substitution_is_run_submitted_and_verified() {
    let folder = tempfile::tempdir().unwrap();
    let mut arguments = vec!["bench", "run", "paper-exp6", "--scale", "smoke"];
    arguments.extend(["--properties", "density", "--output", "sixth"]);
    arguments.extend(["--algorithms", "ppo,dqn,genetic"]);
    arguments.extend(["--set", "calculator.name=rigid"]);
    let output = run(folder.path(), &arguments);
    assert!(output.status.success(), "{}", text(&output.stderr));
    for job in jobs(&folder.path().join("sixth")) {
        let config = fs::read_to_string(job.join("run/config.toml")).unwrap();
        assert!(config.contains("process = \"substitution\""), "{config}");
        let rows = read_episodes(&job.join("run/episodes.csv")).unwrap();
        assert!(rows.len() >= 7, "{}", rows.len());
    }
    let submit = ["bench", "submit", "sixth", "--name", "A. Tester"];
    let output = run(folder.path(), &submit);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let output = run(folder.path(), &["bench", "verify", "sixth/result.json"]);
    let shown = text(&output.stdout);
    assert!(output.status.success(), "{shown} {}", text(&output.stderr));
    assert!(shown.contains("trained again, all the same"), "{shown}");
}

/// The commands after it, on what it left.
fn submit_verify_and_rank(folder: &Path) {
    let submit = [
        "bench",
        "submit",
        "killed",
        "--name",
        "A. Tester",
        "--output",
        "good.json.gz",
    ];
    let output = run(folder, &submit);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let verify = |file: &str| run(folder, &["bench", "verify", file]);
    let output = verify("good.json.gz");
    assert!(
        output.status.success(),
        "{} {}",
        text(&output.stdout),
        text(&output.stderr)
    );
    assert!(text(&output.stdout).contains("trained again, all the same"));
    assert!(folder.join("good.json.gz.verified.json").exists());
    // A verification in part is none.
    let part = run(
        folder,
        &[
            "bench",
            "verify",
            "good.json.gz",
            "--top",
            "0",
            "--sample",
            "0",
        ],
    );
    assert_eq!(part.status.code(), Some(1));
    assert!(
        text(&part.stdout).contains("in part"),
        "{}",
        text(&part.stdout)
    );
    assert!(verify("good.json.gz").status.success());

    assert!(
        run(folder, &["bench", "submit", "killed", "--name", "B"])
            .status
            .success()
    );
    let result = fs::read_to_string(folder.join("killed/result.json")).unwrap();
    let place = result.find("\"value\":").unwrap() + "\"value\":".len();
    let edited = format!(
        "{}9.25{}",
        &result[..place],
        &result[place..].trim_start_matches(|c| c != ',')
    );
    fs::write(folder.join("edited.json"), edited).unwrap();
    let output = verify("edited.json");
    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stdout));
    assert!(
        text(&output.stdout).contains("does not hold"),
        "{}",
        text(&output.stdout)
    );

    let board = run(folder, &["bench", "leaderboard", "."]);
    let shown = text(&board.stdout);
    assert!(
        board.status.success() && shown.contains("| 1 | A. Tester |"),
        "{shown}"
    );
    assert!(shown.contains("- edited.json: does not hold"), "{shown}");
    let json = run(folder, &["bench", "leaderboard", ".", "--format", "json"]);
    let board: serde_json::Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!(board["rows"].as_array().unwrap().len(), 4, "{board:#}");
    let csv = run(folder, &["bench", "leaderboard", ".", "--format", "csv"]);
    assert_eq!(text(&csv.stdout).lines().count(), 5);

    let output = run(folder, &["bench", "verify", "killed/jobs"]);
    assert!(
        text(&output.stderr).contains("killed/jobs"),
        "{}",
        text(&output.stderr)
    );
}

#[test]
fn a_folder_of_somebody_else_is_not_taken() {
    let root = tempfile::tempdir().unwrap();
    fs::create_dir(root.path().join("mine")).unwrap();
    fs::write(root.path().join("mine/thesis.txt"), "precious").unwrap();
    let arguments = [
        "bench",
        "run",
        "paper-exp1",
        "--properties",
        "density",
        "--algorithms",
        "random_search",
        "--skeletons",
        "C6",
        "--seeds",
        "1",
        "--scale",
        "smoke",
        "--output",
        "mine",
        "--set",
        "calculator.name=rigid",
    ];
    let output = run(root.path(), &arguments);
    assert!(!output.status.success());
    let error = text(&output.stderr);
    assert!(
        error.contains("holds no benchmark") && error.contains("thesis.txt"),
        "{error}"
    );
    let names = fs::read_dir(root.path().join("mine")).unwrap();
    assert_eq!(names.count(), 1);
}
