//! Run folders that somebody else has made, or that a person has filled: what they lead `train` and
//! `rollout` to.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::{
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::{Command, Output},
    sync::OnceLock,
    thread,
};

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

fn run(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_crystalgym"))
        .current_dir(folder)
        .args(arguments)
        .output()
        .unwrap()
}

fn message(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!text.contains("panicked"), "{text}");
    assert!(matches!(output.status.code(), Some(0..=2)), "{text}");
    text
}

const SMALL: [&str; 7] = [
    "calculator.name=rigid",
    "task.property=density",
    "output.checkpoint_every=40",
    "random_search.total_steps=80",
    "ppo.total_steps=80",
    "ppo.network.hidden=4",
    "ppo.network.blocks=1",
];

fn train(folder: &Path, algorithm: &str, output: &str, more: &[&str]) -> Output {
    let mut arguments = vec!["train", "--algorithm", algorithm, "--output", output];
    for assignment in SMALL.iter().chain(more) {
        arguments.extend(["--set", assignment]);
    }
    run(folder, &arguments)
}

/// A run of two checkpoints, made once; each test changes a copy.
fn copy_of_run(algorithm: &str) -> tempfile::TempDir {
    static RUNS: OnceLock<tempfile::TempDir> = OnceLock::new();
    let runs = RUNS.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        for algorithm in ["random_search", "ppo"] {
            let output = train(folder.path(), algorithm, algorithm, &[]);
            assert!(output.status.success(), "{}", message(&output));
        }
        folder
    });
    let folder = tempfile::tempdir().unwrap();
    let copied = Command::new("cp")
        .arg("-r")
        .arg(runs.path().join(algorithm))
        .arg(folder.path().join("run"))
        .status();
    assert!(copied.unwrap().success());
    fs::write(folder.path().join("victim"), "precious\n".repeat(20_000)).unwrap();
    folder
}

fn checkpoint(folder: &Path) -> PathBuf {
    folder.join("run/checkpoints/step-000000080")
}

/// States of random generators have 128 bits, which a JSON value would round: they are strings while
/// something else is changed.
fn quoted(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(start) = rest.find(|c: char| c.is_ascii_digit()) {
        let digits = rest[start..].find(|c: char| !c.is_ascii_digit());
        let end = digits.map_or(rest.len(), |length| start + length);
        let number = &rest[start..end];
        out += &rest[..start];
        let whole = out.ends_with([':', '[', ',']) && number.len() > 18;
        out += &if whole {
            format!("\"@{number}\"")
        } else {
            number.to_owned()
        };
        rest = &rest[end..];
    }
    out + rest
}

fn unquoted(text: &str) -> String {
    let mut parts = text.split("\"@");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |out, part| out + &part.replacen('"', "", 1))
}

/// Changes a JSON file of the last checkpoint, with a manifest that says so: as a stranger would.
fn edit(folder: &Path, file: &str, change: impl FnOnce(&mut Value)) {
    let checkpoint = checkpoint(folder);
    let path = checkpoint.join(file);
    let text = fs::read_to_string(&path).unwrap();
    let mut value: Value = serde_json::from_str(&quoted(&text)).unwrap();
    change(&mut value);
    let text = unquoted(&value.to_string());
    fs::write(&path, &text).unwrap();
    let manifest = checkpoint.join("manifest.json");
    let mut sums: Value = serde_json::from_slice(&fs::read(&manifest).unwrap()).unwrap();
    let sha256: String = Sha256::digest(&text)
        .iter()
        .map(|b| format!("{b:02x}"))
        .collect();
    sums["files"][file] = json!({ "bytes": text.len(), "sha256": sha256 });
    fs::write(manifest, sums.to_string()).unwrap();
}

fn assert_untouched(folder: &Path) {
    let text = fs::read_to_string(folder.join("victim")).unwrap();
    assert!(
        text == "precious\n".repeat(20_000),
        "the victim was written"
    );
}

#[test]
fn names_in_a_checkpoint_are_no_paths() {
    for name in [
        "../victim",
        "../../../victim",
        "/etc/hostname",
        "episodes.csv",
        "",
        ".",
    ] {
        let folder = copy_of_run("random_search");
        edit(folder.path(), "run.json", |state| {
            state["events_file"] = json!(name);
            state["events_length"] = json!(5);
        });
        let output = run(folder.path(), &["train", "--resume", "run"]);
        assert_eq!(output.status.code(), Some(1), "{name}");
        assert!(message(&output).contains("is no name of an event file"));
        assert_untouched(folder.path());
    }
    let folder = copy_of_run("ppo");
    edit(folder.path(), "agent.json", |agent| {
        agent["networks"]["file"] = json!("../../../victim");
    });
    let output = run(folder.path(), &["rollout", "run"]);
    assert!(
        message(&output).contains("is no name of a file"),
        "{}",
        message(&output)
    );
}

#[test]
fn links_that_a_folder_brings_along_are_not_followed() {
    for name in [
        ".lock",
        "episodes.csv",
        "config.toml",
        "best",
        "checkpoints",
    ] {
        let folder = copy_of_run("random_search");
        let entry = folder.path().join("run").join(name);
        let outside = folder.path().join("outside");
        if entry.is_dir() {
            fs::rename(&entry, &outside).unwrap();
            fs::write(outside.join("precious"), "x").unwrap();
        } else {
            // A table that could be gone on with, were it not a link.
            let _ = fs::rename(&entry, &outside);
            if name == ".lock" {
                fs::write(&outside, "precious").unwrap();
            }
        }
        let before = fs::read(&outside).ok();
        symlink(&outside, &entry).unwrap();
        let output = run(folder.path(), &["train", "--resume", "run"]);
        assert_eq!(output.status.code(), Some(1), "{name}");
        assert!(message(&output).contains(name) || name == "config.toml");
        assert_eq!(fs::read(&outside).ok(), before, "{name}");
        if outside.is_dir() {
            assert!(outside.join("precious").exists());
        }
    }
}

#[test]
fn a_label_of_a_best_crystal_is_one_of_the_task() {
    for label in ["../../../outside", "/abs", "C2/../x", "C7", "."] {
        let folder = copy_of_run("random_search");
        edit(folder.path(), "run.json", |state| {
            state["statistics"]["best"]["crystals"][0]["skeleton"] = json!(label);
        });
        let output = run(folder.path(), &["train", "--resume", "run"]);
        let text = message(&output);
        assert!(text.contains("best: crystal 1 is on a skeleton"), "{text}");
    }
}

/// Each number of a saved state that another part of it depends on; unchanged, the state is taken.
#[test]
fn an_edited_state_is_refused_without_a_panic() {
    let big = 1_u64 << 60;
    let edits: [(&str, &str, Value, &str); 15] = [
        (
            "agent.json",
            "/memory/traces/current",
            json!([]),
            "the probabilities of actions",
        ),
        (
            "agent.json",
            "/memory/traces/current/0",
            json!([0.5, 0.5, 0.5, 0.5]),
            "the probabilities",
        ),
        (
            "agent.json",
            "/memory/traces/ended",
            json!([[0.5]]),
            "the probabilities of actions",
        ),
        (
            "agent.json",
            "/environment/steps",
            json!(big),
            "in a run of 80",
        ),
        (
            "agent.json",
            "/environment/episodes",
            json!(big),
            "episodes in",
        ),
        (
            "agent.json",
            "/environment/slots",
            json!([]),
            "0 environments",
        ),
        (
            "agent.json",
            "/environment/slots/0/episode/start/step",
            json!(4),
            "does not belong",
        ),
        (
            "agent.json",
            "/environment/slots/0/episode/start/start",
            json!(99),
            "does not belong",
        ),
        (
            "agent.json",
            "/settings/network/hidden",
            json!(big),
            "hidden is",
        ),
        (
            "agent.json",
            "/settings/environments",
            json!(big),
            "environments is",
        ),
        (
            "agent.json",
            "/settings/clip",
            json!(0.3),
            "settings are not those of the run",
        ),
        (
            "run.json",
            "/episodes_length",
            json!(big),
            "the checkpoint counted",
        ),
        (
            "run.json",
            "/events_length",
            json!(big),
            "the checkpoint counted",
        ),
        (
            "run.json",
            "/statistics/episodes",
            json!(big),
            "but the agent took 80 steps",
        ),
        (
            "run.json",
            "/statistics/best/capacity",
            json!(big),
            "expected 10",
        ),
    ];
    for (file, pointer, value, expected) in edits {
        let folder = copy_of_run("ppo");
        edit(folder.path(), file, |_| {});
        let output = run(folder.path(), &["train", "--resume", "run"]);
        assert!(output.status.success(), "{}", message(&output));
        edit(folder.path(), file, |state| {
            *state.pointer_mut(pointer).unwrap() = value;
        });
        let output = run(folder.path(), &["train", "--resume", "run"]);
        let text = message(&output);
        assert!(!output.status.success(), "{pointer}");
        assert!(text.contains(expected), "{pointer}: {text}");
    }
}

#[test]
fn a_damaged_checkpoint_is_passed_over_with_a_word() {
    let folder = copy_of_run("ppo");
    let undisturbed = fs::read(folder.path().join("run/episodes.csv")).unwrap();
    fs::write(checkpoint(folder.path()).join("agent.json"), "{").unwrap();
    let output = run(folder.path(), &["rollout", "run", "--rollouts", "1"]);
    let text = message(&output);
    assert!(output.status.success(), "{text}");
    assert!(text.contains("step-000000080 is not whole"), "{text}");
    let output = run(folder.path(), &["train", "--resume", "run"]);
    let text = message(&output);
    assert!(output.status.success(), "{text}");
    assert!(text.contains("using step-000000040"), "{text}");
    let episodes = fs::read(folder.path().join("run/episodes.csv")).unwrap();
    assert!(episodes == undisturbed, "the run is another one");
    let aside = folder.path().join("run/checkpoints/damaged-step-000000080");
    assert!(aside.exists());
}

/// Neither a program nor its environment comes from a folder in silence.
#[test]
fn a_command_that_a_folder_names_is_not_run_in_silence() {
    let evil = r#"command = ["/bin/sh", "-c", "touch pwned"]"#;
    for (old, new, named) in [
        (r#"command = ["pw.x"]"#, evil, "calculator.qe.command"),
        (
            r#"ev_command = ["ev.x"]"#,
            r#"ev_command = ["./x"]"#,
            "calculator.qe.ev_command",
        ),
        (
            "[calculator.qe.environment]",
            "[calculator.qe.environment]\nLD_PRELOAD = \"/tmp/x.so\"",
            "LD_PRELOAD",
        ),
    ] {
        let folder = copy_of_run("random_search");
        let path = folder.path().join("run/config.toml");
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.contains(old), "{text}");
        let text = text
            .replacen(old, new, 1)
            .replace(r#"name = "rigid""#, r#"name = "qe""#);
        fs::write(&path, text).unwrap();
        edit(folder.path(), "run.json", |state| {
            state["config"]["calculator"]["name"] = json!("qe");
        });
        for arguments in [&["train", "--resume", "run"][..], &["rollout", "run"]] {
            let output = run(folder.path(), arguments);
            let text = message(&output);
            assert_eq!(output.status.code(), Some(2), "{text}");
            assert!(text.contains(named) && text.contains("--trust"), "{text}");
            assert!(!folder.path().join("pwned").exists());
        }
    }
}

#[test]
fn a_folder_that_is_no_run_is_not_trained_in() {
    let folder = tempfile::tempdir().unwrap();
    let mine = folder.path().join("mine");
    fs::create_dir_all(mine.join("best")).unwrap();
    fs::write(mine.join("best/thesis.txt"), "x").unwrap();
    fs::write(mine.join("episodes.csv"), "my own table\n").unwrap();
    let output = train(folder.path(), "random_search", "mine", &[]);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        message(&output).contains("holds no run"),
        "{}",
        message(&output)
    );
    assert_eq!(
        fs::read(mine.join("episodes.csv")).unwrap(),
        b"my own table\n"
    );
    assert!(mine.join("best/thesis.txt").exists());
    assert!(!mine.join(".lock").exists());
    // In a run of ours, too, what a person puts beside the best crystals stays.
    let run_folder = copy_of_run("random_search");
    let thesis = run_folder.path().join("run/best/thesis.txt");
    fs::write(&thesis, "x").unwrap();
    let output = run(run_folder.path(), &["train", "--resume", "run"]);
    assert!(output.status.success(), "{}", message(&output));
    assert!(thesis.exists());
}

#[test]
fn runs_that_start_at_once_get_folders_of_their_own() {
    let folder = tempfile::tempdir().unwrap();
    thread::scope(|scope| {
        for _ in 0..6 {
            scope.spawn(|| {
                let mut arguments = vec!["train", "--algorithm", "random_search"];
                for assignment in SMALL {
                    arguments.extend(["--set", assignment]);
                }
                let output = run(folder.path(), &arguments);
                assert!(output.status.success(), "{}", message(&output));
            });
        }
    });
    let runs = fs::read_dir(folder.path().join("runs")).unwrap();
    let finished = runs.filter(|run| run.as_ref().unwrap().path().join("best").is_dir());
    assert_eq!(finished.count(), 6);
}

/// What decides a run may not change when it goes on, and neither may the files of its skeletons.
#[test]
fn a_run_goes_on_as_the_one_that_it_was() {
    for (old, new, key) in [
        ("seed = 1", "seed = 2", "dqn.seed is 2"),
        ("total_steps = 80", "total_steps = 10", "total_steps is 10"),
        (
            "checkpoints_kept = 2",
            "checkpoints_kept = 0",
            "'output.checkpoints_kept' is 0",
        ),
        (r#""C2""#, r#""C4""#, "task.skeletons"),
    ] {
        let folder = copy_of_run("random_search");
        let path = folder.path().join("run/config.toml");
        let text = fs::read_to_string(&path).unwrap();
        fs::write(&path, text.replacen(old, new, 1)).unwrap();
        let output = run(folder.path(), &["train", "--resume", "run"]);
        let text = message(&output);
        assert_eq!(output.status.code(), Some(2), "{text}");
        assert!(text.contains(key) && text.contains("config.toml"), "{text}");
        assert!(checkpoint(folder.path()).exists());
    }

    let folder = tempfile::tempdir().unwrap();
    let cube = |a: f64| {
        let structure = json!({
            "lattice": [[a, 0, 0], [0, a, 0], [0, 0, a]],
            "elements": ["Na", "Cl"],
            "frac_coords": [[0, 0, 0], [0.5, 0.5, 0.5]],
        });
        fs::write(folder.path().join("cube.json"), structure.to_string()).unwrap();
    };
    cube(4.0);
    let skeletons = "task.skeletons=['cube.json']";
    let output = train(folder.path(), "random_search", "run", &[skeletons]);
    assert!(output.status.success(), "{}", message(&output));
    cube(4.2);
    for arguments in [&["train", "--resume", "run"][..], &["rollout", "run"]] {
        let output = run(folder.path(), arguments);
        let text = message(&output);
        assert_eq!(output.status.code(), Some(1), "{text}");
        assert!(
            text.contains("skeleton cube has the lattice vector"),
            "{text}"
        );
    }
}

/// Sizes that no machine has: one line that names the field, its value and the range.
#[test]
fn absurd_settings_are_refused_with_their_range() {
    let folder = tempfile::tempdir().unwrap();
    for (assignment, expected) in [
        (
            "dqn.network.hidden=1000000000000",
            "'dqn.network.hidden' is 1000000000000, expected an even number from 2 to 1024",
        ),
        (
            "dqn.replay_capacity=9223372036854775807",
            "expected 1 to 10000000",
        ),
        ("rainbow.atoms=1000000000000", "'rainbow.atoms'"),
        (
            "sac.environments=1000000000000",
            "'sac.environments' is 1000000000000, expected 1 to 4096",
        ),
        ("ppo.rollout_steps=1000000000000", "expected 1 to 65536"),
        ("genetic.population=1000000000000", "'genetic.population'"),
        ("local_search.patience=0", "'local_search.patience' is 0"),
        (
            "evaluation.workers=100000",
            "'evaluation.workers' is 100000, expected 1 to 1024",
        ),
        (
            "output.best_crystals=1000000000000000",
            "expected 0 to 10000",
        ),
        ("dqn.learning_rate=nan", "'dqn.learning_rate' is NaN"),
        ("dqn.learning_rate=1e300", "'dqn.learning_rate' is 1"),
        ("evaluation.store=", "'evaluation.store' is \"\""),
        (
            "evaluation.store=:memory:",
            "'evaluation.store' is \":memory:\"",
        ),
    ] {
        let output = run(
            folder.path(),
            &["train", "--set", assignment, "--show-config"],
        );
        let text = message(&output);
        assert_eq!(output.status.code(), Some(2), "{assignment}: {text}");
        assert!(text.contains(expected), "{assignment}: {text}");
        assert!(text.contains(&format!("--set {assignment}: ")), "{text}");
    }
    let deep = format!("a{}=1", ".a".repeat(60_000));
    let output = run(folder.path(), &["train", "--set", &deep, "--show-config"]);
    assert!(message(&output).contains("a key of 60001 parts"));
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}
