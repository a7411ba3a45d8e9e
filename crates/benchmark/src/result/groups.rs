//! The jobs behind each row of a leaderboard.

use std::collections::BTreeMap;

use super::{
    elements::own_elements,
    file::{ResultFile, ResultJob},
};

/// Experiment (with the elements, if they are not its own), property, scale, calculator and algorithm
/// with its preset.
pub(super) type GroupKey = (String, String, String, String, String);

/// The jobs of each row of a leaderboard: alike in everything but skeletons and seed.
pub(super) fn ranked_groups(file: &ResultFile) -> BTreeMap<GroupKey, Vec<&ResultJob>> {
    let mut groups: BTreeMap<GroupKey, Vec<&ResultJob>> = BTreeMap::new();
    for job in &file.jobs {
        let preset = serde_json::to_value(job.preset).unwrap_or_default();
        let key = (
            experiment(job),
            job.property.to_string(),
            job.scale.name().to_owned(),
            format!(
                "{} {}",
                job.settings.calculator.name.name(),
                job.fingerprint
            ),
            format!(
                "{} ({})",
                job.algorithm.name(),
                preset.as_str().unwrap_or_default()
            ),
        );
        groups.entry(key).or_default().push(job);
    }
    groups
}

/// Who chooses from other elements than the experiment's is not ranked with those who keep to them.
fn experiment(job: &ResultJob) -> String {
    match own_elements(&job.settings.task) {
        Some(elements) => format!("{} with {elements}", job.experiment),
        None => job.experiment.clone(),
    }
}
