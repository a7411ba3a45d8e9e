//! Environments side by side, as Python sees them.

use std::sync::Arc;

use crystalgym_environment::{
    Appraisal, Appraiser, Autoreset, EnvironmentError, FinishedEpisode, InPlaceAppraiser,
    PoolAppraiser, Task as InnerTask, VectorEnvironment,
};
use numpy::{PyArray1, PyReadonlyArray1};
use pyo3::{
    exceptions::PyValueError,
    prelude::*,
    types::{PyDict, PyList},
};

use crate::{
    batch::Batch,
    calculator::Calculator,
    engine::{self, LOOK_UP, WindUp},
    errors::{internal, task_error},
    evaluation::Evaluation,
    observation::{Rows, Shapes, SkeletonRow},
    store::StoreChoice,
    task::Task,
};

/// Environments side by side, for the classes of `crystalgym.envs` and `crystalgym.vector`.
#[pyclass(module = "crystalgym._crystalgym")]
pub(crate) struct EnvironmentBatch {
    /// `None` once closed.
    batch: Option<Batch>,
    /// By environment.
    skeletons: Vec<Arc<Vec<SkeletonRow>>>,
    shapes: Shapes,
    calculator: Calculator,
}

/// What came of an episode: its environment, the evaluation of its crystal, its target, and the
/// evaluation of the crystal at its start if its reward is a difference.
type Ended = (usize, Evaluation, f64, Option<Evaluation>);

/// Results of steps: environments, observations, rewards, whether they ended, what came of those
/// that did, and their last observations.
type StepOutput<'py> = (
    Bound<'py, PyArray1<i64>>,
    Bound<'py, PyDict>,
    Bound<'py, PyArray1<f64>>,
    Bound<'py, PyArray1<bool>>,
    Vec<Ended>,
    Option<Bound<'py, PyDict>>,
);

impl EnvironmentBatch {
    fn batch(&self) -> PyResult<&Batch> {
        self.batch.as_ref().ok_or_else(closed)
    }

    fn batch_mut(&mut self) -> PyResult<&mut Batch> {
        self.batch.as_mut().ok_or_else(closed)
    }

    fn observe<'py>(
        &self,
        py: Python<'py>,
        environments: &[usize],
    ) -> PyResult<Bound<'py, PyDict>> {
        let batch = self.batch()?;
        let mut rows = Rows::with_capacity(environments.len(), self.shapes);
        for &environment in environments {
            let (task, state) = (batch.task(environment), batch.state(environment));
            rows.push(&task.observe(state), &self.skeletons[environment]);
        }
        rows.into_dict(py)
    }

    /// Takes the results of these environments.
    fn output<'py>(
        &mut self,
        py: Python<'py>,
        environments: &[usize],
    ) -> PyResult<StepOutput<'py>> {
        let observations = self.observe(py, environments)?;
        let (mut rewards, mut terminated) = (Vec::new(), Vec::new());
        let mut finished: Vec<(usize, Box<FinishedEpisode>)> = Vec::new();
        for &environment in environments {
            let result = self.batch_mut()?.take_result(environment);
            rewards.push(result.reward);
            terminated.push(result.terminated);
            if let Some(episode) = result.finished {
                finished.push((environment, episode));
            }
        }
        let last = if finished.is_empty() {
            None
        } else {
            let mut rows = Rows::with_capacity(finished.len(), self.shapes);
            for (environment, episode) in &finished {
                let seen = episode.task.observe(&episode.state);
                rows.push(&seen, &self.skeletons[*environment]);
            }
            Some(rows.into_dict(py)?)
        };
        let calculator = self.calculator.inner.name();
        let finished = finished
            .into_iter()
            .filter_map(|(environment, episode)| {
                let property = episode.task.property();
                let evaluation = |appraisal: Appraisal, crystal| {
                    Some(Evaluation {
                        // A calculator does not predict.
                        inner: appraisal.into_evaluation()?,
                        crystal,
                        property,
                        calculator: calculator.to_owned(),
                    })
                };
                let start = &episode.episode.start;
                let start = episode.start_appraisal.and_then(|appraisal| {
                    let skeleton = start.skeleton.into();
                    let crystal = episode.task.crystal(skeleton, &start.node_types).ok()?;
                    evaluation(appraisal, crystal)
                });
                let end = evaluation(episode.appraisal, episode.crystal)?;
                Some((environment, end, episode.target, start))
            })
            .collect();
        let environments = environments.iter().map(|&environment| environment as i64);
        Ok((
            PyArray1::from_iter(py, environments),
            observations,
            PyArray1::from_vec(py, rewards),
            PyArray1::from_vec(py, terminated),
            finished,
            last,
        ))
    }

    /// Waits until `count` results can be taken, or nothing more can come.
    fn wait_for(&mut self, py: Python<'_>, count: usize) -> PyResult<()> {
        loop {
            let batch = self.batch_mut()?;
            if batch.ready() >= count || batch.pending() == 0 {
                return Ok(());
            }
            py.detach(|| batch.take_finished(LOOK_UP));
            py.check_signals()?;
        }
    }

    fn send_all(&mut self, py: Python<'_>, pairs: &[(usize, i64)]) -> PyResult<()> {
        let batch = self.batch_mut()?;
        batch.check_all(pairs).map_err(|error| task_error(&error))?;
        let mut steps = pairs.iter();
        // Whoever has the claim on a result may need the interpreter lock to finish.
        py.detach(|| steps.try_for_each(|&(environment, action)| batch.send(environment, action)))
            .map_err(|error| task_error(&error))?;
        self.calculator.raise_pending()
    }
}

fn closed() -> PyErr {
    internal("the environment is closed")
}

#[pymethods]
impl EnvironmentBatch {
    #[new]
    #[pyo3(signature = (tasks, calculator, store, autoreset, workers))]
    fn new(
        py: Python<'_>,
        tasks: Vec<PyRef<'_, Task>>,
        calculator: &Bound<'_, PyAny>,
        store: StoreChoice,
        autoreset: &str,
        workers: Option<usize>,
    ) -> PyResult<Self> {
        let autoreset = match autoreset {
            "NextStep" => Autoreset::NextStep,
            "SameStep" => Autoreset::SameStep,
            "Disabled" => Autoreset::Disabled,
            other => {
                return Err(PyValueError::new_err(format!(
                    "autoreset mode is '{other}', expected NextStep, SameStep or Disabled"
                )));
            }
        };
        let calculator = crate::calculator::coerce(calculator)?;
        if workers == Some(0) {
            return Err(PyValueError::new_err("workers is 0, expected at least 1"));
        }
        let tasks: Vec<_> = tasks.iter().map(|task| Arc::clone(&task.inner)).collect();
        let Some(first) = tasks.first() else {
            return Err(PyValueError::new_err("0 environments, expected at least 1"));
        };
        let sizes = |task: &InnerTask| (task.elements().len(), task.n_actions());
        let (elements, actions) = sizes(first);
        if let Some(other) = tasks.iter().find(|task| sizes(task) != sizes(first)) {
            let (other_elements, other_actions) = sizes(other);
            return Err(PyValueError::new_err(format!(
                "{elements} and {other_elements} elements with {actions} and {other_actions} actions, \
                 expected as many in all environments"
            )));
        }
        let terms = first.terms();
        if tasks.iter().any(|task| task.terms() != terms) {
            return Err(PyValueError::new_err(
                "environments with several objectives, expected the same terms in all of them",
            ));
        }
        let calculator = match terms {
            None => calculator.for_property(first.property())?,
            Some(terms) => calculator.for_terms(terms)?,
        };
        for task in &tasks {
            calculator.check_elements(py, task.elements().elements(), task.property())?;
            for skeleton in task.skeletons() {
                calculator.check_skeleton(skeleton)?;
            }
        }
        let store = store.open_for(&calculator)?;
        let in_place =
            calculator.inner.is_instant() || (calculator.is_python() && workers.is_none());
        let inner = Arc::clone(&calculator.inner);
        let appraiser: Box<dyn Appraiser> = if in_place {
            let origin = calculator.clone();
            let token = Box::new(move || origin.token_in_place());
            Box::new(InPlaceAppraiser::new(inner, store, token))
        } else {
            let workers = workers.unwrap_or_else(|| calculator.default_workers(tasks.len()));
            Box::new(PoolAppraiser::new(inner, store, workers))
        };
        let shapes = Shapes::of(tasks.iter().map(AsRef::as_ref));
        let skeletons = skeleton_rows(&tasks, shapes);
        Ok(Self {
            // Every environment gets its seed with its first reset.
            batch: Some(Batch::new(VectorEnvironment::new(
                tasks.into_iter().map(|task| (task, 0)),
                appraiser,
                autoreset,
            ))),
            skeletons,
            shapes,
            calculator,
        })
    }

    /// Starts episodes of the environments with these numbers, with their seeds.
    fn reset<'py>(
        &mut self,
        py: Python<'py>,
        environments: Vec<usize>,
        seeds: Vec<Option<u64>>,
        skeletons: Vec<Option<usize>>,
    ) -> PyResult<Bound<'py, PyDict>> {
        let batch = self.batch_mut()?;
        let starts = seeds.into_iter().zip(skeletons);
        for (&environment, (seed, skeleton)) in environments.iter().zip(starts) {
            batch.reset(environment, seed, skeleton);
        }
        let all: Vec<usize> = (0..batch.len()).collect();
        self.observe(py, &all)
    }

    /// Changes the target (or anything else that keeps all shapes) of an environment.
    fn set_task(&mut self, environment: usize, task: PyRef<'_, Task>) -> PyResult<()> {
        let shapes = Shapes::of(std::iter::once(task.inner.as_ref()));
        let Shapes {
            sites,
            edges,
            actions,
        } = self.shapes;
        if shapes.actions != actions || shapes.sites > sites || shapes.edges > edges {
            return Err(PyValueError::new_err(format!(
                "the task needs {shapes:?}, expected what fits into {:?}",
                self.shapes
            )));
        }
        if task.inner.terms() != self.batch()?.task(environment).terms() {
            return Err(PyValueError::new_err(
                "the task has another objective of several terms, expected the environment's",
            ));
        }
        let tasks = [Arc::clone(&task.inner)];
        let rows = skeleton_rows(&tasks, self.shapes);
        self.skeletons[environment] = Arc::clone(&rows[0]);
        self.batch_mut()?
            .set_task(environment, Arc::clone(&task.inner));
        Ok(())
    }

    /// One step of every environment; waits for all rewards.
    fn step<'py>(
        &mut self,
        py: Python<'py>,
        actions: PyReadonlyArray1<'py, i64>,
    ) -> PyResult<StepOutput<'py>> {
        let actions = actions.as_slice()?;
        let count = self.batch()?.len();
        if actions.len() != count {
            return Err(task_error(&EnvironmentError::ActionCount {
                expected: count,
                found: actions.len(),
            }));
        }
        let pairs: Vec<(usize, i64)> = actions.iter().copied().enumerate().collect();
        self.send_all(py, &pairs)?;
        self.wait_for(py, count)?;
        self.calculator.raise_pending()?;
        let batch = self.batch_mut()?;
        while batch.take_ready().is_some() {}
        let all: Vec<usize> = (0..count).collect();
        self.output(py, &all)
    }

    /// Starts steps of some environments and returns at once.
    fn send(
        &mut self,
        py: Python<'_>,
        environments: PyReadonlyArray1<'_, i64>,
        actions: PyReadonlyArray1<'_, i64>,
    ) -> PyResult<()> {
        let last = self.batch()?.len() - 1;
        let (environments, actions) = (environments.as_slice()?, actions.as_slice()?);
        if environments.len() != actions.len() {
            return Err(task_error(&EnvironmentError::ActionCount {
                expected: environments.len(),
                found: actions.len(),
            }));
        }
        let pairs = environments
            .iter()
            .zip(actions)
            .map(|(&environment, &action)| {
                usize::try_from(environment)
                    .map(|environment| (environment, action))
                    .map_err(|_| EnvironmentError::NoEnvironment { environment, last })
            })
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| task_error(&error))?;
        self.send_all(py, &pairs)
    }

    /// Results of at least `count` steps, in the order in which they came; of fewer only if fewer
    /// are under way.
    fn receive<'py>(&mut self, py: Python<'py>, count: usize) -> PyResult<StepOutput<'py>> {
        self.wait_for(py, count)?;
        self.calculator.raise_pending()?;
        let batch = self.batch_mut()?;
        let mut taken = Vec::new();
        while taken.len() < count
            && let Some(environment) = batch.take_ready()
        {
            taken.push(environment);
        }
        self.output(py, &taken)
    }

    /// Steps sent and not received.
    #[getter]
    fn n_pending(&self) -> PyResult<usize> {
        let batch = self.batch()?;
        Ok(batch.pending() + batch.ready())
    }

    /// Observations as they are now.
    #[pyo3(name = "observe")]
    fn observe_all<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let all: Vec<usize> = (0..self.batch()?.len()).collect();
        self.observe(py, &all)
    }

    /// Sites at which the traversals of these environments' episodes started.
    fn start_sites<'py>(
        &self,
        py: Python<'py>,
        environments: PyReadonlyArray1<'_, i64>,
    ) -> PyResult<Bound<'py, PyArray1<i64>>> {
        let batch = self.batch()?;
        let start = |&environment: &i64| i64::from(batch.state(environment as usize).start);
        let starts = environments.as_slice()?.iter().map(start);
        Ok(PyArray1::from_iter(py, starts))
    }

    /// Where every environment stands, random numbers included, as JSON.
    fn get_state(&self) -> PyResult<String> {
        self.batch()?
            .snapshot()
            .ok_or_else(|| internal("a step is under way: receive its result, or reset"))
    }

    /// Goes on from what `get_state` returned.
    fn set_state(&mut self, state: &str) -> PyResult<()> {
        self.batch_mut()?
            .restore(state)
            .map_err(|error| task_error(&error))
    }

    /// The calculator.
    #[getter]
    fn calculator(&self) -> Calculator {
        self.calculator.clone()
    }

    /// Elements on the sites of an environment, `None` where one is empty.
    fn elements<'py>(&self, py: Python<'py>, environment: usize) -> PyResult<Bound<'py, PyList>> {
        let batch = self.batch()?;
        let elements = batch.task(environment).elements().elements();
        let symbols = batch
            .state(environment)
            .node_types
            .iter()
            .map(|&node| elements.get(usize::from(node)).map(|e| e.symbol()));
        PyList::new(py, symbols.collect::<Vec<_>>())
    }

    /// Stops what is under way; nothing else can be called afterwards. A call of the user's Python
    /// cannot be stopped: it is waited for, until Ctrl-C.
    fn close(&mut self, py: Python<'_>) -> PyResult<()> {
        match self.batch.take() {
            Some(batch) => engine::enter(py, WindUp::Leave, move |_| drop(batch)),
            None => Ok(()),
        }
    }
}

impl Drop for EnvironmentBatch {
    fn drop(&mut self) {
        let batch = self.batch.take();
        Python::attach(|py| py.detach(move || drop(batch)));
    }
}

fn skeleton_rows(
    tasks: &[Arc<crystalgym_environment::Task>],
    shapes: Shapes,
) -> Vec<Arc<Vec<SkeletonRow>>> {
    let mut known: Vec<(Arc<crystalgym_environment::Task>, Arc<Vec<SkeletonRow>>)> = Vec::new();
    tasks
        .iter()
        .map(|task| {
            if let Some((_, rows)) = known.iter().find(|(other, _)| Arc::ptr_eq(task, other)) {
                return Arc::clone(rows);
            }
            let skeletons = task.skeletons().iter();
            let rows: Arc<Vec<_>> = Arc::new(
                skeletons
                    .map(|skeleton| SkeletonRow::new(skeleton, shapes))
                    .collect(),
            );
            known.push((Arc::clone(task), Arc::clone(&rows)));
            rows
        })
        .collect()
}
