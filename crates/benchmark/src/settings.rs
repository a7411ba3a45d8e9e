//! Settings of runs, compared before they are averaged over seeds.

use std::{collections::BTreeMap, path::Path};

use crystalgym_training::RunFolder;

use crate::JobManifest;

/// Settings of a run as `section.field` with their values, without those that may differ from seed
/// to seed: the seed itself, where results are shared, what is written.
pub(crate) type Settings = BTreeMap<String, String>;

/// Sections that have no influence on what a run computes.
const WITHOUT_INFLUENCE: [&str; 2] = ["evaluation", "output"];

/// Sections that count whatever the algorithm is.
const GENERAL: [&str; 5] = [
    "algorithm",
    "task",
    "calculator",
    "screening",
    "learned_reward",
];

/// The settings of the run in a folder, which must be the run that the manifest speaks of.
///
/// # Errors
/// A message with the file and the field.
pub(crate) fn run_settings(run: &Path, manifest: &JobManifest) -> Result<Settings, String> {
    let path = run.join(RunFolder::CONFIG);
    let config = RunFolder::at(run)
        .config()
        .map_err(|error| error.to_string())?;
    let (found, expected) = (config.seed(), manifest.seed);
    if found != expected {
        return Err(format!(
            "{}: seed is {found}, its manifest says {expected}",
            path.display()
        ));
    }
    let value = serde_json::to_value(&config).map_err(|error| error.to_string())?;
    let mut settings = Settings::new();
    let algorithm = config.algorithm.name.name();
    let Some(sections) = value.as_object() else {
        return Ok(settings);
    };
    for (section, fields) in sections {
        let general = GENERAL.contains(&section.as_str());
        if WITHOUT_INFLUENCE.contains(&section.as_str()) || !general && section != algorithm {
            continue;
        }
        flatten(section, fields, &mut settings);
    }
    settings.remove(&format!("{algorithm}.seed"));
    Ok(settings)
}

fn flatten(name: &str, value: &serde_json::Value, settings: &mut Settings) {
    match value.as_object() {
        Some(fields) => {
            for (field, value) in fields {
                flatten(&format!("{name}.{field}"), value, settings);
            }
        }
        None => {
            settings.insert(name.to_owned(), value.to_string());
        }
    }
}

/// Jobs that differ in their seed alone, with the settings of the first of them.
#[derive(Debug, Default)]
pub(crate) struct SettingsOfGroup(
    BTreeMap<(String, String, String, &'static str), (String, Settings)>,
);

impl SettingsOfGroup {
    /// Whether a job may be averaged with those of other seeds.
    ///
    /// # Errors
    /// A message with the setting that differs.
    pub(crate) fn check(&self, manifest: &JobManifest, found: &Settings) -> Result<(), String> {
        let Some((other, expected)) = self.0.get(&group(manifest)) else {
            return Ok(());
        };
        let fields = found.keys().chain(expected.keys());
        for field in fields {
            let (found, expected) = (found.get(field), expected.get(field));
            if found != expected {
                let shown =
                    |value: Option<&String>| value.map_or("absent".to_owned(), String::clone);
                return Err(format!(
                    "setting {field} is {}, that of {other} is {}",
                    shown(found),
                    shown(expected)
                ));
            }
        }
        Ok(())
    }

    /// Remembers the settings of the first job of a group.
    pub(crate) fn keep(&mut self, manifest: &JobManifest, found: Settings) {
        let first = (manifest.id.clone(), found);
        self.0.entry(group(manifest)).or_insert(first);
    }
}

fn group(manifest: &JobManifest) -> (String, String, String, &'static str) {
    (
        manifest.experiment.clone(),
        manifest.property.to_string(),
        manifest.skeletons.clone(),
        manifest.algorithm.name(),
    )
}
