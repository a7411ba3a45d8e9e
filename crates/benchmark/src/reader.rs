use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use crystalgym_training::{EpisodeRow, read_episodes};

use crate::{
    BenchmarkError, EvaluationRow, JobManifest, JobMeasure, JobStatus,
    runner::{EVALUATION_FILE, RUN_FOLDER},
};

/// A job that no table counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftOut {
    /// Its folder.
    pub folder: PathBuf,
    /// Why.
    pub reason: String,
}

/// The jobs of a benchmark folder.
#[derive(Debug, Clone, PartialEq)]
pub struct JobsRead {
    /// Those that count, by name.
    pub jobs: Vec<JobMeasure>,
    /// The others.
    pub left_out: Vec<LeftOut>,
}

/// Reads all jobs of a benchmark. What cannot be read, is not finished, was done twice or by another
/// version or with another calculator than the first job of its property is left out with a reason.
///
/// # Errors
/// [`BenchmarkError`] if the folder is no benchmark.
pub fn read_jobs(benchmark: &Path) -> Result<JobsRead, BenchmarkError> {
    let folder = benchmark.join("jobs");
    if !folder.is_dir() {
        let message = "holds no benchmark: expected a folder that `crystalgym bench run` has made";
        return Err(BenchmarkError::folder(benchmark, message));
    }
    let entries = fs::read_dir(&folder).map_err(BenchmarkError::io(&folder))?;
    let mut folders = Vec::new();
    for entry in entries {
        let path = entry.map_err(BenchmarkError::io(&folder))?.path();
        if path.is_dir() {
            folders.push(path);
        }
    }
    folders.sort();
    let mut read = JobsRead {
        jobs: Vec::new(),
        left_out: Vec::new(),
    };
    let mut firsts = BTreeMap::new();
    for folder in folders {
        let checked = read_job(&folder).and_then(|job| {
            is_like_the_others(&job.manifest, &folder, &mut firsts)?;
            Ok(job)
        });
        match checked {
            Ok(job) => read.jobs.push(job),
            Err(reason) => read.left_out.push(LeftOut { folder, reason }),
        }
    }
    Ok(read)
}

fn read_job(folder: &Path) -> Result<JobMeasure, String> {
    let text = |error: &dyn std::fmt::Display| error.to_string();
    let manifest =
        JobManifest::read(&folder.join(JobManifest::FILE)).map_err(|error| text(&error))?;
    match manifest.status {
        JobStatus::Finished => {}
        JobStatus::Pending => return Err("is not finished".to_owned()),
        JobStatus::Failed => {
            let reason = manifest.reason.unwrap_or_default();
            return Err(format!("failed: {reason}"));
        }
    }
    let path = folder.join(RUN_FOLDER).join("episodes.csv");
    let episodes = read_episodes(&path).map_err(|error| text(&error))?;
    check_numbers(&path, &episodes)?;
    let path = folder.join(EVALUATION_FILE);
    let evaluation: Vec<EvaluationRow> = csv::Reader::from_path(&path)
        .and_then(|mut reader| reader.deserialize().collect())
        .map_err(|error| format!("{}: {error}", path.display()))?;
    if evaluation.is_empty() {
        return Err(format!("{}: no rollouts", path.display()));
    }
    Ok(JobMeasure::of(manifest, &episodes, &evaluation))
}

/// The episodes of a table that nothing was cut out of are numbered from 1.
fn check_numbers(path: &Path, episodes: &[EpisodeRow]) -> Result<(), String> {
    if episodes.is_empty() {
        return Err(format!("{}: no episodes", path.display()));
    }
    let gap = (1..)
        .zip(episodes)
        .find(|(number, row)| row.episode != *number);
    match gap {
        Some((number, row)) => Err(format!(
            "{}: row {number} is episode {}, expected {number}: rows are missing",
            path.display(),
            row.episode
        )),
        None => Ok(()),
    }
}

type Axes = (String, String, String, &'static str, u64);

/// The first job of a property and of each set of axes, with the folder of the latter.
#[derive(Debug, Default)]
struct First {
    manifest: Option<JobManifest>,
    axes: BTreeMap<Axes, PathBuf>,
}

fn is_like_the_others(
    manifest: &JobManifest,
    folder: &Path,
    firsts: &mut BTreeMap<crystalgym_evaluation::Property, First>,
) -> Result<(), String> {
    let first = firsts.entry(manifest.property).or_default();
    let other = first.manifest.get_or_insert_with(|| manifest.clone());
    for (what, found, expected) in [
        (
            "version",
            &manifest.crystalgym_version,
            &other.crystalgym_version,
        ),
        ("calculator", &manifest.calculator, &other.calculator),
        (
            "scale",
            &manifest.scale.name().to_owned(),
            &other.scale.name().to_owned(),
        ),
    ] {
        if found != expected {
            return Err(format!(
                "{what} is {found}, that of {} is {expected}",
                other.id
            ));
        }
    }
    let axes = (
        manifest.experiment.clone(),
        manifest.skeletons.clone(),
        format!("{:?}", manifest.preset),
        manifest.algorithm.name(),
        manifest.seed,
    );
    match first.axes.get(&axes) {
        Some(known) => Err(format!("the same seed as {}", known.display())),
        None => {
            first.axes.insert(axes, folder.to_owned());
            Ok(())
        }
    }
}
