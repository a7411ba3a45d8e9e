//! A training run from its start to its end, stops in between included.

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use crystalgym_agents::{
    Agent, Evaluator, LearnedReward, PolicyMode, Progress, Rollout, evaluate_policy,
};
use crystalgym_environment::{NamedStart, RewardForm, StartCrystal, Task, TaskConfig};
use crystalgym_evaluation::ResultStore;

use crate::{
    EpisodeTable, EventWriter, Look, RunFolder, RunStatistics, TrainingConfig, TrainingError,
    Trust,
    checkpoints::{Check, newest_whole, set_aside, word_about, write_checkpoint},
    config_change::check_unchanged,
    episode_table::Columns,
    prediction_table::PredictionTable,
    run_log::RunLog,
    stored_start::stored_start,
};

/// Time between two reports to the caller.
const REPORT_EVERY: Duration = Duration::from_millis(100);
/// Seed of the final rollouts, away from those of training.
pub const EVALUATION_SEED_OFFSET: u64 = 1_000_000;

/// Names that are tried for the folder of a run that was given none.
const MOST_NAMES: u32 = 10_000;

/// A training run and its [`RunFolder`].
pub struct TrainingRun {
    folder: RunFolder,
    config: TrainingConfig,
    task: Arc<Task>,
    evaluator: Evaluator,
    agent: Agent,
    table: EpisodeTable,
    predictions: Option<PredictionTable>,
    events: EventWriter,
    statistics: RunStatistics,
    notes: Vec<String>,
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
    /// Starts a run in a folder that is not there yet, or is empty.
    ///
    /// # Errors
    /// [`TrainingError`]; the folder is made only when everything else is in order.
    pub fn start(config: TrainingConfig, folder: &Path) -> Result<Self, TrainingError> {
        let ready = Ready::new(config)?;
        let agent = ready.new_agent()?;
        fs::create_dir_all(folder).map_err(TrainingError::io(folder))?;
        Self::begin(RunFolder::at(folder), ready, agent)
    }

    /// Starts a run in a new folder inside of `parent`, called [`TrainingConfig::run_name`] or, where
    /// that is taken, `NAME-2`, `NAME-3`, … Runs that are started at the same time get different ones.
    ///
    /// # Errors
    /// [`TrainingError`]; the folder is made only when everything else is in order.
    pub fn start_in_new_folder(
        config: TrainingConfig,
        parent: &Path,
    ) -> Result<Self, TrainingError> {
        let ready = Ready::new(config)?;
        let agent = ready.new_agent()?;
        fs::create_dir_all(parent).map_err(TrainingError::io(parent))?;
        let folder = new_folder(parent, &ready.config.run_name())?;
        Self::begin(RunFolder::at(folder), ready, agent)
    }

    fn begin(folder: RunFolder, ready: Ready, agent: Agent) -> Result<Self, TrainingError> {
        refuse_obstacle(&folder)?;
        let lock = folder.lock()?;
        // Another process may have started one in between.
        refuse_obstacle(&folder)?;
        // First, since it is what makes the folder a run: from here on it can be resumed.
        let text = ready.config.to_toml()?;
        let write = folder.inside().write(RunFolder::CONFIG, text.as_bytes());
        write.map_err(folder.io(RunFolder::CONFIG))?;
        Self::begin_tables(folder, ready, agent, lock)
    }

    /// Starts the tables of a run anew that has its configuration and no checkpoint.
    fn begin_tables(
        folder: RunFolder,
        ready: Ready,
        agent: Agent,
        lock: File,
    ) -> Result<Self, TrainingError> {
        folder.sweep()?;
        folder.remove_event_files()?;
        let Ready {
            config,
            task,
            evaluator,
        } = ready;
        let table = EpisodeTable::create(&folder, columns(&task))?;
        let predictions = match agent.pretraining() {
            None => None,
            Some(epochs) => {
                folder.write_pretraining(&epochs)?;
                Some(PredictionTable::create(&folder)?)
            }
        };
        let events = EventWriter::create(&folder, &config.to_toml()?)
            .map_err(TrainingError::io(folder.path()))?;
        Ok(Self {
            statistics: RunStatistics::keeping(config.output.best_crystals),
            folder,
            config,
            task,
            evaluator,
            agent,
            table,
            predictions,
            events,
            notes: Vec::new(),
            _lock: lock,
        })
    }

    /// Goes on with the run in a folder, from its newest whole checkpoint (or the start, if it was
    /// stopped before the first one).
    ///
    /// # Errors
    /// [`TrainingError`]; [`TrainingError::Untrusted`] before anything is done that the folder's
    /// configuration names and `trust` does not cover.
    pub fn resume(folder: &Path, trust: Trust<'_>) -> Result<Self, TrainingError> {
        let folder = RunFolder::at(folder);
        if !folder.holds_run() {
            return Err(TrainingError::RunFolder {
                path: folder.path().to_owned(),
                message: format!("no run here: {} is missing", RunFolder::CONFIG),
            });
        }
        let config = folder.config()?;
        trust.check(&config, folder.path())?;
        let lock = folder.lock()?;
        let found = newest_whole(&folder, Check::Whole)?;
        if let Some(found) = &found {
            check_unchanged(&config, &found.state.config, folder.path())?;
        }
        let ready = Ready::new(config)?;
        let Some(found) = found else {
            let agent = ready.new_agent()?;
            return Self::begin_tables(folder, ready, agent, lock);
        };
        let Ready {
            config,
            task,
            evaluator,
        } = ready;
        let agent = Agent::load(&found.path, Arc::clone(&task), &evaluator)?;
        let state =
            found
                .state
                .checked(&agent, &task)
                .map_err(|message| TrainingError::RunFolder {
                    path: found.path.join(RunFolder::STATE),
                    message,
                })?;
        let table = EpisodeTable::reopen(&folder, columns(&task), state.episodes_length)?;
        let predictions = state.predictions_length;
        let predictions = predictions
            .map(|length| PredictionTable::reopen(&folder, length))
            .transpose()?;
        let events = EventWriter::reopen(&folder, &state.events_file, state.events_length)
            .map_err(folder.io(&state.events_file))?;
        folder.sweep()?;
        set_aside(&folder, &found.damaged)?;
        Ok(Self {
            notes: word_about(&found.damaged, &found.path),
            folder,
            config,
            task,
            evaluator,
            agent,
            table,
            predictions,
            events,
            statistics: state.statistics,
            _lock: lock,
        })
    }

    /// What the user should hear about how the run was found, such as a checkpoint that was passed
    /// over.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// The configuration.
    pub fn config(&self) -> &TrainingConfig {
        &self.config
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        self.folder.path()
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
            predictions,
            events,
            statistics,
            notes: _,
            _lock,
        } = self;
        let mut log = RunLog::new(table, predictions, events, statistics, stop);
        let every = config.output.checkpoint_every;
        let mut saved_at = agent.steps();
        let mut reported_at = Instant::now();
        let finished = loop {
            let progress = agent.step(&mut log)?;
            if let Some(error) = log.error.take() {
                return Err(TrainingError::io(folder.path())(error));
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
            let episodes = log.statistics.all_episodes();
            let looked_at = log.statistics.looks.last().map_or(0, |look| look.episodes);
            let every_look = config.output.look_every;
            if every_look > 0 && episodes >= looked_at.saturating_add(every_look) {
                let look = Look::at(&agent, &task, &evaluator, episodes)?;
                log.looked(&look);
            }
            if agent.steps() >= saved_at.saturating_add(every) {
                save(&folder, &config, &agent, &mut log)?;
                saved_at = agent.steps();
            }
        };
        save(&folder, &config, &agent, &mut log)?;
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

/// What a configuration stands for, made before anything is written.
struct Ready {
    /// With the crystals in it that were found in the store to start from.
    config: TrainingConfig,
    task: Arc<Task>,
    evaluator: Evaluator,
}

impl Ready {
    fn new(mut config: TrainingConfig) -> Result<Self, TrainingError> {
        config.check()?;
        let make_task = |config: &TaskConfig| Ok(Task::new(config)?);
        let is_to_find = config.task.start_crystal == StartCrystal::Named(NamedStart::Stored);
        let task = match is_to_find {
            true => None,
            false => Some(make_task(&config.task)?),
        };
        let evaluator = config.evaluator()?;
        let (calculator, store) = (evaluator.calculator.as_ref(), evaluator.store.as_deref());
        let task = match task {
            Some(task) => task,
            None => {
                let start = stored_start(&config.task, &make_task, calculator, store)?;
                config.task.start_crystal = start;
                make_task(&config.task)?
            }
        };
        let task = Arc::new(task);
        for calculator in [Some(&evaluator.calculator), evaluator.screening.as_ref()]
            .into_iter()
            .flatten()
        {
            calculator.check(&elements_of(&task), task.property())?;
            for skeleton in task.skeletons() {
                calculator.check_skeleton(skeleton)?;
            }
        }
        Ok(Self {
            config,
            task,
            evaluator,
        })
    }

    fn new_agent(&self) -> Result<Agent, TrainingError> {
        let task = Arc::clone(&self.task);
        let agent = self.config.agent();
        let Some(learned) = self.config.learned_reward.clone() else {
            return Ok(Agent::new(&agent, task, &self.evaluator)?);
        };
        let reward = LearnedReward::pretrained(learned, Arc::clone(&task), agent.seed())?;
        let evaluator = &self.evaluator;
        Ok(Agent::on_learned_reward(&agent, reward, task, evaluator)?)
    }
}

/// What the table of a run of this task holds.
fn columns(task: &Task) -> Columns {
    Columns {
        start: task.objective().form() == RewardForm::Difference,
        terms: task.terms().is_some(),
    }
}

fn refuse_obstacle(folder: &RunFolder) -> Result<(), TrainingError> {
    match folder.obstacle()? {
        None => Ok(()),
        Some(message) => Err(TrainingError::RunFolder {
            path: folder.path().to_owned(),
            message,
        }),
    }
}

/// Makes a folder whose name no other process gets.
fn new_folder(parent: &Path, name: &str) -> Result<PathBuf, TrainingError> {
    for number in 1..=MOST_NAMES {
        let folder = match number {
            1 => parent.join(name),
            _ => parent.join(format!("{name}-{number}")),
        };
        match fs::create_dir(&folder) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            other => return other.map_err(TrainingError::io(&folder)).map(|()| folder),
        }
    }
    Err(TrainingError::RunFolder {
        path: parent.join(name),
        message: format!("is taken, as are {MOST_NAMES} others; choose one with --output"),
    })
}

fn save(
    folder: &RunFolder,
    config: &TrainingConfig,
    agent: &Agent,
    log: &mut RunLog<'_>,
) -> Result<(), TrainingError> {
    let state = log.sync(config).map_err(TrainingError::io(folder.path()))?;
    let (steps, kept) = (agent.steps(), config.output.checkpoints_kept);
    write_checkpoint(folder, steps, &|path| agent.save(path), &state, kept)?;
    folder.write_looks(&state.statistics.looks)?;
    state.statistics.best.write(folder)
}

pub(crate) fn elements_of(task: &Task) -> Vec<crystalgym_crystal::Element> {
    task.elements().elements().to_vec()
}
