//! What may be another when a run goes on.

use std::{collections::BTreeMap, path::Path};

use toml::{Table, Value};

use crate::{RunFolder, TrainingConfig, TrainingError};

/// What may be another when a run goes on: how its results are computed and kept, and when
/// something is written, but nothing that decides what is learned.
const MAY_CHANGE: [&str; 16] = [
    "calculator.native.threads",
    "calculator.native.time_limit_seconds",
    "calculator.qe.command",
    "calculator.qe.environment",
    "calculator.qe.ev_command",
    "calculator.qe.keep_scratch",
    "calculator.qe.scratch",
    "calculator.qe.time_limit_seconds",
    "evaluation.store",
    "evaluation.workers",
    "output.checkpoint_every",
    "output.checkpoints_kept",
    "output.evaluation_rollouts",
    "output.look_every",
    "screening.native.threads",
    "screening.native.time_limit_seconds",
];

/// Refuses a configuration that is no longer that of the run's checkpoint.
///
/// # Errors
/// [`TrainingError::Configuration`] names what has changed and what may.
pub(crate) fn check_unchanged(
    now: &TrainingConfig,
    saved: &TrainingConfig,
    folder: &Path,
) -> Result<(), TrainingError> {
    let (now, saved) = (flat(now)?, flat(saved)?);
    let keys = now
        .keys()
        .chain(saved.keys().filter(|key| !now.contains_key(*key)));
    let show = |value: Option<&Value>| value.map_or("absent".to_owned(), Value::to_string);
    let changed: Vec<String> = keys
        .filter(|key| now.get(*key) != saved.get(*key) && !may_change(key))
        .map(|key| {
            let (now, saved) = (show(now.get(key)), show(saved.get(key)));
            format!("{key} is {now}, the run was trained with {saved}")
        })
        .collect();
    if changed.is_empty() {
        return Ok(());
    }
    Err(TrainingError::Configuration {
        origin: folder.join(RunFolder::CONFIG).display().to_string(),
        message: format!(
            "{}; only these may change: {}",
            changed.join("; "),
            MAY_CHANGE.join(", ")
        ),
    })
}

fn may_change(key: &str) -> bool {
    MAY_CHANGE.iter().any(|free| {
        key.strip_prefix(free)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    })
}

/// Values by dotted key.
fn flat(config: &TrainingConfig) -> Result<BTreeMap<String, Value>, TrainingError> {
    fn walk(prefix: &str, table: Table, out: &mut BTreeMap<String, Value>) {
        for (key, value) in table {
            let key = match prefix {
                "" => key,
                _ => format!("{prefix}.{key}"),
            };
            match value {
                Value::Table(inner) => walk(&key, inner, out),
                other => {
                    out.insert(key, other);
                }
            }
        }
    }
    let mut out = BTreeMap::new();
    walk("", config.to_table()?, &mut out);
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ConfigLayers;

    fn config(assignments: &[&str]) -> TrainingConfig {
        let mut layers = ConfigLayers::default();
        for assignment in assignments {
            layers.add_assignment(assignment).unwrap();
        }
        TrainingConfig::resolve(&layers, None).unwrap()
    }

    #[test]
    fn what_decides_the_run_may_not_change() {
        let saved = config(&[]);
        let check = |assignments: &[&str]| {
            check_unchanged(&config(assignments), &saved, Path::new("run"))
                .map_err(|error| error.to_string())
        };
        check(&[]).unwrap();
        check(&[
            "evaluation.workers=7",
            "evaluation.store=none",
            "output.checkpoint_every=3",
            "output.checkpoints_kept=1",
            "calculator.native.threads=2",
            "calculator.qe.environment={OMP_NUM_THREADS='2'}",
        ])
        .unwrap();
        for (assignment, key) in [
            ("dqn.seed=2", "dqn.seed is 2, the run was trained with 1"),
            ("dqn.total_steps=10", "dqn.total_steps is 10"),
            ("dqn.threads=2", "dqn.threads is 2"),
            ("calculator.native.kppa=7", "calculator.native.kppa is 7"),
            ("output.best_crystals=3", "output.best_crystals is 3"),
            ("task.target=7.5", "task.target is 7.5"),
            ("dqn.max_gradient_norm=1", "max_gradient_norm is 1"),
        ] {
            let message = check(&[assignment]).unwrap_err();
            assert!(message.contains(key), "{assignment}: {message}");
            assert!(message.starts_with("run/config.toml: "), "{message}");
            assert!(message.contains("evaluation.workers"), "{message}");
        }
    }
}
