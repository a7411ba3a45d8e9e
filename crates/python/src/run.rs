//! Training runs: their episodes, and policies to act with.

use std::{
    ffi::CString,
    path::PathBuf,
    sync::{Mutex, PoisonError},
};

use crystalgym_agents::{AgentError, Policy, PolicyMode};
use crystalgym_environment::{Observation, Task as InnerTask};
use crystalgym_training::{TrainedAgent as Loaded, read_episodes as read};
use numpy::{PyArray1, PyReadonlyArray1, PyReadonlyArray2, PyUntypedArrayMethods};
use pyo3::{
    exceptions::{PyUserWarning, PyValueError},
    prelude::*,
};
use serde_json::json;

use crate::{
    errors::{Raised, raised, to_python, training_error},
    table::Table,
    task::Task,
};

/// Reads the episodes of a run.
///
/// Parameters
/// ----------
/// path : path-like
///     Its `episodes.csv`.
///
/// Returns
/// -------
/// Table
///     One row an episode.
///
/// Raises
/// ------
/// TrainingError
///     With the line, if it is no such table.
#[pyfunction]
pub(crate) fn read_episodes(py: Python<'_>, path: PathBuf) -> PyResult<Table> {
    let rows = py
        .detach(|| read(&path))
        .map_err(|error| training_error(&error))?;
    Table::of_episodes(&rows)
}

/// What a trained agent would do; `crystalgym.agents.load` makes it handier.
#[pyclass(frozen, module = "crystalgym._crystalgym")]
pub(crate) struct TrainedPolicy {
    policy: Mutex<Box<dyn Policy>>,
    task: Task,
    algorithm: &'static str,
    steps: u64,
    config: serde_json::Value,
}

#[pymethods]
impl TrainedPolicy {
    /// Loads the newest whole checkpoint of the run in a folder, with a warning if a newer one is
    /// damaged.
    ///
    /// `task` is what it is to act in, with the same elements; that of the run by default. A `seed`
    /// makes it draw its actions as in training; without one it takes the best.
    #[new]
    #[pyo3(signature = (folder, task = None, seed = None))]
    fn new(
        py: Python<'_>,
        folder: PathBuf,
        task: Option<PyRef<'_, Task>>,
        seed: Option<u64>,
    ) -> PyResult<Self> {
        let task = task.map(|task| task.clone());
        let mode = seed.map_or(PolicyMode::Greedy, |seed| PolicyMode::Sampled { seed });
        let (policy, task, algorithm, steps, config, notes) = py.detach(|| {
            let loaded = Loaded::load(&folder).map_err(|error| training_error(&error))?;
            let task = match task {
                Some(task) => task,
                None => Task::from_config(loaded.config.task.clone())?,
            };
            let policy = loaded.agent.policy(&task.inner, mode).map_err(|error| {
                training_error(&crystalgym_training::TrainingError::from(error))
            })?;
            let agent = &loaded.agent;
            Ok::<_, PyErr>((
                policy,
                task,
                agent.settings().name(),
                agent.steps(),
                json!(loaded.config),
                loaded.notes.clone(),
            ))
        })?;
        for note in notes {
            let message = CString::new(note.escape_debug().to_string())?;
            PyErr::warn(py, &py.get_type::<PyUserWarning>(), &message, 1)?;
        }
        Ok(Self {
            policy: Mutex::new(policy),
            task,
            algorithm,
            steps,
            config,
        })
    }

    /// What it acts in.
    #[getter]
    fn task(&self) -> Task {
        self.task.clone()
    }

    /// Name of the algorithm that trained it.
    #[getter]
    fn algorithm(&self) -> &str {
        self.algorithm
    }

    /// Environment steps that it was trained for.
    #[getter]
    fn steps(&self) -> u64 {
        self.steps
    }

    /// Configuration of the run.
    #[getter]
    fn config<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        to_python(py, &self.config)
    }

    /// One action per row of observations (`skeleton`, `focus`, `nodes` and the share of the episode
    /// that is over, which is the second number of `state`) of episodes that began at these start
    /// sites; without them, those that follow from the observations are taken.
    #[expect(clippy::too_many_arguments, reason = "called by the package alone")]
    #[pyo3(signature = (skeleton, focus, nodes, progress, starts = None, target = None))]
    fn act<'py>(
        &self,
        py: Python<'py>,
        skeleton: PyReadonlyArray1<'py, i64>,
        focus: PyReadonlyArray1<'py, i64>,
        nodes: PyReadonlyArray2<'py, i64>,
        progress: PyReadonlyArray1<'py, f32>,
        starts: Option<PyReadonlyArray1<'py, i64>>,
        target: Option<f64>,
    ) -> PyResult<Bound<'py, PyArray1<i64>>> {
        let (skeleton, focus) = (skeleton.as_slice()?, focus.as_slice()?);
        let progress = progress.as_slice()?;
        let width = nodes.shape()[1];
        let nodes = nodes.as_slice()?;
        let rows = focus.len();
        let starts = starts
            .as_ref()
            .map(|starts| starts.as_slice())
            .transpose()?;
        let start_count = starts.map_or(rows, <[i64]>::len);
        if [skeleton.len(), progress.len(), start_count] != [rows; 3]
            || nodes.len() != width * rows
            || width == 0
        {
            return Err(PyValueError::new_err(format!(
                "{} skeletons, {rows} sites in focus, {} shares of episodes, {start_count} start sites \
                 and {} nodes in rows of {width}",
                skeleton.len(),
                progress.len(),
                nodes.len()
            )));
        }
        let task = &self.task.inner;
        let target = target.unwrap_or(task.target());
        let [least, most] = task.property().facts().targets;
        if !(target >= least && target <= most) {
            return Err(PyValueError::new_err(format!(
                "target is {target}, expected a number from {least:?} to {most:?}"
            )));
        }
        let seen = skeleton.iter().zip(focus).zip(progress);
        let seen = seen
            .zip(nodes.chunks_exact(width))
            .enumerate()
            .map(|(index, (((&skeleton, &focus), &progress), row))| {
                let start = starts.map(|starts| starts[index]);
                Seen::new(task, [skeleton, focus], start, progress, row)
                    .ok_or_else(|| no_state(skeleton, focus, row))
            })
            .collect::<PyResult<Vec<_>>>()?;
        let actions = py
            .detach(|| {
                let seen: Vec<_> = seen.iter().map(|seen| seen.observe(task, target)).collect();
                let mut policy = self.policy.lock().unwrap_or_else(PoisonError::into_inner);
                policy.act(&seen)
            })
            .map_err(|error| match error {
                AgentError::UnknownStart { step } => no_start(step),
                other => training_error(&other.into()),
            })?;
        Ok(PyArray1::from_iter(py, actions.into_iter().map(i64::from)))
    }
}

fn no_state(skeleton: i64, focus: i64, nodes: &[i64]) -> PyErr {
    raised(&Raised {
        class: "TaskError",
        code: "no_state",
        message: format!(
            "an observation with skeleton {skeleton}, focus {focus} and nodes {nodes:?} is none of \
             an unfinished episode of the agent's task"
        ),
        values: json!({ "skeleton": skeleton, "focus": focus, "nodes": nodes }),
    })
}

fn no_start(step: usize) -> PyErr {
    raised(&Raised {
        class: "TaskError",
        code: "no_start",
        message: format!(
            "an observation after {step} actions does not say in which order sites have their turn, \
             which this agent has to know: pass the environment's info too, act(observation, info)"
        ),
        values: json!({ "step": step }),
    })
}

/// An observation that owns its sites.
struct Seen {
    skeleton: usize,
    focus: usize,
    /// Start site of the traversal, if it is known.
    start: Option<usize>,
    step: usize,
    steps: usize,
    node_types: Vec<u8>,
}

impl Seen {
    /// What a caller says that it sees; `None` if that is of no unfinished episode of the task.
    fn new(
        task: &InnerTask,
        [skeleton, focus]: [i64; 2],
        start: Option<i64>,
        progress: f32,
        nodes: &[i64],
    ) -> Option<Self> {
        let skeleton = usize::try_from(skeleton).ok()?;
        let sites = task.skeletons().get(skeleton)?.sites();
        let node_types = nodes.get(..sites)?.iter();
        let steps = task.process().length(sites);
        let mut seen = Self {
            skeleton,
            start: None,
            focus: usize::try_from(focus).ok().filter(|focus| *focus < sites)?,
            step: (progress * steps as f32).round() as usize,
            steps,
            node_types: node_types
                .map(|&node| u8::try_from(node).ok())
                .collect::<Option<_>>()?,
        };
        let said = start.map(|start| usize::try_from(start).unwrap_or(usize::MAX));
        let observation = seen.observe(task, task.target());
        let possible = task.process().shows(&observation)
            && said.is_none_or(|start| task.can_have_started(&observation, start));
        seen.start = said.or_else(|| task.only_start(&observation));
        possible.then_some(seen)
    }

    fn observe<'a>(&'a self, task: &'a InnerTask, target: f64) -> Observation<'a> {
        Observation {
            skeleton: self.skeleton,
            node_types: &self.node_types,
            elements: task.elements().elements(),
            focus: self.focus,
            traversal: self
                .start
                .map(|start| task.board().seen_traversal(self.skeleton, start)),
            step: self.step,
            steps: self.steps,
            target,
            allowed: task
                .process()
                .allowed(task.board(), self.skeleton, self.focus),
        }
    }
}
