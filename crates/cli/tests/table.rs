//! `crystalgym table` as a user runs it: built, killed, gone on with, exported, learned on.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::PermissionsExt as _,
    path::Path,
    process::{Command, Output, Stdio},
    thread,
    time::Duration,
};

use crystalgym_evaluation::{Outcome, ResultStore, ResultTable, StoredResult, TableRow};

const FILLINGS: usize = 35;
/// The engine at its cheapest.
const CHEAP: [&str; 4] = ["--set", "native.gth_cutoff_ry=8", "--set", "native.kppa=1"];

fn crystalgym(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_crystalgym"));
    command
        .current_dir(folder)
        .env("XDG_DATA_HOME", folder.join("data"))
        .args(arguments);
    command
}

fn run(folder: &Path, arguments: &[&str]) -> Output {
    crystalgym(folder, arguments).output().unwrap()
}

fn succeeds(folder: &Path, arguments: &[&str]) -> String {
    let output = run(folder, arguments);
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {error}");
    String::from_utf8(output.stdout).unwrap()
}

fn refused(folder: &Path, arguments: &[&str], status: i32) -> String {
    let output = run(folder, arguments);
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(status), "{arguments:?}: {error}");
    error
}

/// The whole command of a small table in a store.
fn build<'a>(name: &'a str, store: &'a str) -> Vec<&'a str> {
    let mut arguments = vec![
        "table",
        "build",
        name,
        "--skeleton",
        "C6",
        "--property",
        "band_gap",
    ];
    arguments.extend([
        "--elements",
        "Li,Na,F,Cl",
        "--workers",
        "1",
        "--store",
        store,
    ]);
    arguments.extend(CHEAP);
    arguments
}

fn results(store: &Path) -> BTreeMap<String, StoredResult> {
    let opened = match ResultStore::open_read_only(store) {
        Ok(opened) => opened,
        Err(_) => return BTreeMap::new(),
    };
    let results = opened.results(None).unwrap_or_default();
    results.into_iter().map(|r| (r.key.clone(), r)).collect()
}

fn without_time(row: &TableRow) -> TableRow {
    let mut row = row.clone();
    match &mut row.outcome {
        Outcome::Success(values) => values.seconds = 0.0,
        Outcome::Failure(failure) => failure.seconds = 0.0,
    }
    row
}

/// Oracle: a table that nobody disturbed. A result that is in the store stays to the last bit, its
/// wall time too: nothing is computed twice.
#[test]
fn a_killed_build_goes_on_and_ends_with_the_same_table() {
    let folder = tempfile::tempdir().unwrap();
    let store = folder.path().join("killed.sqlite");
    let command = build("killed", "killed.sqlite");
    let mut known = BTreeMap::new();
    for kill in 1..=10 {
        let mut child = crystalgym(folder.path(), &command)
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let wanted = kill * 2;
        while results(&store).len() < wanted && child.try_wait().unwrap().is_none() {
            thread::sleep(Duration::from_millis(2));
        }
        // SIGKILL.
        let _ = child.kill();
        child.wait().unwrap();
        let now = results(&store);
        assert!(now.len() >= wanted, "{}", now.len());
        for (key, result) in &known {
            assert_eq!(now.get(key), Some(result));
        }
        known = now;
    }
    assert!(known.len() < FILLINGS, "every kill came too late");
    let error = refused(folder.path(), &["table", "export", "killed"], 1);
    assert!(error.contains("have no result yet"), "{error}");
    // By its name alone; another recipe under it is refused.
    let mut other = build("killed", "killed.sqlite");
    other.extend(["--seed", "2"]);
    let error = refused(folder.path(), &other, 1);
    assert!(error.contains("other settings"), "{error}");
    succeeds(folder.path(), &["table", "build", "killed"]);
    let whole = results(&store);
    assert_eq!(whole.len(), FILLINGS);
    for (key, result) in &known {
        assert_eq!(whole.get(key), Some(result));
    }
    succeeds(folder.path(), &build("calm", "calm.sqlite"));
    let tables = ["killed", "calm"].map(|name| {
        succeeds(folder.path(), &["table", "export", name]);
        let file = folder.path().join(format!("{name}.parquet"));
        assert!(file.with_extension("md").is_file());
        ResultTable::open(file.to_str().unwrap()).unwrap()
    });
    let [killed, calm] = &tables;
    assert_eq!(killed.description(), calm.description());
    let rows = |table: &ResultTable| table.rows().iter().map(without_time).collect::<Vec<_>>();
    assert_eq!(rows(killed), rows(calm));
    assert!(killed.is_whole() && killed.rows().len() == FILLINGS);

    // What is shown, verified and refused of it.
    let shown = succeeds(folder.path(), &["table", "show", "killed.parquet"]);
    assert!(shown.contains("35 of 35 fillings"), "{shown}");
    let json = succeeds(folder.path(), &["table", "show", "killed", "--json"]);
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(
        (&json["rows"], &json["is_whole"]),
        (&35.into(), &true.into())
    );
    let verify = ["table", "verify", "killed.parquet", "--sample", "4"];
    let verified = succeeds(folder.path(), &verify);
    assert!(verified.contains("holds: 4 of 4"), "{verified}");
    let mut wrong = verify.to_vec();
    wrong.extend(["--set", "native.gth_cutoff_ry=9"]);
    let error = refused(folder.path(), &wrong, 1);
    assert!(error.contains("not the one that made the table"), "{error}");
    learns_the_same(folder.path());
}

/// Every algorithm on the table and on the engine with the same seed: the same episodes. Of the rows,
/// where a result came from and how long it took depend on the moment.
fn learns_the_same(folder: &Path) {
    for algorithm in [
        "dqn",
        "rainbow",
        "ppo",
        "sac",
        "random_search",
        "genetic",
        "local_search",
    ] {
        let mut settings = vec![
            "task.skeletons=['C6']".to_owned(),
            "task.elements=['Li','Na','F','Cl']".to_owned(),
            "task.property=band_gap".to_owned(),
            format!("{algorithm}.total_steps=240"),
            format!("{algorithm}.seed=5"),
        ];
        match algorithm {
            "dqn" | "rainbow" | "sac" => settings.push(format!("{algorithm}.learning_starts=40")),
            _ => {}
        }
        let tables = ["table", "engine"].map(|source| {
            let own: &[&str] = match source {
                "table" => &["calculator.name=table", "table.file=calm.parquet"],
                // Computed anew, in a store of its own.
                _ => &[
                    "native.gth_cutoff_ry=8",
                    "native.kppa=1",
                    "evaluation.store=engine.sqlite",
                ],
            };
            let output = format!("{algorithm}-{source}");
            let mut arguments = vec!["train", "--algorithm", algorithm, "--output", &output];
            let settings = settings
                .iter()
                .map(String::as_str)
                .chain(own.iter().copied());
            for setting in settings {
                arguments.extend(["--set", setting]);
            }
            let shown = succeeds(folder, &arguments);
            assert_eq!(
                shown.contains("exact: optimum"),
                source == "table",
                "{shown}"
            );
            episodes(&folder.join(&output).join("episodes.csv"))
        });
        let [table, engine] = &tables;
        assert!(table.len() >= 40, "{algorithm}");
        assert_eq!(table, engine, "{algorithm}");
    }
    assert_eq!(results(&folder.join("engine.sqlite")).len().min(20), 20);
}

/// The rows of a table of episodes without what depends on the moment.
fn episodes(path: &Path) -> Vec<Vec<String>> {
    let mut table = csv::Reader::from_path(path).unwrap();
    let header = table.headers().unwrap().clone();
    let of_the_moment = ["source", "calculation_seconds"];
    let kept: Vec<usize> = (0..header.len())
        .filter(|&place| !of_the_moment.contains(&&header[place]))
        .collect();
    table
        .records()
        .map(|row| {
            let row = row.unwrap();
            kept.iter().map(|&place| row[place].to_owned()).collect()
        })
        .collect()
}

#[test]
fn bad_commands_are_refused_before_anything_is_made() {
    let folder = tempfile::tempdir().unwrap();
    let error = refused(folder.path(), &["table", "build", "none"], 2);
    assert!(
        error.contains("expected --skeleton and --property"),
        "{error}"
    );
    let instant = [
        "table",
        "build",
        "x",
        "--skeleton",
        "C6",
        "--property",
        "density",
    ];
    let with = |more: &[&'static str]| [&instant[..], more].concat();
    let error = refused(folder.path(), &with(&["--calculator", "rigid"]), 2);
    assert!(error.contains("no table is needed"), "{error}");
    let error = refused(folder.path(), &with(&["--store", "none"]), 2);
    assert!(error.contains("expected a file"), "{error}");
    let error = refused(folder.path(), &with(&["--actions", "huge"]), 1);
    assert!(error.contains("huge"), "{error}");
    let error = refused(folder.path(), &["table", "show", "nothing"], 2);
    assert!(error.contains("no table nothing"), "{error}");
    assert!(!folder.path().join("tables").exists());
    // How much there would be to do.
    let mut dry = build("t", "s.sqlite");
    dry.push("--dry-run");
    let shown = succeeds(folder.path(), &dry);
    assert!(
        shown.contains("35 fillings of C6 with 4 elements, 0 of them"),
        "{shown}"
    );
    assert!(!folder.path().join("tables").exists());

    // A recipe that lies in a folder names a program.
    let recipe = folder.path().join("tables/evil/table.toml");
    fs::create_dir_all(recipe.parent().unwrap()).unwrap();
    fs::write(
        recipe,
        "skeleton='C6'\nactions='small'\nproperty='band_gap'\nseed=1\nstore='default'\n\
         [calculator]\nname='qe'\n[calculator.qe]\ncommand=['./evil']\n",
    )
    .unwrap();
    let error = refused(folder.path(), &["table", "build", "evil"], 2);
    assert!(error.contains("a program to run"), "{error}");
    // Nor is it asked for its version to look at the table, whatever property it is for.
    fs::write(folder.path().join("s.sqlite"), "").unwrap();
    let program = folder.path().join("evil.sh");
    fs::write(&program, "#!/bin/sh\ntouch \"$(dirname \"$0\")/ran\"\n").unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    let qe = format!(
        "name='qe'\n[calculator.AT.qe]\ncommand=['{}']\n",
        program.display()
    );
    for at in ["calculator", "calculator.for_property.band_gap"] {
        let recipe = folder.path().join("tables/evil/table.toml");
        let qe = qe.replace("calculator.AT", at);
        let text =
            "skeleton='C6'\nactions='small'\nproperty='band_gap'\nseed=1\nstore='s.sqlite'\n";
        let main = match at {
            "calculator" => String::new(),
            _ => "[calculator]\nname='native'\n".to_owned(),
        };
        fs::write(recipe, format!("{text}{main}[{at}]\n{qe}")).unwrap();
        for command in ["build", "show", "export", "verify"] {
            let error = refused(folder.path(), &["table", command, "evil"], 2);
            assert!(error.contains("not given"), "{error}");
        }
    }
    let recipe = "skeleton='C6'\nactions='small'\nproperty='band_gap'\nseed=1\n\
                  store='postgres://127.0.0.1:1/d'\n[calculator]\nname='native'\n";
    fs::write(folder.path().join("tables/evil/table.toml"), recipe).unwrap();
    let error = refused(folder.path(), &["table", "show", "evil"], 2);
    assert!(error.contains("a server that is to be asked"), "{error}");
    assert!(!folder.path().join("ran").exists());

    // A run on a table that does not hold its fillings.
    let train = [
        "train",
        "--task",
        "density-C6-easy-small",
        "--set",
        "calculator.name=table",
    ];
    let error = refused(folder.path(), &train, 2);
    assert!(error.contains("table.file is missing"), "{error}");
    let shipped = [&train[..], &["--set", "table.file=band_gap-C6-tiny"]].concat();
    let error = refused(folder.path(), &shipped, 2);
    assert!(error.contains("it holds band_gap"), "{error}");
    let other = [
        "--set",
        "task.property=band_gap",
        "--set",
        "task.skeletons=['C4']",
    ];
    let elements = ["--set", "task.elements=['Li','F']"];
    let error = refused(
        folder.path(),
        &[&shipped[..], &other, &elements].concat(),
        2,
    );
    assert!(error.contains("the geometry of C4 is another"), "{error}");
}
