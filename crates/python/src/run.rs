use std::{
    ffi::CString,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
};

use crystalgym_agents::{Policy, PolicyMode};
use crystalgym_environment::{State, Task as InnerTask, is_terminal};
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
                agent.name(),
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

    /// One action a row of observations (`skeleton`, `focus` and `nodes` of the mode `dict`).
    #[pyo3(signature = (skeleton, focus, nodes, target = None))]
    fn act<'py>(
        &self,
        py: Python<'py>,
        skeleton: PyReadonlyArray1<'py, i64>,
        focus: PyReadonlyArray1<'py, i64>,
        nodes: PyReadonlyArray2<'py, i64>,
        target: Option<f64>,
    ) -> PyResult<Bound<'py, PyArray1<i64>>> {
        let (skeleton, focus) = (skeleton.as_slice()?, focus.as_slice()?);
        let width = nodes.shape()[1];
        let nodes = nodes.as_slice()?;
        if skeleton.len() != focus.len() || nodes.len() != width * focus.len() || width == 0 {
            return Err(PyValueError::new_err(format!(
                "{} skeletons, {} sites in focus and {} nodes in rows of {width}",
                skeleton.len(),
                focus.len(),
                nodes.len()
            )));
        }
        let task = &self.task.inner;
        let states = skeleton
            .iter()
            .zip(focus)
            .zip(nodes.chunks_exact(width))
            .map(|((&skeleton, &focus), row)| {
                state_of(task, skeleton, focus, row).ok_or_else(|| no_state(skeleton, focus, row))
            })
            .collect::<PyResult<Vec<_>>>()?;
        let target = target.unwrap_or(task.target());
        if !(target.is_finite() && target > 0.0) {
            return Err(PyValueError::new_err(format!(
                "target is {target}, expected a positive number"
            )));
        }
        let actions = py
            .detach(|| {
                let seen: Vec<&State> = states.iter().collect();
                let mut policy = self.policy.lock().unwrap_or_else(PoisonError::into_inner);
                policy.act(&seen, target)
            })
            .map_err(|error| training_error(&error.into()))?;
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

/// A state that looks like this. Where several traversals lead to the same observation, any of
/// them: an agent sees no more than that.
fn state_of(task: &Arc<InnerTask>, skeleton: i64, focus: i64, nodes: &[i64]) -> Option<State> {
    let skeleton = u16::try_from(skeleton).ok()?;
    let sites = task.skeletons().get(usize::from(skeleton))?.sites();
    let focus = u16::try_from(focus).ok()?;
    let node_types: Box<[u8]> = nodes
        .get(..sites)?
        .iter()
        .map(|&node| u8::try_from(node).ok())
        .collect::<Option<_>>()?;
    let blank = task.actions().blank();
    let step = node_types.iter().filter(|&&node| node != blank).count();
    let start = (0..sites).find(|&start| {
        let order = task.traversal(skeleton.into(), start);
        order.get(step) == Some(&focus)
            && order[..step]
                .iter()
                .all(|&site| node_types[usize::from(site)] != blank)
    })?;
    let state = State {
        skeleton,
        start: start as u16,
        step: step as u16,
        node_types,
    };
    (state.belongs_to(task) && !is_terminal(&state)).then_some(state)
}
