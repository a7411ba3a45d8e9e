//! What a seed means: digests of seeded runs through the command line, which no rearrangement of the
//! code may change.
//!
//! The digests on record lie beside this file. A change of what a seed gives has to be meant, stated
//! in CHANGELOG.md, and recorded:
//! `CRYSTALGYM_RECORD_DIGESTS=1 cargo test -p crystalgym --test value_stability`.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may panic")]

mod benchmarks;
mod digests;
mod late;
mod runs;

use digests::Digests;
use runs::{train, train_all};

/// Rewards that are there at once.
const RIGID: &str = "calculator.name=rigid";
const DENSITY: &str = "task.property=density";
/// Networks narrower than those of the presets, which take longer.
const NARROW: &str = "agent.network.hidden=12";

fn check(name: &str, settings: &[&str]) {
    let folder = tempfile::tempdir().unwrap();
    let mut digests = Digests::new(name);
    train_all(&mut digests, folder.path(), settings);
    digests.check();
}

#[test]
fn on_one_skeleton() {
    check("c2", &[RIGID, DENSITY, "task.skeletons=['C2']"]);
}

/// Other sites, more elements, a start that is always the same and sites that allow few elements.
#[test]
fn on_restricted_sites() {
    let settings = [
        RIGID,
        DENSITY,
        NARROW,
        "task.skeletons=['C6']",
        "task.actions=medium",
        "task.target=5",
        "task.start_site=1",
        "task.allowed={0=['Na','K'], 2=['O','S']}",
    ];
    check("c6", &settings);
}

#[test]
fn on_mixed_skeletons() {
    check(
        "mixed",
        &[RIGID, DENSITY, NARROW, "task.skeletons=['C2','C4','C6']"],
    );
}

/// Rewards that come later than steps, by three workers and out of order.
#[test]
fn with_late_rewards() {
    let folder = tempfile::tempdir().unwrap();
    let settings = late::settings(folder.path());
    let mut settings: Vec<&str> = settings.iter().map(String::as_str).collect();
    settings.push(NARROW);
    let mut digests = Digests::new("late");
    train_all(&mut digests, folder.path(), &settings);
    digests.check();
}

/// The published settings, and options that no preset has on.
#[test]
fn with_other_settings() {
    let folder = tempfile::tempdir().unwrap();
    let mut digests = Digests::new("settings");
    for (algorithm, settings) in [
        ("dqn", ["dqn.learning_starts=60", "dqn.batch_size=16"]),
        (
            "rainbow",
            ["rainbow.learning_starts=60", "rainbow.batch_size=16"],
        ),
        ("ppo", ["ppo.rollout_steps=40", "ppo.minibatches=2"]),
        ("sac", ["sac.tune_temperature=true", "sac.q_clip=0.5"]),
    ] {
        let mut all = vec![
            RIGID,
            DENSITY,
            "algorithm.preset=paper",
            "task.skeletons=['C1']",
        ];
        all.extend(settings);
        train(&mut digests, folder.path(), algorithm, true, &all);
    }
    digests.check();
}

#[test]
fn in_a_benchmark() {
    let folder = tempfile::tempdir().unwrap();
    let mut digests = Digests::new("benchmark");
    benchmarks::run(&mut digests, folder.path());
    digests.check();
}
