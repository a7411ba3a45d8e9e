//! Commands killed before each of their changes of the file system: each can be gone on with, and
//! what is there then equals what an undisturbed command leaves.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

/// Calls by which names, lengths and contents of files change. `openat` is among them, as it makes
/// files; most of its calls only read.
const CHANGES: [&str; 17] = [
    "rename",
    "renameat",
    "renameat2",
    "link",
    "linkat",
    "symlinkat",
    "unlink",
    "unlinkat",
    "mkdir",
    "mkdirat",
    "rmdir",
    "truncate",
    "ftruncate",
    "write",
    "pwrite64",
    "copy_file_range",
    "openat",
];

/// Opens of a process before it comes to its own work (libraries, clocks), which change nothing.
const OPENS_OF_THE_START: usize = 3;

fn words(text: &str) -> Vec<String> {
    text.split_whitespace().map(str::to_owned).collect()
}

fn crystalgym(folder: &Path, arguments: &[String]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_crystalgym"))
        .args(arguments)
        .current_dir(folder)
        .output()
        .unwrap()
}

fn succeeds(folder: &Path, arguments: &[String], place: &str) {
    let output = crystalgym(folder, arguments);
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{place}: {arguments:?}: {text}");
}

/// Runs the program under strace and returns what that writes.
fn traced(strace: &Path, options: &[&str], folder: &Path, arguments: &[String]) -> String {
    let log = folder.with_extension("strace");
    Command::new(strace)
        .args(["-f", "-qq", "-o"])
        .arg(&log)
        .args(options)
        .arg(env!("CARGO_BIN_EXE_crystalgym"))
        .args(arguments)
        .current_dir(folder)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .unwrap();
    fs::read_to_string(log).unwrap()
}

/// How often a program makes each call.
fn changes(strace: &Path, folder: &Path, arguments: &[String]) -> BTreeMap<String, usize> {
    let trace = format!("trace={}", CHANGES.join(","));
    let text = traced(strace, &["-e", &trace], folder, arguments);
    let mut counts = BTreeMap::new();
    for line in text.lines() {
        let call = line.split_once(' ').map(|(_, call)| call.trim_start());
        let name = call
            .and_then(|call| call.split_once('('))
            .map(|(name, _)| name);
        if let Some(name) = name.filter(|name| CHANGES.contains(name)) {
            *counts.entry(name.to_owned()).or_default() += 1;
        }
    }
    counts
}

fn copy(from: &Path, to: &Path) {
    let _ = fs::remove_dir_all(to);
    let copied = Command::new("cp").arg("-r").args([from, to]).status();
    assert!(copied.unwrap().success());
}

/// Kills `arguments`, run in a copy of the folder `before`, at each of its changes; then `go_on` must
/// leave what `expected` holds, as `contents` sees it. Returns the number of kills.
fn kill_at_each_change<C: PartialEq + std::fmt::Debug>(
    before: &Path,
    arguments: &[String],
    expected: &C,
    contents: impl Fn(&Path) -> C,
    go_on: impl Fn(&Path, &str),
) -> usize {
    let Some(strace) = crystalgym_testing::program("strace") else {
        return 0;
    };
    let root = tempfile::tempdir().unwrap();
    let folder = root.path().join("work");
    copy(before, &folder);
    let calls = changes(&strace, &folder, arguments);
    let mut kills = 0;
    for (call, count) in calls {
        let first = if call == "openat" {
            OPENS_OF_THE_START
        } else {
            1
        };
        for number in first..=count {
            copy(before, &folder);
            let inject = format!("inject={call}:signal=SIGKILL:when={number}");
            let options = ["-e", &format!("trace={call}"), "-e", &inject];
            traced(&strace, &options, &folder, arguments);
            let place = format!("{arguments:?} killed at {call} {number}");
            go_on(&folder, &place);
            assert_eq!(contents(&folder), *expected, "{place}");
            kills += 1;
        }
    }
    kills
}

/// All files below a folder with their contents, but for what may differ: TensorBoard's file, the
/// state of a run with its times, and how long each density took.
fn files(folder: &Path) -> BTreeMap<PathBuf, String> {
    let mut files = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(inner) = folders.pop() {
        for entry in fs::read_dir(inner).unwrap() {
            let path = entry.unwrap().path();
            let name = path.strip_prefix(folder).unwrap().to_owned();
            if path.is_dir() {
                files.insert(name, "a folder".to_owned());
                folders.push(path);
                continue;
            }
            let text = fs::read_to_string(&path).unwrap_or_default();
            let shown = name.to_string_lossy().into_owned();
            if shown.ends_with("episodes.csv") {
                let rows = text.lines().map(|line| line.rsplit_once(',').unwrap().0);
                files.insert(name, rows.collect::<Vec<_>>().join("\n"));
            } else if shown.contains("tfevents") {
                // Its name has the time of the start.
                files.insert("events".into(), "TensorBoard's file".to_owned());
            } else if !shown.ends_with("run.json")
                && !shown.ends_with("manifest.json")
                && !shown.contains(".sqlite")
            {
                files.insert(name, text);
            }
        }
    }
    files
}

/// Rows of all results in a store, without when and how fast they were computed.
fn results(folder: &Path) -> Vec<String> {
    let output = crystalgym(
        folder,
        &words("store --store s.sqlite export --format jsonl"),
    );
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let row = |line: &str| {
        let mut row: serde_json::Map<String, serde_json::Value> =
            serde_json::from_str(line).unwrap();
        row.remove("created");
        let outcome = row["outcome"].as_object_mut().unwrap();
        outcome.remove("seconds");
        serde_json::Value::from(row).to_string()
    };
    text.lines().map(row).collect()
}

const RIGID: &str = "--set calculator.name=rigid";

fn train(output: &str) -> Vec<String> {
    words(&format!(
        "train --algorithm random_search --output {output} {RIGID} --set task.property=density \
         --set output.checkpoint_every=40 --set output.checkpoints_kept=1 \
         --set output.best_crystals=2 --set output.evaluation_rollouts=0 \
         --set random_search.total_steps=120"
    ))
}

fn whole(folder: &Path, arguments: &[String]) {
    succeeds(folder, arguments, "undisturbed");
}

#[test]
fn a_run_goes_on() {
    let root = tempfile::tempdir().unwrap();
    let (empty, done) = (root.path().join("empty"), root.path().join("done"));
    fs::create_dir(&empty).unwrap();
    copy(&empty, &done);
    whole(&done, &train("run"));
    let expected = files(&done);
    let (start, resume) = (train("run"), words("train --resume run"));
    let go_on = |folder: &Path, place: &str| {
        let is_run = folder.join("run/config.toml").exists();
        let again = if is_run { &resume } else { &start };
        succeeds(folder, again, place);
    };
    let kills = kill_at_each_change(&empty, &start, &expected, files, go_on);
    assert!(kills == 0 || kills > 40, "{kills}");
    // A finished run, whose last checkpoint is written a second time.
    let go_on = |folder: &Path, place: &str| succeeds(folder, &resume, place);
    kill_at_each_change(&done, &resume, &expected, files, go_on);
}

#[test]
fn a_benchmark_goes_on() {
    let root = tempfile::tempdir().unwrap();
    let (empty, done) = (root.path().join("empty"), root.path().join("done"));
    fs::create_dir(&empty).unwrap();
    copy(&empty, &done);
    let run = words(&format!(
        "bench run paper-exp1 --properties density --algorithms random_search --skeletons C6 \
         --seeds 1 --scale smoke --output b {RIGID} --set random_search.total_steps=60 \
         --set output.best_crystals=2"
    ));
    whole(&done, &run);
    let go_on = |folder: &Path, place: &str| succeeds(folder, &run, place);
    let kills = kill_at_each_change(&empty, &run, &files(&done), files, go_on);
    assert!(kills == 0 || kills > 40, "{kills}");
}

/// A calculation of a tenth of a second, written to a store.
fn evaluate(elements: &str) -> Vec<String> {
    words(&format!(
        "evaluate --property band_gap --skeleton C6 --elements {elements} --store s.sqlite \
         --set native.gth_cutoff_ry=6 --set native.kppa=10"
    ))
}

#[test]
fn a_store_keeps_what_it_had() {
    let root = tempfile::tempdir().unwrap();
    let (empty, one, two) = (
        root.path().join("empty"),
        root.path().join("one"),
        root.path().join("two"),
    );
    fs::create_dir(&empty).unwrap();
    copy(&empty, &one);
    whole(&one, &evaluate("Na,Cl,F,Li"));
    copy(&one, &two);
    whole(&two, &evaluate("K,Cl,F,Li"));
    for (before, after, elements) in [(&empty, &one, "Na,Cl,F,Li"), (&one, &two, "K,Cl,F,Li")] {
        let had = results(before);
        let arguments = evaluate(elements);
        let go_on = |folder: &Path, place: &str| {
            let found = results(folder);
            assert!(
                had.iter().all(|row| found.contains(row)),
                "{place}: {found:?}"
            );
            succeeds(folder, &arguments, place);
            let check = words("store --store s.sqlite check");
            succeeds(folder, &check, place);
        };
        let kills = kill_at_each_change(before, &arguments, &results(after), results, go_on);
        assert!(kills == 0 || kills > 40, "{kills}");
    }
}

/// Files of a folder but hidden ones, which a killed process may leave.
fn visible_files(folder: &Path) -> BTreeMap<PathBuf, String> {
    let mut files = files(folder);
    files.retain(|path, _| {
        let name = path.file_name().unwrap().to_string_lossy();
        !name.starts_with('.')
    });
    files
}

#[test]
fn what_leaves_a_store_is_whole() {
    let root = tempfile::tempdir().unwrap();
    let (before, after) = (root.path().join("before"), root.path().join("after"));
    fs::create_dir(&before).unwrap();
    whole(&before, &evaluate("Na,Cl,F,Li"));
    for arguments in [
        words("store --store s.sqlite export --output results.csv"),
        words("store --store s.sqlite dataset --output data"),
    ] {
        copy(&before, &after);
        whole(&after, &arguments);
        let expected = visible_files(&after);
        let go_on = |folder: &Path, place: &str| {
            for (path, text) in visible_files(folder) {
                // A data set says that it is not whole before anything else is written into it.
                if text.starts_with("A data set that is being written") {
                    continue;
                }
                assert_eq!(
                    expected.get(&path),
                    Some(&text),
                    "{place}: {}",
                    path.display()
                );
            }
            succeeds(folder, &arguments, place);
        };
        let kills = kill_at_each_change(&before, &arguments, &expected, visible_files, go_on);
        assert!(kills == 0 || kills > 10, "{kills}");
    }
}
