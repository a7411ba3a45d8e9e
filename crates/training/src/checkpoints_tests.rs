//! Checkpoints: which are kept, which is found, and what is passed over.

use std::{fs, os::unix::fs::symlink, path::Path};

use super::*;
use crate::ConfigLayers;

fn state(episodes_length: u64) -> RunState {
    RunState {
        config: TrainingConfig::resolve(&ConfigLayers::default(), None).unwrap(),
        statistics: RunStatistics::keeping(10),
        episodes_length,
        predictions_length: None,
        events_file: "events.out.tfevents.1.crystalgym".to_owned(),
        events_length: 1,
    }
}

fn save(run: &RunFolder, steps: u64, text: &'static str, kept: usize) {
    // Stands for an agent; its content tells one saving from another.
    let one_file = |folder: &Path| {
        fs::create_dir_all(folder).unwrap();
        fs::write(folder.join("agent.json"), text).unwrap();
        Ok(())
    };
    write_checkpoint(run, steps, &one_file, &state(steps), kept).unwrap();
}

fn listed(run: &RunFolder) -> Vec<String> {
    run.checkpoints().unwrap().unwrap().names().unwrap()
}

fn newest(run: &RunFolder) -> Found {
    newest_whole(run, Check::Whole).unwrap().unwrap()
}

fn run() -> (tempfile::TempDir, RunFolder) {
    let folder = tempfile::tempdir().unwrap();
    let run = RunFolder::at(folder.path());
    (folder, run)
}

#[test]
fn the_last_ones_are_kept_and_the_newest_is_found() {
    let (_folder, run) = run();
    assert!(newest_whole(&run, Check::Whole).unwrap().is_none());
    for steps in [100, 200, 300] {
        save(&run, steps, "x", 2);
    }
    assert_eq!(listed(&run), ["step-000000200", "step-000000300"]);
    assert_eq!(newest(&run).state, state(300));
}

#[test]
fn one_of_the_same_step_takes_the_place_of_the_other() {
    let (_folder, run) = run();
    save(&run, 100, "first", 1);
    save(&run, 100, "second", 1);
    let found = newest(&run);
    assert_eq!(
        fs::read_to_string(found.path.join("agent.json")).unwrap(),
        "second"
    );
    assert_eq!(listed(&run).len(), 1);
}

/// Where names cannot be swapped, the later of two of one step has a number, and the order holds.
#[test]
fn names_tell_the_order() {
    for (name, place) in [
        ("step-000000100", Some((100, 1))),
        ("step-000000100-2", Some((100, 2))),
        ("step-1234567890123", Some((1_234_567_890_123, 1))),
        ("step-100", None),
        ("step-000000100-1", None),
        ("step-thesis", None),
        ("step-", None),
        ("damaged-step-000000100", None),
    ] {
        assert_eq!(place_of(name), place, "{name}");
    }
    let (_folder, run) = run();
    save(&run, 100, "first", 2);
    let checkpoints = run.checkpoints().unwrap().unwrap();
    checkpoints
        .rename("step-000000100", "step-000000100-2")
        .unwrap();
    save(&run, 50, "older", 3);
    assert!(newest(&run).path.ends_with("step-000000100-2"));
    save(&run, 200, "x", 1);
    assert_eq!(listed(&run), ["step-000000200"]);
}

/// Every way in which a checkpoint can be less than it was: the one before it is taken, and said.
#[test]
fn what_is_not_whole_is_passed_over() {
    type Damage = fn(&Path);
    let damages: [(&str, Damage); 9] = [
        ("agent.json", |folder| {
            fs::remove_file(folder.join("agent.json")).unwrap()
        }),
        ("run.json", |folder| {
            fs::remove_file(folder.join("run.json")).unwrap()
        }),
        ("manifest.json", |folder| {
            fs::remove_file(folder.join("manifest.json")).unwrap()
        }),
        ("agent.json", |folder| {
            fs::write(folder.join("agent.json"), "cut").unwrap()
        }),
        ("agent.json", |folder| {
            fs::write(folder.join("agent.json"), "anothex").unwrap()
        }),
        ("manifest.json", |folder| {
            fs::write(folder.join("manifest.json"), "{").unwrap()
        }),
        ("agent.json", |folder| {
            fs::remove_file(folder.join("agent.json")).unwrap();
            symlink("/dev/zero", folder.join("agent.json")).unwrap();
        }),
        ("link, pipe or device", |folder| {
            fs::rename(folder, folder.with_extension("moved")).unwrap();
            symlink(folder.with_extension("moved"), folder).unwrap();
        }),
        ("not empty", |folder| {
            fs::remove_dir_all(folder).unwrap();
            fs::write(folder, "not empty").unwrap();
        }),
    ];
    for (index, (named, damage)) in damages.into_iter().enumerate() {
        let (_folder, run) = run();
        save(&run, 100, "anothey", 5);
        save(&run, 200, "anothey", 5);
        damage(&run.path().join("checkpoints/step-000000200"));
        let found = newest(&run);
        assert!(found.path.ends_with("step-000000100"), "damage {index}");
        let word = word_about(&found.damaged, &found.path).join("\n");
        let said = word.contains(named) || named == "not empty";
        assert!(said && word.contains("step-000000200"), "{word}");

        set_aside(&run, &found.damaged).unwrap();
        assert!(listed(&run).contains(&"damaged-step-000000200".to_owned()));
        // It is not counted among those that are kept.
        save(&run, 150, "anothey", 2);
        let left = listed(&run);
        assert!(left.contains(&"step-000000100".to_owned()), "{left:?}");
        assert!(newest(&run).path.ends_with("step-000000150"));
    }
}

#[test]
fn a_run_whose_checkpoints_are_all_damaged_is_not_begun_anew() {
    let (_folder, run) = run();
    save(&run, 100, "x", 1);
    fs::write(
        run.path().join("checkpoints/step-000000100/agent.json"),
        "y!",
    )
    .unwrap();
    let message = newest_whole(&run, Check::Whole).unwrap_err().to_string();
    assert!(message.contains("no checkpoint is whole"), "{message}");
    assert!(message.contains("step-000000100: agent.json"), "{message}");
}

/// A manifest of somebody else's making leads nowhere, and asks for no memory.
#[test]
fn a_manifest_names_files_and_no_paths() {
    for entry in [
        r#""../../victim": {"bytes": 8, "sha256": ""}"#,
        r#""/etc/passwd": {"bytes": 8, "sha256": ""}"#,
        r#""agent.json": {"bytes": 18446744073709551615, "sha256": ""}"#,
        r#""run.json": {"bytes": -1, "sha256": ""}"#,
    ] {
        let (_folder, run) = run();
        save(&run, 100, "x", 1);
        let manifest = run.path().join("checkpoints/step-000000100/manifest.json");
        fs::write(
            manifest,
            format!(r#"{{"version": 1, "files": {{{entry}}}}}"#),
        )
        .unwrap();
        let message = newest_whole(&run, Check::State).unwrap_err().to_string();
        assert!(message.contains("no checkpoint is whole"), "{message}");
    }
}
