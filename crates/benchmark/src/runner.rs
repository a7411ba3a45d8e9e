//! Runs the jobs of a benchmark, several side by side, and goes on where it was stopped.

use std::{
    fs::{self, File, TryLockError},
    path::Path,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use crystalgym_crystal::EnclosedFolder;
use crystalgym_evaluation::FailureCode;
use crystalgym_training::{
    PolicyEvaluation, RunFolder, RunStatistics, TrainedAgent, TrainingError, TrainingRun, Trust,
};
use serde::{Deserialize, Serialize};

use crate::{BenchmarkError, BenchmarkFolder, Job, JobManifest, JobStatus};

/// Rollouts of each kind at the end of a job, as published.
pub(crate) const ROLLOUTS: usize = 5;

/// How the jobs are run.
pub struct RunOptions<'a> {
    /// Jobs side by side.
    pub parallel: usize,
    /// Once true, running jobs write a checkpoint and stop.
    pub stop: &'a (dyn Fn() -> bool + Sync),
    /// Told of each job that ended.
    pub report: &'a (dyn Fn(&JobManifest) + Sync),
    /// Told of each job under way, once in a while: its steps so far, and what came of them.
    pub progress: &'a (dyn Fn(&JobManifest, u64, &RunStatistics) + Sync),
}

/// What came of the jobs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RunSummary {
    /// Jobs that are finished, those of earlier goes included.
    pub finished: usize,
    /// Jobs that cannot be done.
    pub failed: usize,
    /// Jobs that were stopped, or never begun.
    pub left: usize,
    /// Jobs that another process has under way.
    pub elsewhere: usize,
}

/// A row of `evaluation.csv`: a rollout of the trained agent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EvaluationRow {
    /// `greedy`, or `sampled` as the agent acts while it learns.
    pub mode: String,
    /// Whether the skeleton is one that the agent has never seen.
    pub held_out: bool,
    /// Label of the skeleton.
    pub skeleton: String,
    /// Elements in site order, separated by blanks.
    pub elements: String,
    /// Value of the property; empty after a failure.
    pub value: Option<f64>,
    /// Return; that of a failure where the calculation failed.
    pub episodic_return: f64,
    /// Failure code; empty after a success.
    pub failure: Option<FailureCode>,
}

pub(crate) const RUN_FOLDER: &str = "run";
/// Locked while a process runs the job.
const CLAIM_FILE: &str = ".lock";
pub(crate) const EVALUATION_FILE: &str = "evaluation.csv";

/// Runs the jobs that the folder does not hold as finished. Each trains in a folder of its own and
/// goes on from its last checkpoint; results are shared by the store that the jobs name, so that
/// nothing is computed twice. A job that cannot be done says so in its manifest, and the others go
/// on.
///
/// Many processes may run the jobs of one folder: each claims a job before it begins it, with a lock
/// that ends with the process, however it ends; a job that another one has claimed is passed over.
///
/// # Errors
/// [`BenchmarkError::Folder`] if the folder holds one of the jobs with other settings.
pub fn run_jobs(
    folder: &Path,
    jobs: &[Job],
    options: &RunOptions<'_>,
) -> Result<RunSummary, BenchmarkError> {
    fs::create_dir_all(folder).map_err(BenchmarkError::io(folder))?;
    BenchmarkFolder::at(folder).refuse_foreign()?;
    let pending = pending_jobs(folder, jobs)?;
    let next = AtomicUsize::new(0);
    let errors = Mutex::new(Vec::new());
    let elsewhere = AtomicUsize::new(0);
    thread::scope(|scope| {
        for _ in 0..options.parallel.clamp(1, pending.len().max(1)) {
            scope.spawn(|| {
                while let Some(job) = pending.get(next.fetch_add(1, Ordering::Relaxed)) {
                    if (options.stop)() {
                        break;
                    }
                    match run_claimed(folder, job, options) {
                        Ok(true) => {}
                        Ok(false) => drop(elsewhere.fetch_add(1, Ordering::Relaxed)),
                        Err(error) => {
                            if let Ok(mut errors) = errors.lock() {
                                errors.push(error);
                            }
                        }
                    }
                }
            });
        }
    });
    if let Some(error) = errors.into_inner().ok().and_then(|mut all| all.pop()) {
        return Err(error);
    }
    let mut summary = RunSummary {
        elsewhere: elsewhere.into_inner(),
        ..RunSummary::default()
    };
    for job in jobs {
        let path = job.folder(folder).join(JobManifest::FILE);
        let status = match path.exists() {
            true => JobManifest::read(&path)?.status,
            false => JobStatus::Pending,
        };
        *match status {
            JobStatus::Finished => &mut summary.finished,
            JobStatus::Failed => &mut summary.failed,
            JobStatus::Pending => &mut summary.left,
        } += 1;
    }
    // What the others had under way may have ended by now.
    summary.elsewhere = summary.elsewhere.min(summary.left);
    summary.left -= summary.elsewhere;
    Ok(summary)
}

/// Those that are not finished. A failed one is tried again: what was missing may be there now.
fn pending_jobs<'a>(folder: &Path, jobs: &'a [Job]) -> Result<Vec<&'a Job>, BenchmarkError> {
    let mut pending = Vec::new();
    for job in jobs {
        let path = job.folder(folder).join(JobManifest::FILE);
        if path.exists() {
            let found = JobManifest::read(&path)?;
            let as_planned = JobManifest {
                status: found.status,
                reason: found.reason.clone(),
                ..job.manifest.clone()
            };
            if found != as_planned {
                let message = format!(
                    "holds job {} with other settings ({:?}, expected {:?}); choose another folder",
                    found.id, found, as_planned
                );
                return Err(BenchmarkError::folder(path, message));
            }
            if found.status == JobStatus::Finished {
                continue;
            }
        }
        pending.push(job);
    }
    Ok(pending)
}

/// Runs a job unless another process has it under way: then `false`.
fn run_claimed(folder: &Path, job: &Job, options: &RunOptions<'_>) -> Result<bool, BenchmarkError> {
    let job_folder = job.folder(folder);
    EnclosedFolder::at(folder)
        .make_subfolder(BenchmarkFolder::JOBS)
        .and_then(|jobs| jobs.make_subfolder(&job.manifest.id))
        .map_err(BenchmarkError::io(&job_folder))?;
    let Some(_claim) = claim(&job_folder)? else {
        return Ok(false);
    };
    // Nobody else writes here now: what killed processes left half written goes.
    for file in [JobManifest::FILE, EVALUATION_FILE] {
        let swept = EnclosedFolder::at(&job_folder).sweep(file);
        swept.map_err(BenchmarkError::io(&job_folder))?;
    }
    // It may have been finished between the look at all jobs and the claim.
    if !pending_jobs(folder, std::slice::from_ref(job))?.is_empty() {
        run_job(&job_folder, job, options)?;
    }
    Ok(true)
}

fn run_job(job_folder: &Path, job: &Job, options: &RunOptions<'_>) -> Result<(), BenchmarkError> {
    let mut manifest = job.manifest.clone();
    manifest.write(job_folder)?;
    match train_and_evaluate(job, job_folder, options) {
        Ok(true) => manifest.status = JobStatus::Finished,
        Ok(false) => return Ok(()),
        Err(BenchmarkError::Training(error)) => {
            manifest.status = JobStatus::Failed;
            manifest.reason = Some(error.to_string());
        }
        Err(error) => return Err(error),
    }
    manifest.write(job_folder)?;
    (options.report)(&manifest);
    Ok(())
}

/// Whether the job came to its end.
fn train_and_evaluate(
    job: &Job,
    folder: &Path,
    options: &RunOptions<'_>,
) -> Result<bool, BenchmarkError> {
    let run_folder = folder.join(RUN_FOLDER);
    // What the job's own settings name was given for this benchmark.
    let trust = Trust::Given(&job.config);
    let run = match RunFolder::at(&run_folder).holds_run() {
        true => TrainingRun::resume(&run_folder, trust)?,
        false => TrainingRun::start(job.config.clone(), &run_folder)?,
    };
    let mut progress = |steps: u64, statistics: &RunStatistics| {
        (options.progress)(&job.manifest, steps, statistics);
    };
    if !run.run(options.stop, &mut progress)?.finished {
        return Ok(false);
    }
    let agent = TrainedAgent::load(&run_folder)?;
    let mut rows = Vec::new();
    let held_out = &job.manifest.held_out;
    for sampled in [false, true] {
        rows.extend(rollouts(&agent, &[], sampled, job.manifest.seed, trust)?);
        if !held_out.is_empty() {
            let seed = job.manifest.seed;
            rows.extend(rollouts(&agent, held_out, sampled, seed, trust)?);
        }
    }
    write_evaluation(&folder.join(EVALUATION_FILE), &rows)?;
    Ok(true)
}

fn rollouts(
    agent: &TrainedAgent,
    held_out: &[String],
    sampled: bool,
    seed: u64,
    trust: Trust<'_>,
) -> Result<Vec<EvaluationRow>, TrainingError> {
    let evaluation = PolicyEvaluation {
        skeletons: held_out.to_vec(),
        target: None,
        rollouts: ROLLOUTS,
        sampled,
        seed,
    };
    let rollouts = agent.evaluate(&evaluation, trust)?.into_iter();
    Ok(rollouts
        .map(|rollout| {
            let elements = rollout.crystal.elements().iter();
            let symbols: Vec<&str> = elements.map(|element| element.symbol()).collect();
            let failure = rollout.outcome.failure();
            EvaluationRow {
                mode: if sampled { "sampled" } else { "greedy" }.to_owned(),
                held_out: !held_out.is_empty(),
                skeleton: rollout.crystal.skeleton().label.clone(),
                elements: symbols.join(" "),
                value: rollout.outcome.value(),
                episodic_return: rollout.reward,
                failure: failure.map(|found| found.code),
            }
        })
        .collect())
}

fn write_evaluation(path: &Path, rows: &[EvaluationRow]) -> Result<(), BenchmarkError> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    for row in rows {
        writer
            .serialize(row)
            .map_err(|error| BenchmarkError::folder(path, error))?;
    }
    let text = writer
        .into_inner()
        .map_err(|error| BenchmarkError::folder(path, error))?;
    EnclosedFolder::at(path.parent().unwrap_or(Path::new("")))
        .write(EVALUATION_FILE, &text)
        .map_err(BenchmarkError::io(path))
}

/// The claim on a job, which ends with the process, however it ends; `None` while another one has it.
fn claim(job_folder: &Path) -> Result<Option<File>, BenchmarkError> {
    let path = job_folder.join(CLAIM_FILE);
    let file = EnclosedFolder::at(job_folder)
        .open_to_write(CLAIM_FILE)
        .map_err(BenchmarkError::io(&path))?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(BenchmarkError::io(path)(error)),
    }
}
