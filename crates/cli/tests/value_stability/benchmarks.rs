//! The smallest benchmark: its raw files, and the tables and figures' numbers that follow from them.

use std::{fs, path::Path};

use crate::{
    digests::{Dependence, Digests},
    runs::{CHOICES, RETURNS, columns, crystalgym},
};

/// Tables without wall times and words, and the numbers of one figure of each kind.
const TABLES: [&str; 9] = [
    "performance.csv",
    "interquartile_mean.csv",
    "failures_by_element.csv",
    "figure-area_under_curve-paper-exp1.csv",
    "figure-best_crystals-paper-exp4-density.csv",
    "figure-learning_curves-paper-exp4-band_gap-steps.csv",
    "figure-learning_curves-paper-exp1-density-episodes.csv",
    "figure-properties-paper-exp4-density.csv",
    "figure-uniqueness.csv",
];
/// Columns of `evaluation.csv`.
const ROLLOUTS: [&str; 7] = [
    "mode",
    "held_out",
    "skeleton",
    "elements",
    "value",
    "episodic_return",
    "failure",
];

/// Two experiments, one of them on mixed skeletons, by textbook formulas; two jobs at a time.
pub(crate) fn run(digests: &mut Digests, folder: &Path) {
    let mut arguments = vec!["bench", "run", "paper-exp1", "paper-exp4"];
    arguments.extend(["--scale", "smoke", "--seeds", "2", "--parallel", "2"]);
    arguments.extend(["--properties", "density,band_gap", "--skeletons", "C4"]);
    arguments.extend(["--algorithms", "ppo,sac,dqn,random_search"]);
    arguments.extend(["--set", "calculator.name=empirical"]);
    crystalgym(folder, &arguments);
    crystalgym(folder, &["bench", "report", "benchmark"]);

    let benchmark = folder.join("benchmark");
    let mut jobs: Vec<_> = fs::read_dir(benchmark.join("jobs"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    jobs.sort();
    let mut episodes = String::new();
    let mut rollouts = String::new();
    for job in jobs {
        let name = job.file_name().unwrap().to_string_lossy().into_owned();
        let table = job.join("run/episodes.csv");
        episodes += &format!("{name}\n{}", columns(&table, &CHOICES));
        episodes += &columns(&table, &RETURNS);
        rollouts += &format!(
            "{name}\n{}",
            columns(&job.join("evaluation.csv"), &ROLLOUTS)
        );
    }
    let mut add = |part: &str, bytes: &[u8]| {
        digests.add("smoke", part, Dependence::Arithmetic, bytes);
    };
    add("episodes", episodes.as_bytes());
    add("rollouts", rollouts.as_bytes());
    for table in TABLES {
        add(
            table,
            &fs::read(benchmark.join("report").join(table)).unwrap(),
        );
    }
}
