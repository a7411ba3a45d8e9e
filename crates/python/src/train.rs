//! Training runs that Python starts and listens to.

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc::{self, RecvTimeoutError},
    },
    thread,
};

use crystalgym_training::{
    ConfigLayers, RowSource, RunStatistics, TrainingConfig, TrainingError, TrainingRun, Trust,
};
use pyo3::{prelude::*, types::PyDict};

use crate::{
    engine::LOOK_UP,
    errors::{internal, training_error},
};

/// How far a run has come.
struct Report {
    steps: u64,
    total_steps: u64,
    statistics: RunStatistics,
}

/// What the thread of a run says.
enum Said {
    Report(Box<Report>),
    End(Result<PathBuf, TrainingError>),
}

/// Trains, and returns the folder of the run; `crystalgym.train` makes it handier.
///
/// `assignments` are settings as of `--set`. `report` is called with a dictionary about ten times a
/// second; what is true ends the run. Ctrl-C does too, and is raised when the run has left its
/// checkpoint.
#[pyfunction]
#[expect(clippy::too_many_arguments, reason = "called by the package alone")]
pub(crate) fn train_run(
    py: Python<'_>,
    task: Option<String>,
    algorithm: Option<String>,
    preset: Option<String>,
    assignments: Vec<String>,
    config: Option<PathBuf>,
    output: Option<PathBuf>,
    resume: Option<PathBuf>,
    trust: bool,
    report: &Bound<'_, PyAny>,
) -> PyResult<PathBuf> {
    let stop = Arc::new(AtomicBool::new(false));
    let (sender, mut receiver) = mpsc::channel();
    let wants_end = Arc::clone(&stop);
    let worker = thread::spawn(move || {
        let start = || -> Result<TrainingRun, TrainingError> {
            if let Some(folder) = resume {
                let trust = if trust { Trust::All } else { Trust::Innocent };
                return TrainingRun::resume(&folder, trust);
            }
            let chosen = [("name", algorithm), ("preset", preset)];
            let config = resolved(task.as_deref(), chosen, &assignments, config.as_deref())?;
            match output {
                Some(folder) => TrainingRun::start(config, &folder),
                None => TrainingRun::start_in_new_folder(config, Path::new("runs")),
            }
        };
        let run = || {
            let run = start()?;
            let (folder, total_steps) = (run.folder().to_owned(), run.total_steps());
            run.run(
                &|| wants_end.load(Ordering::Acquire),
                &mut |steps, statistics| {
                    // Nobody listens any more if Python was interrupted.
                    let _ = sender.send(Said::Report(Box::new(Report {
                        steps,
                        total_steps,
                        statistics: statistics.clone(),
                    })));
                },
            )?;
            Ok(folder)
        };
        let end = run();
        let _ = sender.send(Said::End(end));
    });
    let mut raised: Option<PyErr> = None;
    let end = loop {
        let (back, said) = py.detach(move || {
            let said = receiver.recv_timeout(LOOK_UP);
            (receiver, said)
        });
        receiver = back;
        match said {
            Ok(Said::End(end)) => break end,
            Ok(Said::Report(latest)) if raised.is_none() => match tell(py, &latest, report) {
                Ok(false) => {}
                Ok(true) => stop.store(true, Ordering::Release),
                Err(error) => raised = Some(error),
            },
            Ok(Said::Report(_)) | Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => {
                return Err(internal("a training run panicked: please report it"));
            }
        }
        if raised.is_none() {
            raised = py.check_signals().err();
        }
        if raised.is_some() {
            stop.store(true, Ordering::Release);
        }
    };
    py.detach(move || drop(worker.join()));
    match raised {
        Some(error) => Err(error),
        None => end.map_err(|error| training_error(&error)),
    }
}

fn resolved(
    task: Option<&str>,
    chosen: [(&str, Option<String>); 2],
    assignments: &[String],
    config: Option<&Path>,
) -> Result<TrainingConfig, TrainingError> {
    let mut layers = ConfigLayers::default();
    if let Some(file) = config {
        layers.add_file(file)?;
    }
    for (field, value) in chosen {
        if let Some(value) = value {
            layers.add_assignment(&format!("algorithm.{field}={value}"))?;
        }
    }
    for assignment in assignments {
        layers.add_assignment(assignment)?;
    }
    TrainingConfig::resolve(&layers, task)
}

/// Tells Python how far the run has come; whether it is to end.
fn tell(py: Python<'_>, latest: &Report, report: &Bound<'_, PyAny>) -> PyResult<bool> {
    let statistics = &latest.statistics;
    let best = statistics.best.as_slice().first();
    let progress = PyDict::new(py);
    progress.set_item("steps", latest.steps)?;
    progress.set_item("total_steps", latest.total_steps)?;
    progress.set_item("episodes", statistics.episodes)?;
    progress.set_item("mean_return", statistics.mean_return())?;
    progress.set_item("best_return", best.map(|best| best.episodic_return))?;
    progress.set_item("best_value", best.map(|best| best.value))?;
    progress.set_item("best_formula", best.map(|best| best.formula()))?;
    progress.set_item("calculations", statistics.from_source(RowSource::Computed))?;
    progress.set_item("failures", statistics.failures.values().sum::<u64>())?;
    report.call1((progress,))?.is_truthy()
}
