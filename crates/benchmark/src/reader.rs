//! Reads the jobs of a benchmark folder, and leaves out what no table may count.

use std::{
    collections::BTreeMap,
    fs,
    io::{self, Read, Seek},
    path::{Path, PathBuf},
};

use crystalgym_crystal::{EnclosedFolder, EntryKind};
use crystalgym_environment::Reward;
use crystalgym_evaluation::FailureCode;
use crystalgym_training::{EpisodeRow, Preset, RunFolder, checkpointed_episodes};
use serde::Deserialize;

use crate::{
    BenchmarkError, BenchmarkFolder, EvaluationRow, ExactMeasure, JobManifest, JobMeasure,
    JobStatus, LearnedMeasure, RewardSource, TrainingMeasure,
    exact::judge_of_run,
    limits::{LARGEST_RETURN, LARGEST_VALUE, LONGEST_CALCULATION, MOST_STEPS},
    measure::TrainingCounter,
    runner::{EVALUATION_FILE, ROLLOUTS, RUN_FOLDER},
    settings::{SettingsOfGroup, run_settings},
};

/// Optional; columns elements, skeleton, formation_energy_ev_per_atom.
const FORMATION_ENERGY_FILE: &str = "formation_energies.csv";
/// Largest table of rollouts or energies that is read.
const MOST_TABLE_BYTES: u64 = 64 << 20;
/// Why a job that waits or is under way is left out.
pub const NOT_FINISHED: &str = "is not finished";

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
    read_jobs_of(&[benchmark])
}

/// The same of several folders as if they were one: a job that two of them hold counts once.
///
/// # Errors
/// [`BenchmarkError`] if one of the folders is no benchmark.
pub fn read_jobs_of(benchmarks: &[&Path]) -> Result<JobsRead, BenchmarkError> {
    let mut read = JobsRead {
        jobs: Vec::new(),
        left_out: Vec::new(),
    };
    let mut firsts = BTreeMap::new();
    let mut settings = SettingsOfGroup::default();
    let mut folders = Vec::new();
    for benchmark in benchmarks {
        folders.extend(job_folders(benchmark)?);
    }
    for folder in folders {
        let checked = read_job(&folder).and_then(|job| {
            // Its rows are looked for under this name, which must lead nowhere else.
            let id = &job.manifest.id;
            if folder.file_name().is_none_or(|name| name != id.as_str()) {
                return Err(format!("its manifest is that of the job {id:?}"));
            }
            let found = run_settings(&folder.join(RUN_FOLDER), &job.manifest)?;
            settings.check(&job.manifest, &found)?;
            is_like_the_others(&job.manifest, &folder, &mut firsts)?;
            settings.keep(&job.manifest, found);
            Ok(job)
        });
        match checked {
            Ok(job) => read.jobs.push(job),
            Err(reason) => read.left_out.push(LeftOut { folder, reason }),
        }
    }
    Ok(read)
}

/// The folders of all jobs, in the order of their names.
pub(crate) fn job_folders(benchmark: &Path) -> Result<Vec<PathBuf>, BenchmarkError> {
    let folder = BenchmarkFolder::at(benchmark).jobs();
    if !BenchmarkFolder::at(benchmark).holds_jobs() {
        let message = "holds no benchmark: expected a folder that `crystalgym bench run` has made";
        return Err(BenchmarkError::folder(benchmark, message));
    }
    let entries = fs::read_dir(&folder).map_err(BenchmarkError::io(&folder))?;
    let mut folders = Vec::new();
    for entry in entries {
        let entry = entry.map_err(BenchmarkError::io(&folder))?;
        // A link to a folder is no job either.
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            folders.push(entry.path());
        }
    }
    folders.sort();
    Ok(folders)
}

fn read_job(folder: &Path) -> Result<JobMeasure, String> {
    let manifest = JobManifest::read(&folder.join(JobManifest::FILE)).map_err(text)?;
    match manifest.status {
        JobStatus::Finished => {}
        JobStatus::Pending => return Err(NOT_FINISHED.to_owned()),
        JobStatus::Failed => {
            let reason = manifest.reason.unwrap_or_default();
            return Err(format!("failed: {reason}"));
        }
    }
    let run = folder.join(RUN_FOLDER);
    let mut training = read_training(&run, &manifest)?;
    training.solving.looks = RunFolder::at(&run).looks().map_err(text)?;
    let evaluation = read_evaluation(folder, &manifest)?;
    let mut job = JobMeasure::of(manifest, training, &evaluation);
    job.formation_energies_ev_per_atom = read_formation_energies(folder)?;
    if let Ok(config) = RunFolder::at(&run).config() {
        if config.learned_reward.is_some() {
            let predictions = RunFolder::at(&run).predictions().map_err(text)?;
            let pretraining = RunFolder::at(&run).pretraining().map_err(text)?;
            let property = job.manifest.property;
            job.learned = Some(LearnedMeasure::of(property, &predictions, pretraining));
        }
        job.rewards = Some(RewardSource::of(&config.calculator));
        if let Some(judge) = judge_of_run(&config.task, &config.calculator) {
            let episodes = RunFolder::at(&run).read_episodes().map_err(text)?;
            job.exact = Some(ExactMeasure::of(
                &judge,
                episodes.iter().map(|row| row.elements.as_str()),
                evaluation.iter().map(|row| row.elements.as_str()),
                job.greedy_return,
            ));
        }
    }
    Ok(job)
}

fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}

/// The episodes of a finished run, each checked, none missing.
fn read_training(run: &Path, manifest: &JobManifest) -> Result<TrainingMeasure, String> {
    let path = run.join(RunFolder::EPISODES);
    let named = |message: String| format!("{}: {message}", path.display());
    if !episodes_end_with_a_line(run).map_err(|error| named(text(error)))? {
        return Err(named("is cut off in the middle of its last row".to_owned()));
    }
    let config = RunFolder::at(run).config().ok();
    let is_learned = config
        .as_ref()
        .is_some_and(|config| config.learned_reward.is_some());
    let mut last = 0;
    let mut counter = TrainingCounter::new(manifest.property)
        .with_tolerance(manifest.tolerance)
        .with_objective(config.and_then(|config| config.task.objective));
    for row in RunFolder::at(run).episode_rows().map_err(text)? {
        let row = row.map_err(text)?;
        // Of a learned reward the table holds what was calculated, with the numbers that it has among all.
        let numbered = match is_learned && row.episode > last {
            true => EpisodeRow {
                episode: counter.episodes() as u64 + 1,
                ..row.clone()
            },
            false => row.clone(),
        };
        last = row.episode;
        check_row(&numbered, manifest, &counter).map_err(named)?;
        counter
            .add(&row)
            .map_err(|error| named(format!("episode {}: {error}", row.episode)))?;
    }
    let found = counter.episodes();
    if found == 0 {
        return Err(named("no episodes".to_owned()));
    }
    match checkpointed_episodes(run).map_err(text)? {
        Some(expected) if expected != found as u64 => Err(named(format!(
            "has {found} episodes, the run's last checkpoint counted {expected}"
        ))),
        _ => Ok(counter.finish()),
    }
}

/// The episodes of a table that nothing was cut out of are numbered from 1, and all of its numbers
/// are numbers.
pub(crate) fn check_row(
    row: &EpisodeRow,
    manifest: &JobManifest,
    before: &TrainingCounter,
) -> Result<(), String> {
    let number = before.episodes() as u64 + 1;
    if row.episode != number {
        return Err(format!(
            "row {number} is episode {}, expected {number}: rows are missing",
            row.episode
        ));
    }
    let wrong = |field: &str, found: &dyn std::fmt::Display, expected: &dyn std::fmt::Display| {
        Err(format!(
            "row {number}: {field} is {found}, expected {expected}"
        ))
    };
    if row.step < before.last_step() {
        let expected = format!("at least the {} of the row before", before.last_step());
        return wrong("step", &row.step, &expected);
    }
    if row.step > MOST_STEPS {
        return wrong("step", &row.step, &format!("at most {MOST_STEPS}"));
    }
    if !(manifest.target > 0.0 && manifest.target <= LARGEST_VALUE) {
        return wrong("target", &manifest.target, &"a positive number up to 1e6");
    }
    if row.property != manifest.property {
        return wrong("property", &row.property, &manifest.property);
    }
    if row.target != manifest.target {
        return wrong("target", &row.target, &manifest.target);
    }
    check_result(row.value, row.episodic_return, row.failure, manifest)
        .or_else(|(field, found, expected)| wrong(field, &found, &expected))?;
    if !(0.0..=LONGEST_CALCULATION).contains(&row.calculation_seconds) {
        return wrong("calculation_seconds", &row.calculation_seconds, &"a time");
    }
    Ok(())
}

/// A value without a failure or a failure without a value, and a return that is a number and not
/// below that of a failure.
fn check_result(
    value: Option<f64>,
    episodic_return: f64,
    failure: Option<FailureCode>,
    manifest: &JobManifest,
) -> Result<(), (&'static str, String, &'static str)> {
    let lowest = Reward::of(manifest.property).of_failure();
    if !(lowest..=LARGEST_RETURN).contains(&episodic_return) {
        let expected = "a number from the return of a failure to 1";
        return Err(("episodic_return", episodic_return.to_string(), expected));
    }
    match (value, failure) {
        (Some(value), None) if value.abs() <= LARGEST_VALUE => Ok(()),
        (Some(value), None) => Err(("value", value.to_string(), "a number up to 1e6")),
        (None, None) => Err((
            "value",
            "empty".to_owned(),
            "a number, since nothing failed",
        )),
        (Some(value), Some(_)) => Err(("value", value.to_string(), "none after a failure")),
        (None, Some(_)) => Ok(()),
    }
}

fn read_evaluation(folder: &Path, manifest: &JobManifest) -> Result<Vec<EvaluationRow>, String> {
    let path = folder.join(EVALUATION_FILE);
    let named = |message: &dyn std::fmt::Display| format!("{}: {message}", path.display());
    let rows: Vec<EvaluationRow> =
        read_table(folder, EVALUATION_FILE).map_err(|error| named(&error))?;
    for (number, row) in (1..).zip(&rows) {
        check_result(row.value, row.episodic_return, row.failure, manifest).map_err(
            |(field, found, expected)| {
                named(&format!(
                    "row {number}: {field} is {found}, expected {expected}"
                ))
            },
        )?;
    }
    for held_out in [false, true] {
        let expected = match held_out && manifest.held_out.is_empty() {
            true => 0,
            false => ROLLOUTS,
        };
        for mode in ["greedy", "sampled"] {
            let of_kind = |row: &&EvaluationRow| row.mode == mode && row.held_out == held_out;
            let found = rows.iter().filter(of_kind).count();
            if found != expected {
                let held_out = if held_out { " held-out" } else { "" };
                return Err(named(&format!(
                    "{found} {mode}{held_out} rollouts, expected {expected}"
                )));
            }
        }
    }
    Ok(rows)
}

#[derive(Debug, Deserialize)]
struct FormationEnergyRow {
    formation_energy_ev_per_atom: f64,
}

/// The file is optional, but must be one if it is there.
fn read_formation_energies(folder: &Path) -> Result<Vec<f64>, String> {
    let path = folder.join(FORMATION_ENERGY_FILE);
    let named = |message: &dyn std::fmt::Display| format!("{}: {message}", path.display());
    let kind = EnclosedFolder::at(folder).kind(FORMATION_ENERGY_FILE);
    if kind.is_ok_and(|kind| kind == EntryKind::Missing) {
        return Ok(Vec::new());
    }
    let rows: Vec<FormationEnergyRow> =
        read_table(folder, FORMATION_ENERGY_FILE).map_err(|error| named(&error))?;
    let energies: Vec<f64> = (rows.into_iter())
        .map(|row| row.formation_energy_ev_per_atom)
        .collect();
    let sound = |energy: &&f64| energy.abs() <= LARGEST_VALUE;
    match energies.iter().find(|energy| !sound(energy)) {
        Some(energy) => Err(named(&format!(
            "formation_energy_ev_per_atom is {energy}, expected a number up to {LARGEST_VALUE}"
        ))),
        None => Ok(energies),
    }
}

/// The rows of a table in a job's folder, which may come from somebody else.
pub(crate) fn read_table<T: serde::de::DeserializeOwned>(
    folder: &Path,
    name: &str,
) -> Result<Vec<T>, String> {
    let table = EnclosedFolder::at(folder)
        .read(name, MOST_TABLE_BYTES)
        .map_err(text)?;
    csv::Reader::from_reader(table.as_slice())
        .deserialize()
        .collect::<Result<_, _>>()
        .map_err(text)
}

fn episodes_end_with_a_line(run: &Path) -> io::Result<bool> {
    let mut file = EnclosedFolder::at(run).open(RunFolder::EPISODES)?;
    if file.metadata()?.len() == 0 {
        return Ok(true);
    }
    file.seek(io::SeekFrom::End(-1))?;
    let mut last = [0];
    file.read_exact(&mut last)?;
    Ok(last == *b"\n")
}

type Axes = (String, String, &'static str, u64);

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
        (
            "preset",
            &preset_name(manifest.preset),
            &preset_name(other.preset),
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

fn preset_name(preset: Preset) -> String {
    match preset {
        Preset::Standard => "standard",
        Preset::Paper => "paper",
    }
    .to_owned()
}
