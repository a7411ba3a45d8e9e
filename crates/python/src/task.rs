//! Tasks.

use std::{path::PathBuf, sync::Arc};

use crystalgym_crystal::{SYMMETRY_TOLERANCE_ANG, Skeleton as InnerSkeleton};
use crystalgym_environment::{
    EnvironmentError, Objective, Task as Inner, TaskConfig, find_skeleton, named_tasks, target_text,
};
use crystalgym_evaluation::{Failure, FailureCode, Outcome, Values};
use crystalgym_training::{TrainingError, stored_start};
use pyo3::{
    exceptions::PyValueError,
    prelude::*,
    types::{PyDict, PyString},
};
use serde_json::json;

use crate::{
    calculator::parse_property,
    errors::{Raised, raised, task_error, to_python, training_error},
    json::from_python,
    skeleton::Skeleton,
    store::StoreChoice,
};

/// What an agent is to achieve: skeletons to fill, elements to choose from, a property and its
/// target.
///
/// Parameters
/// ----------
/// config : dict
///     With members as in the table `[task]` of a configuration file: `skeletons`, `actions` or
///     `elements`, `property`, `target` (a number, or a range such as ``[1.4, 1.6]`` or
///     ``"1.4..1.6"``), `tolerance`, `reward_form`, `process`, `start_crystal`, `steps`, `start_site`,
///     `odd_electrons_fail_at_once`, `allowed`, `objective` (several properties, each with a target, a
///     bound or a direction, see docs/agents.md).
///     Members of `skeletons` are names, files, or `Skeleton` objects.
///
/// Raises
/// ------
/// TaskError, StructureError
///     That name the member and its value.
#[pyclass(frozen, module = "crystalgym")]
#[derive(Clone)]
pub(crate) struct Task {
    pub(crate) inner: Arc<Inner>,
    config: Arc<TaskConfig>,
    /// Skeletons that were given as objects, by their place in `config.skeletons`.
    given: Arc<Vec<Option<Skeleton>>>,
}

impl Task {
    pub(crate) fn from_config(config: TaskConfig) -> PyResult<Self> {
        let given = vec![None; config.skeletons.len()];
        Self::from_parts(config, given)
    }

    fn from_parts(config: TaskConfig, given: Vec<Option<Skeleton>>) -> PyResult<Self> {
        let inner = inner_task(&config, &given).map_err(|error| task_error(&error))?;
        Ok(Self {
            inner: Arc::new(inner),
            config: Arc::new(config),
            given: Arc::new(given),
        })
    }
}

fn inner_task(config: &TaskConfig, given: &[Option<Skeleton>]) -> Result<Inner, EnvironmentError> {
    let skeletons = config.skeletons.iter().zip(given);
    let skeletons = skeletons.map(|(name, given)| match given {
        Some(skeleton) => Ok(Arc::clone(&skeleton.inner)),
        None => find_skeleton(name),
    });
    Inner::with_skeletons(config, skeletons.collect::<Result<_, _>>()?)
}

/// Reads the members of a task, and the skeletons among them that are objects.
fn read_config(config: &Bound<'_, PyDict>) -> PyResult<(TaskConfig, Vec<Option<Skeleton>>)> {
    let config = config.copy()?;
    let mut given = take_skeletons(&config)?;
    let value = from_python(config.as_any())
        .map_err(|error| invalid(format!("task: {}", error.message), &error.field))?;
    let config: TaskConfig = serde_path_to_error::deserialize(value).map_err(|error| {
        let field = error.path().to_string();
        invalid(format!("task: field '{field}': {}", error.inner()), &field)
    })?;
    given.resize(config.skeletons.len(), None);
    Ok((config, given))
}

fn invalid(message: String, field: &str) -> PyErr {
    raised(&Raised {
        class: "TaskError",
        code: "invalid_task",
        message,
        values: json!({ "field": field }),
    })
}

/// Takes the skeletons that are objects out of a configuration and leaves their labels in it.
fn take_skeletons(config: &Bound<'_, PyDict>) -> PyResult<Vec<Option<Skeleton>>> {
    let members = match config.get_item("skeletons")? {
        Some(members) if !members.is_instance_of::<PyString>() => members,
        _ => return Ok(Vec::new()),
    };
    let (mut names, mut given) = (Vec::new(), Vec::new());
    for member in members.try_iter()? {
        let member = member?;
        let skeleton = skeleton_object(&member)?;
        names.push(match &skeleton {
            Some(skeleton) => PathBuf::from(&skeleton.inner.label),
            None => member.extract()?,
        });
        given.push(skeleton);
    }
    let names = names.iter().map(|name| name.to_string_lossy());
    config.set_item("skeletons", names.collect::<Vec<_>>())?;
    Ok(given)
}

/// `None` for a name or a path.
fn skeleton_object(member: &Bound<'_, PyAny>) -> PyResult<Option<Skeleton>> {
    if let Ok(skeleton) = member.cast::<Skeleton>() {
        return Ok(Some(skeleton.get().clone()));
    }
    if member.is_instance_of::<PyString>() || member.hasattr("__fspath__")? {
        return Ok(None);
    }
    Skeleton::from_structure(member, None, SYMMETRY_TOLERANCE_ANG).map(Some)
}

#[pymethods]
impl Task {
    #[new]
    fn new(config: &Bound<'_, PyDict>) -> PyResult<Self> {
        let (config, given) = read_config(config)?;
        Self::from_parts(config, given)
    }

    /// A task that starts from the best crystals that a store knows for it.
    ///
    /// Parameters
    /// ----------
    /// config : dict
    ///     As for :class:`Task`; whatever its `start_crystal` is, the crystals take its place.
    /// calculator : str, dict, Calculator or callable
    ///     Whose results are looked for.
    /// store : ResultStore, str or path
    ///     Where; ``"default"`` is the user's own.
    ///
    /// Returns
    /// -------
    /// Task
    ///     On each skeleton it starts from the crystal with the highest reward that the calculator
    ///     with these settings has computed there; what is stored later changes nothing.
    ///
    /// Raises
    /// ------
    /// TaskError, StructureError, CalculatorError, StoreError
    ///     Also if nothing of a skeleton is known.
    #[staticmethod]
    fn starting_from_store(
        py: Python<'_>,
        config: &Bound<'_, PyDict>,
        calculator: &Bound<'_, PyAny>,
        store: StoreChoice,
    ) -> PyResult<Self> {
        let (config, given) = read_config(config)?;
        let calculator = crate::calculator::coerce(calculator)?;
        let store = store.open_for(&calculator)?;
        let make_task = |config: &TaskConfig| Ok(inner_task(config, &given)?);
        let inner = calculator.inner.as_ref();
        let found = py.detach(|| stored_start(&config, &make_task, inner, store.as_deref()));
        let start_crystal = found.map_err(|error| match error {
            TrainingError::Configuration { message, .. } => {
                let field = "start_crystal";
                invalid(format!("task: {field} {message}"), field)
            }
            error => training_error(&error),
        })?;
        let config = TaskConfig {
            start_crystal,
            ..config
        };
        Self::from_parts(config, given)
    }

    /// A task of the paper.
    ///
    /// Parameters
    /// ----------
    /// name : str
    ///     Such as ``density-C2-easy-small``; :func:`tasks` lists them.
    ///
    /// Returns
    /// -------
    /// Task
    ///
    /// Raises
    /// ------
    /// TaskError
    ///     If there is no such task.
    #[staticmethod]
    fn named(name: &str) -> PyResult<Self> {
        let task = named_tasks().into_iter().find(|task| task.name == name);
        let task = task.ok_or_else(|| {
            raised(&Raised {
                class: "TaskError",
                code: "unknown_task",
                message: format!("unknown task '{name}': crystalgym.tasks() lists them"),
                values: json!({ "name": name }),
            })
        })?;
        Self::from_config(task.config)
    }

    /// What the task is made of: `Task(task.config)` is the same task.
    #[getter]
    fn config<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let config = to_python(py, &json!(self.config.as_ref()))?;
        let skeletons = config.get_item("skeletons")?;
        for (place, skeleton) in self.given.iter().enumerate() {
            if let Some(skeleton) = skeleton {
                skeletons.set_item(place, skeleton.clone())?;
            }
        }
        Ok(config)
    }

    /// Skeletons that episodes are drawn from.
    #[getter]
    fn skeletons(&self) -> Vec<Skeleton> {
        let skeletons = self.inner.skeletons().iter();
        skeletons
            .map(|inner| Skeleton::from_inner(Arc::clone(inner)))
            .collect()
    }

    /// Symbols in the order of the actions.
    #[getter]
    fn elements(&self) -> Vec<&'static str> {
        let elements = self.inner.elements().elements().iter();
        elements.map(|element| element.symbol()).collect()
    }

    /// Name of the property.
    #[getter]
    fn property_name(&self) -> &'static str {
        self.inner.property().name()
    }

    /// Unit of the property.
    #[getter]
    fn unit(&self) -> &'static str {
        self.inner.property().unit()
    }

    /// Target of the property, in its unit; of a range the middle.
    #[getter]
    fn target(&self) -> f64 {
        self.inner.target()
    }

    /// Number of actions: that of the elements, or of pairs of a site and an element where the agent
    /// chooses the site.
    #[getter]
    fn n_actions(&self) -> usize {
        self.inner.n_actions()
    }

    /// How far from the target a value still has the best reward, in the property's unit; of a range
    /// half its width.
    #[getter]
    fn tolerance(&self) -> f64 {
        self.inner.objective().tolerance()
    }

    /// Sites of the largest skeleton.
    #[getter]
    fn max_sites(&self) -> usize {
        largest(&self.inner, InnerSkeleton::sites)
    }

    /// Directed edges of the skeleton that has most.
    #[getter]
    fn max_edges(&self) -> usize {
        largest(&self.inner, |skeleton| skeleton.graph.edges.len())
    }

    /// Lowest and highest reward that a step can give.
    #[getter]
    fn reward_range(&self) -> (f64, f64) {
        self.inner.objective().range()
    }

    fn __repr__(&self) -> String {
        format!(
            "Task({} of {}, target {} {}, {} elements)",
            self.inner.property(),
            self.config.skeletons.join(" "),
            target_text(self.inner.target(), self.inner.objective().tolerance()),
            self.inner.property().unit(),
            self.inner.elements().len()
        )
    }

    fn __reduce__<'py>(
        slf: &Bound<'py, Self>,
    ) -> PyResult<(Bound<'py, PyAny>, (Bound<'py, PyAny>,))> {
        let config = slf.get().config(slf.py())?;
        Ok((slf.get_type().into_any(), (config,)))
    }
}

pub(crate) fn largest(task: &Inner, size: impl Fn(&InnerSkeleton) -> usize) -> usize {
    let skeletons = task.skeletons().iter();
    skeletons.map(|skeleton| size(skeleton)).max().unwrap_or(0)
}

/// The tasks of the paper.
///
/// Returns
/// -------
/// dict of str to dict
///     What each is made of (see :class:`Task`), by name.
#[pyfunction]
pub(crate) fn tasks(py: Python<'_>) -> PyResult<Bound<'_, PyDict>> {
    let dict = PyDict::new(py);
    for task in named_tasks() {
        dict.set_item(task.name, to_python(py, &json!(task.config))?)?;
    }
    Ok(dict)
}

/// The paper's reward.
///
/// Parameters
/// ----------
/// property : str
/// value : float or None
///     In the property's unit; ``None`` is a failed calculation.
/// target : float
///     In the same unit.
/// tolerance : float
///     How far from the target a value still has the best reward; beyond, the reward is that of the
///     distance from this range.
///
/// Returns
/// -------
/// float
///
/// Raises
/// ------
/// TaskError, ValueError
///     For an unknown property, a value that is not finite, a target that is not, and of a property that
///     is positive a target that is not positive.
///
/// Notes
/// -----
///
/// ============= ==================================== =======
/// property      success                              failure
/// ============= ==================================== =======
/// bulk_modulus  ``max(-abs(target - B) / target, -5)``   -5
/// shear_modulus ``max(-abs(target - G) / target, -5)``   -5
/// density       ``exp(-(rho - target)**2 / target)``     -1
/// band_gap      ``exp(-(E - target)**2)``                -1
/// ============= ==================================== =======
#[pyfunction(name = "reward")]
#[pyo3(signature = (property, value, target, *, tolerance = 0.0))]
pub(crate) fn reward_of(
    property: &str,
    value: Option<f64>,
    target: f64,
    tolerance: f64,
) -> PyResult<f64> {
    let property = parse_property(property)?;
    let least = property.facts().targets[0];
    if !(target.is_finite() && target >= least.min(f64::MIN_POSITIVE)) {
        let expected = if least < 0.0 { "finite" } else { "positive" };
        return Err(PyValueError::new_err(format!(
            "target is {target}, expected a {expected} number"
        )));
    }
    if !(tolerance.is_finite() && tolerance >= 0.0) {
        return Err(PyValueError::new_err(format!(
            "tolerance is {tolerance}, expected a number from 0 up"
        )));
    }
    if let Some(value) = value.filter(|value| !value.is_finite()) {
        return Err(PyValueError::new_err(format!(
            "value is {value}, expected a finite number, or None for a failure"
        )));
    }
    let outcome = match value {
        Some(value) => Outcome::Success(Values {
            value,
            ..Values::default()
        }),
        None => Outcome::Failure(Failure::new(FailureCode::Internal, "")),
    };
    let objective = Objective::new(property, target).with_tolerance(tolerance);
    Ok(objective.reward().of_outcome(target, &outcome))
}
