//! A short `train`, killed before each of its changes of the file system, can be gone on with and
//! then equals the run that nobody disturbed.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

/// Calls by which names and lengths of files change.
const CHANGES: &str = "rename,renameat2,unlink,unlinkat,mkdir,rmdir,ftruncate";

const SETTINGS: [&str; 7] = [
    "calculator.name=rigid",
    "task.property=density",
    "output.checkpoint_every=40",
    "output.checkpoints_kept=1",
    "output.best_crystals=2",
    "output.evaluation_rollouts=0",
    "random_search.total_steps=120",
];

fn start(output: &Path) -> Vec<String> {
    let mut arguments: Vec<String> = ["train", "--algorithm", "random_search", "--output"]
        .map(str::to_owned)
        .into();
    arguments.push(output.to_string_lossy().into_owned());
    for setting in SETTINGS {
        arguments.extend(["--set".to_owned(), setting.to_owned()]);
    }
    arguments
}

fn resume(folder: &Path) -> Vec<String> {
    let folder = folder.to_string_lossy().into_owned();
    vec!["train".to_owned(), "--resume".to_owned(), folder]
}

fn crystalgym(arguments: &[String]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_crystalgym"))
        .args(arguments)
        .output()
        .unwrap()
}

/// Runs the program under strace and returns what that writes.
fn traced(strace: &Path, options: &[&str], arguments: &[String], log: &Path) -> String {
    Command::new(strace)
        .args(["-f", "-qq", "-o"])
        .arg(log)
        .args(options)
        .arg(env!("CARGO_BIN_EXE_crystalgym"))
        .args(arguments)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .unwrap();
    fs::read_to_string(log).unwrap()
}

/// How often a program makes each call.
fn changes(strace: &Path, arguments: &[String], log: &Path) -> BTreeMap<String, usize> {
    let trace = traced(strace, &["-e", &format!("trace={CHANGES}")], arguments, log);
    let mut counts = BTreeMap::new();
    for line in trace.lines() {
        let call = line.split_once(' ').map(|(_, call)| call.trim_start());
        let name = call
            .and_then(|call| call.split_once('('))
            .map(|(name, _)| name);
        if let Some(name) = name.filter(|name| CHANGES.split(',').any(|known| known == *name)) {
            *counts.entry(name.to_owned()).or_default() += 1;
        }
    }
    counts
}

/// All files of a run with their contents, but for what may differ: TensorBoard's file, and how long
/// each density took.
fn contents(folder: &Path) -> BTreeMap<PathBuf, String> {
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
            } else if !shown.contains("tfevents")
                && !shown.ends_with("run.json")
                && !shown.ends_with("manifest.json")
            {
                files.insert(name, text);
            }
        }
    }
    files
}

#[test]
fn a_run_killed_at_any_change_of_a_file_goes_on_as_if_nothing_had_been() {
    let Some(strace) = crystalgym_testing::program("strace") else {
        return;
    };
    let root = tempfile::tempdir().unwrap();
    let path = |name: &str| root.path().join(name);
    let (whole, out, log) = (path("whole"), path("out"), path("log"));
    assert!(crystalgym(&start(&whole)).status.success());
    let expected = contents(&whole);

    // From the start; and a finished run, whose last checkpoint is written a second time.
    for finished in [false, true] {
        let prepare = || {
            let _ = fs::remove_dir_all(&out);
            if finished {
                let copied = Command::new("cp").arg("-r").args([&whole, &out]).status();
                assert!(copied.unwrap().success());
            }
        };
        let arguments = if finished { resume(&out) } else { start(&out) };
        prepare();
        let calls = changes(&strace, &arguments, &log);
        let total: usize = calls.values().sum();
        assert!(total >= 5, "{calls:?}");
        for (call, count) in calls {
            for number in 1..=count {
                prepare();
                let inject = format!("inject={call}:signal=SIGKILL:when={number}");
                let options = ["-e", &format!("trace={call}"), "-e", &inject];
                traced(&strace, &options, &arguments, &log);
                let place = format!("finished {finished}, {call} {number}");
                let is_run = out.join("config.toml").exists();
                assert!(is_run || !finished, "{place}: no configuration");
                let go_on = if is_run { resume(&out) } else { start(&out) };
                let output = crystalgym(&go_on);
                let text = String::from_utf8_lossy(&output.stderr);
                assert!(output.status.success(), "{place}: {text}");
                let found = contents(&out);
                assert!(
                    found.keys().eq(expected.keys()),
                    "{place}: {:?}",
                    found.keys()
                );
                let differs = found.iter().find(|(name, text)| expected[*name] != **text);
                assert!(
                    differs.is_none(),
                    "{place}: {:?}",
                    differs.map(|(name, _)| name)
                );
            }
        }
    }
}
