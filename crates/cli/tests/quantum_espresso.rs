//! Real `pw.x` rewards through the command line, at cutoffs that are far from converged: these
//! tests are about the path from deck to learning, not about physics.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may panic")]

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
};

use crystalgym_evaluation::ResultStore;
use crystalgym_testing::wait_until;
use crystalgym_training::{EpisodeRow, RowSource, read_episodes};

/// Norm-conserving LDA files of Debian's quantum-espresso-data that need few plane waves.
const FILES: [(&str, &str); 5] = [
    ("H.pz-vbc.UPF", "H.UPF"),
    ("B.pz-vbc.UPF", "B.UPF"),
    ("Mg.pz-n-vbc.UPF", "Mg.UPF"),
    ("Al.pz-vbc.UPF", "Al.UPF"),
    ("Si.pz-vbc.UPF", "Si.UPF"),
];
const DEBIAN_FOLDER: &str = "/usr/share/espresso/pseudo";

/// A folder with a family of pseudopotentials and the settings of a cheap run on C6: 70 distinct
/// fillings, a few tenths of a second each.
fn workplace() -> Option<tempfile::TempDir> {
    crystalgym_testing::program("pw.x")?;
    let folder = tempfile::tempdir().unwrap();
    let family = folder.path().join("family");
    fs::create_dir(&family).unwrap();
    for (file, name) in FILES {
        let source = PathBuf::from(DEBIAN_FOLDER).join(file);
        if fs::copy(&source, family.join(name)).is_err() {
            crystalgym_testing::missing(&format!("{} not found", source.display()));
            return None;
        }
    }
    let config = "
[task]
skeletons = ['C6']
elements = ['H', 'B', 'Mg', 'Al', 'Si']
property = 'density'
target = 1.5
[calculator]
name = 'qe'
pseudopotentials = 'family'
[calculator.qe.pw]
ecutwfc_ry = 8.0
ecutrho_ry = 32.0
kppa = 1.0
conv_thr_ry = 1e-4
electron_maxstep = 60
[evaluation]
store = 'store.sqlite'
[output]
checkpoint_every = 100
[dqn]
total_steps = 2400
learning_starts = 100
[random_search]
total_steps = 2400
";
    fs::write(folder.path().join("cheap.toml"), config).unwrap();
    fs::create_dir(folder.path().join("scratch")).unwrap();
    Some(folder)
}

fn crystalgym(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_crystalgym"));
    command
        .current_dir(folder)
        .env("TMPDIR", folder.join("scratch"))
        .args(arguments);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn train(folder: &Path, output: &str, settings: &[&str]) -> Child {
    let mut arguments = vec!["train", "--config", "cheap.toml", "--output", output];
    for setting in settings {
        arguments.extend(["--set", setting]);
    }
    crystalgym(folder, &arguments).spawn().unwrap()
}

fn finish(child: Child) -> Output {
    let output = child.wait_with_output().unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    output
}

fn mean_return(rows: &[EpisodeRow]) -> f64 {
    rows.iter().map(|row| row.episodic_return).sum::<f64>() / rows.len() as f64
}

fn computed(rows: &[EpisodeRow]) -> usize {
    rows.iter()
        .filter(|row| row.source == RowSource::Computed)
        .count()
}

/// Learning against random search with the same number of episodes, both at once on one store;
/// each of the at most 70 distinct fillings is computed by one of them, once.
#[test]
fn dqn_learns_from_real_densities_and_shares_its_store_with_another_run() {
    let Some(folder) = workplace() else { return };
    let folder = folder.path();
    let random = train(folder, "random", &["algorithm.name=random_search"]);
    let dqn = train(folder, "dqn", &[]);
    finish(random);
    finish(dqn);

    let dqn = read_episodes(&folder.join("dqn/episodes.csv")).unwrap();
    let random = read_episodes(&folder.join("random/episodes.csv")).unwrap();
    assert_eq!((dqn.len(), random.len()), (600, 600));
    let (learned, chance) = (mean_return(&dqn[500..]), mean_return(&random));
    let best = random
        .iter()
        .chain(&dqn)
        .map(|row| row.episodic_return)
        .fold(-1.0, f64::max);
    println!("learned {learned:.3}, random {chance:.3}, best {best:.3}");
    // Half of the way from chance to the best, while still exploring a little.
    assert!(
        learned > 0.5 * (chance + best),
        "learned {learned}, random {chance}, best {best}"
    );

    let store = ResultStore::open(&folder.join("store.sqlite")).unwrap();
    store.check().unwrap();
    let stored = store.results(None).unwrap().len();
    assert!(stored <= 70, "{stored} distinct fillings");
    assert_eq!(
        computed(&dqn) + computed(&random),
        stored,
        "something was computed twice"
    );
}

/// Processes that work below `folder`.
fn processes_in(folder: &Path) -> Vec<String> {
    let folder = folder.canonicalize().unwrap();
    fs::read_dir("/proc")
        .unwrap()
        .filter_map(|entry| {
            let path = entry.ok()?.path();
            let cwd = fs::read_link(path.join("cwd")).ok()?;
            cwd.starts_with(&folder)
                .then(|| fs::read_to_string(path.join("comm")).unwrap_or_default())
        })
        .collect()
}

/// Kill −9 in mid-run: no pw.x goes on, the store is healthy, and the resumed run ends as if
/// nothing had happened, without computing anything again that was finished.
#[test]
fn a_run_killed_while_pw_x_is_running_leaves_no_orphan_and_can_be_resumed() {
    let Some(folder) = workplace() else { return };
    let folder = folder.path();
    let short = ["dqn.total_steps=400", "dqn.learning_starts=1000"];
    finish(train(
        folder,
        "undisturbed",
        &[&short[..], &["evaluation.store=other.sqlite"]].concat(),
    ));

    let mut child = train(folder, "run", &short);
    let scratch = folder.join("scratch");
    let checkpoints = folder.join("run/checkpoints");
    assert!(wait_until(|| checkpoints.exists()), "no checkpoint");
    let runs_pw_x = || {
        processes_in(&scratch)
            .iter()
            .any(|name| name.trim() == "pw.x")
    };
    assert!(wait_until(runs_pw_x), "no pw.x");
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(
        wait_until(|| processes_in(&scratch).is_empty()),
        "left: {:?}",
        processes_in(&scratch)
    );
    let store = ResultStore::open(&folder.join("store.sqlite")).unwrap();
    store.check().unwrap();
    let before = store.results(None).unwrap();

    finish(
        crystalgym(folder, &["train", "--resume", "run"])
            .spawn()
            .unwrap(),
    );
    let after = store.results(None).unwrap();
    assert!(
        before.iter().all(|result| after.contains(result)),
        "a finished result changed"
    );
    let strip = |run: &str| -> Vec<EpisodeRow> {
        let rows = read_episodes(&folder.join(run).join("episodes.csv")).unwrap();
        // Where a result came from and how long it took are the machine's affair.
        let plain = |row: EpisodeRow| EpisodeRow {
            source: RowSource::Computed,
            calculation_seconds: 0.0,
            ..row
        };
        rows.into_iter().map(plain).collect()
    };
    let (resumed, undisturbed) = (strip("run"), strip("undisturbed"));
    assert_eq!(resumed.len(), undisturbed.len());
    for (resumed, undisturbed) in resumed.iter().zip(&undisturbed) {
        assert_eq!(resumed, undisturbed);
    }
}

#[test]
fn what_is_missing_is_named_before_anything_runs() {
    let Some(folder) = workplace() else { return };
    let folder = folder.path();
    for (setting, expected) in [
        ("calculator.qe.command=['no-such-pw.x']", "no-such-pw.x"),
        ("calculator.pseudopotentials=nowhere", "nowhere"),
        ("task.elements=['H', 'Au']", "Au"),
        ("calculator.qe.pw.ecutrho_ry=10", "ecutrho_ry"),
    ] {
        let output = train(folder, "run", &[setting]).wait_with_output().unwrap();
        let message = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{setting}: {message}");
        assert!(message.contains(expected), "{setting}: {message}");
    }
    assert!(!folder.join("run").exists());
}
