//! Runs that are under way, for looking at.

use std::path::Path;

use crystalgym_environment::Reward;
use crystalgym_evaluation::Property;
use crystalgym_training::{Algorithm, RunFolder, TrainingConfig};

use crate::{
    BenchmarkError, JobManifest, JobStatus, RewardSource, TrainingMeasure,
    measure::TrainingCounter, reader::job_folders, runner::RUN_FOLDER,
};

/// What a run is about, for titles and groups.
#[derive(Debug, Clone, PartialEq)]
pub struct RunLabel {
    /// Name of the job or the run.
    pub id: String,
    /// Name of the experiment, or `run` for a run outside of a benchmark.
    pub experiment: String,
    /// Label of the skeleton, or `mixed`.
    pub skeletons: String,
    /// Property.
    pub property: Property,
    /// Its target, in its unit; of a range the middle.
    pub target: f64,
    /// How far from the target a value still has the best reward.
    pub tolerance: f64,
    /// Algorithm.
    pub algorithm: Algorithm,
    /// Seed.
    pub seed: u64,
}

impl From<&JobManifest> for RunLabel {
    fn from(manifest: &JobManifest) -> Self {
        Self {
            id: manifest.id.clone(),
            experiment: manifest.experiment.clone(),
            skeletons: manifest.skeletons.clone(),
            property: manifest.property,
            target: manifest.target,
            tolerance: manifest.tolerance,
            algorithm: manifest.algorithm,
            seed: manifest.seed,
        }
    }
}

/// A run whose end has not come, or of which nobody says that it has: for looking at, never for
/// tables.
#[derive(Debug, Clone, PartialEq)]
pub struct UnfinishedRun {
    /// What it is about.
    pub label: RunLabel,
    /// Environment steps that it is made of, where known.
    pub total_steps: Option<u64>,
    /// Whether it has been trained to its end: its newest checkpoint is there.
    pub trained: bool,
    /// Where its rewards come from, where known.
    pub rewards: Option<RewardSource>,
    /// What it has done so far.
    pub training: TrainingMeasure,
}

/// The jobs of a benchmark that are under way, without those that have no episode yet.
///
/// # Errors
/// [`BenchmarkError`] if the folder is no benchmark.
pub fn read_unfinished_jobs(benchmark: &Path) -> Result<Vec<UnfinishedRun>, BenchmarkError> {
    let mut unfinished = Vec::new();
    for folder in job_folders(benchmark)? {
        let Ok(manifest) = JobManifest::read(&folder.join(JobManifest::FILE)) else {
            continue;
        };
        if manifest.status != JobStatus::Pending {
            continue;
        }
        let run = folder.join(RUN_FOLDER);
        let config = RunFolder::at(&run).config().ok();
        let total_steps = config.as_ref().map(|config| config.agent().total_steps());
        let training = training_so_far(&run, manifest.property, config.as_ref());
        if training.episodes > 0 {
            unfinished.push(UnfinishedRun {
                label: RunLabel::from(&manifest),
                rewards: (config.as_ref()).map(|config| RewardSource::of(&config.calculator)),
                trained: total_steps.is_some_and(|total| newest_checkpoint(&run) >= Some(total)),
                total_steps,
                training,
            });
        }
    }
    Ok(unfinished)
}

/// A single training run, finished or not.
///
/// # Errors
/// [`BenchmarkError`] if the folder holds none.
pub fn read_run(folder: &Path) -> Result<UnfinishedRun, BenchmarkError> {
    let config = RunFolder::at(folder).config()?;
    let skeletons = match config.task.skeletons.as_slice() {
        [only] => Path::new(only)
            .file_stem()
            .map_or_else(|| only.clone(), |stem| stem.to_string_lossy().into_owned()),
        _ => "mixed".to_owned(),
    };
    Ok(UnfinishedRun {
        label: RunLabel {
            id: config.run_name(),
            experiment: "run".to_owned(),
            skeletons,
            property: config.task.property,
            target: config.task.target,
            tolerance: config.task.tolerance,
            algorithm: config.algorithm.name,
            seed: config.seed(),
        },
        rewards: Some(RewardSource::of(&config.calculator)),
        trained: newest_checkpoint(folder) >= Some(config.agent().total_steps()),
        total_steps: Some(config.agent().total_steps()),
        training: training_so_far(folder, config.task.property, Some(&config)),
    })
}

/// Environment steps of the newest checkpoint; `None` without one.
fn newest_checkpoint(run: &Path) -> Option<u64> {
    let entries = std::fs::read_dir(run.join(RunFolder::CHECKPOINTS)).ok()?;
    let steps = entries.filter_map(|entry| {
        let name = entry.ok()?.file_name().into_string().ok()?;
        name.strip_prefix("step-")?.parse().ok()
    });
    steps.max()
}

/// Whole rows only: the last one may be in the writing.
fn training_so_far(
    run: &Path,
    property: Property,
    config: Option<&TrainingConfig>,
) -> TrainingMeasure {
    let objective = config.and_then(|config| config.task.objective.clone());
    let mut counter = TrainingCounter::new(property).with_objective(objective);
    let rows = RunFolder::at(run).episode_rows();
    for row in rows.into_iter().flatten() {
        let Ok(row) = row else { break };
        let sound = row.episode == counter.episodes() as u64 + 1
            && row.episodic_return >= Reward::of(property).of_failure()
            && row.episodic_return.is_finite();
        if !sound || counter.add(&row).is_err() {
            break;
        }
    }
    counter.finish()
}
