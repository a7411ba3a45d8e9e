use std::{
    fs::{self, File, TryLockError},
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use crystalgym_agents::{
    Agent, Evaluator, PolicyMode, Progress, Rollout, evaluate_policy, load_agent,
};
use crystalgym_crystal::write_atomically;
use crystalgym_environment::Task;
use crystalgym_evaluation::ResultStore;

use crate::{
    EpisodeTable, EventWriter, RunStatistics, TrainingConfig, TrainingError,
    checkpoints::{latest, write_checkpoint},
    run_log::{RunLog, reopen_tables},
};

/// Time between two reports to the caller.
const REPORT_EVERY: Duration = Duration::from_millis(100);
/// Seed of the final rollouts, away from those of training.
pub(crate) const EVALUATION_SEED_OFFSET: u64 = 1_000_000;

/// A training run and its folder:
///
/// ```text
/// config.toml          the resolved configuration
/// episodes.csv         one row an episode
/// events.out.tfevents  curves for TensorBoard
/// checkpoints/         the last ones; a run goes on from the latest
/// best/                the best crystals as CIF, 01 the best
/// ```
pub struct TrainingRun {
    folder: PathBuf,
    config: TrainingConfig,
    task: Arc<Task>,
    evaluator: Evaluator,
    agent: Box<dyn Agent>,
    table: EpisodeTable,
    events: EventWriter,
    statistics: RunStatistics,
    /// Held as long as the run is open, so that no second process writes into the folder.
    _lock: File,
}

/// How a run came to its end.
#[derive(Debug)]
pub struct RunEnd {
    /// Whether all steps were taken; otherwise it was stopped and can go on.
    pub finished: bool,
    /// What was done.
    pub statistics: RunStatistics,
    /// Greedy rollouts of the finished agent.
    pub rollouts: Vec<Rollout>,
    /// The last complaint of the store, if any.
    pub store_error: Option<String>,
}

impl TrainingRun {
    /// Starts a run in a folder that must not hold one yet.
    ///
    /// # Errors
    /// [`TrainingError`]; the folder is made only when everything else is in order.
    pub fn start(config: TrainingConfig, folder: &Path) -> Result<Self, TrainingError> {
        let task = Arc::new(Task::new(&config.task)?);
        let evaluator = config.evaluator()?;
        evaluator
            .calculator
            .check(&elements_of(&task), task.property())?;
        let agent = config.agent().build(Arc::clone(&task), &evaluator)?;
        if folder.join(CONFIG_FILE).exists() {
            return Err(TrainingError::RunFolder {
                path: folder.to_owned(),
                message: "holds a run already; resume it or choose another folder".to_owned(),
            });
        }
        fs::create_dir_all(folder).map_err(TrainingError::io(folder))?;
        let lock = lock_folder(folder)?;
        let text = config.to_toml()?;
        let table = EpisodeTable::create(&folder.join(EPISODES_FILE))?;
        let events = EventWriter::create(folder, &text).map_err(TrainingError::io(folder))?;
        // Last, since it is what makes the folder a run.
        let path = folder.join(CONFIG_FILE);
        write_atomically(&path, text.as_bytes()).map_err(TrainingError::io(&path))?;
        Ok(Self {
            folder: folder.to_owned(),
            statistics: RunStatistics::keeping(config.output.best_crystals),
            config,
            task,
            evaluator,
            agent,
            table,
            events,
            _lock: lock,
        })
    }

    /// Goes on with the run in a folder, from its latest checkpoint (or the start, if it was
    /// stopped before the first one).
    ///
    /// # Errors
    /// [`TrainingError`].
    pub fn resume(folder: &Path) -> Result<Self, TrainingError> {
        let path = folder.join(CONFIG_FILE);
        if !path.exists() {
            return Err(TrainingError::RunFolder {
                path: folder.to_owned(),
                message: format!("no run here: {CONFIG_FILE} is missing"),
            });
        }
        let config = TrainingConfig::read(&path)?;
        let lock = lock_folder(folder)?;
        let task = Arc::new(Task::new(&config.task)?);
        let evaluator = config.evaluator()?;
        evaluator
            .calculator
            .check(&elements_of(&task), task.property())?;
        let Some((checkpoint, state)) = latest(&folder.join(CHECKPOINTS))? else {
            remove_event_files(folder)?;
            fs::remove_file(&path).map_err(TrainingError::io(&path))?;
            drop(lock);
            return Self::start(config, folder);
        };
        let agent = load_agent(&checkpoint, Arc::clone(&task), &evaluator)?;
        let (table, events) = reopen_tables(folder, &folder.join(EPISODES_FILE), &state)?;
        Ok(Self {
            folder: folder.to_owned(),
            config,
            task,
            evaluator,
            agent,
            table,
            events,
            statistics: state.statistics,
            _lock: lock,
        })
    }

    /// The configuration.
    pub fn config(&self) -> &TrainingConfig {
        &self.config
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Environment steps that the run is made of.
    pub fn total_steps(&self) -> u64 {
        self.agent.total_steps()
    }

    /// Trains to the end, or until `stop` turns true; either way the folder then holds a
    /// checkpoint and the best crystals. `report` is called about ten times a second.
    ///
    /// # Errors
    /// [`TrainingError`]; the last checkpoint then still stands.
    pub fn run(
        self,
        stop: &dyn Fn() -> bool,
        report: &mut dyn FnMut(u64, &RunStatistics),
    ) -> Result<RunEnd, TrainingError> {
        let Self {
            folder,
            config,
            task,
            evaluator,
            mut agent,
            table,
            events,
            statistics,
            _lock,
        } = self;
        let mut log = RunLog::new(table, events, statistics, stop);
        let every = config.output.checkpoint_every;
        let mut saved_at = agent.steps();
        let mut reported_at = Instant::now();
        let finished = loop {
            let progress = agent.step(&mut log)?;
            if let Some(error) = log.error.take() {
                return Err(TrainingError::io(&folder)(error));
            }
            if reported_at.elapsed() >= REPORT_EVERY {
                report(agent.steps(), &log.statistics);
                reported_at = Instant::now();
            }
            match progress {
                Progress::Finished => break true,
                Progress::Interrupted => break false,
                Progress::Continue if stop() => break false,
                Progress::Continue => {}
            }
            if agent.steps() >= saved_at + every {
                save(&folder, &config, agent.as_ref(), &mut log)?;
                saved_at = agent.steps();
            }
        };
        save(&folder, &config, agent.as_ref(), &mut log)?;
        report(agent.steps(), &log.statistics);
        let rollouts = if finished && config.output.evaluation_rollouts > 0 {
            let seed = config.seed().wrapping_add(EVALUATION_SEED_OFFSET);
            let mut policy = agent.policy(&task, PolicyMode::Greedy)?;
            let count = config.output.evaluation_rollouts;
            evaluate_policy(policy.as_mut(), &task, &evaluator, count, seed)?
        } else {
            Vec::new()
        };
        let RunLog {
            statistics,
            store_error,
            ..
        } = log;
        let store = evaluator.store.as_deref();
        let store_error = match (store.map(ResultStore::flush), store_error) {
            (Some(Err(error)), _) => Some(format!(
                "{error} ({} results are not in it)",
                store.map_or(0, ResultStore::unwritten)
            )),
            (_, error) => error.map(|error| format!("{error} (all were written later)")),
        };
        Ok(RunEnd {
            finished,
            statistics,
            rollouts,
            store_error,
        })
    }
}

pub(crate) const CONFIG_FILE: &str = "config.toml";
const EPISODES_FILE: &str = "episodes.csv";
pub(crate) const CHECKPOINTS: &str = "checkpoints";
const BEST: &str = "best";
const LOCK_FILE: &str = ".lock";

fn save(
    folder: &Path,
    config: &TrainingConfig,
    agent: &dyn Agent,
    log: &mut RunLog<'_>,
) -> Result<(), TrainingError> {
    let state = log.sync().map_err(TrainingError::io(folder))?;
    let kept = config.output.checkpoints_kept;
    write_checkpoint(&folder.join(CHECKPOINTS), agent, &state, kept)?;
    state.statistics.best.write_folder(&folder.join(BEST))
}

pub(crate) fn elements_of(task: &Task) -> Vec<crystalgym_crystal::Element> {
    task.actions().elements().to_vec()
}

/// A lock that ends with the process, however it ends.
fn lock_folder(folder: &Path) -> Result<File, TrainingError> {
    let path = folder.join(LOCK_FILE);
    let file = File::create(&path).map_err(TrainingError::io(&path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(TrainingError::RunFolder {
            path: folder.to_owned(),
            message: "another process is training in it".to_owned(),
        }),
        Err(TryLockError::Error(error)) => Err(TrainingError::io(path)(error)),
    }
}

fn remove_event_files(folder: &Path) -> Result<(), TrainingError> {
    for entry in fs::read_dir(folder).map_err(TrainingError::io(folder))? {
        let path = entry.map_err(TrainingError::io(folder))?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if name.starts_with("events.out.tfevents") {
            fs::remove_file(&path).map_err(TrainingError::io(&path))?;
        }
    }
    Ok(())
}
