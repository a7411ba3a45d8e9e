use std::sync::Arc;

use crystalgym_crystal::Skeleton as InnerSkeleton;
use crystalgym_environment::{Task as Inner, TaskConfig, failure_reward, paper_tasks, reward};
use crystalgym_evaluation::{Failure, FailureCode, Outcome, Values};
use pyo3::{prelude::*, types::PyDict};
use serde_json::json;

use crate::{
    calculator::{from_python, parse_property},
    errors::{Raised, raised, task_error, to_python},
    skeleton::Skeleton,
};

/// What an agent is to achieve: skeletons to fill, elements to choose from, a property and its
/// target.
///
/// Parameters
/// ----------
/// config : dict
///     With members as in the table `[task]` of a configuration file: `skeletons`, `actions` or
///     `elements`, `property`, `target`, `start_site`, `odd_electrons_fail_at_once`, `allowed`.
#[pyclass(frozen, module = "crystalgym")]
#[derive(Clone)]
pub(crate) struct Task {
    pub(crate) inner: Arc<Inner>,
    config: Arc<TaskConfig>,
}

impl Task {
    pub(crate) fn from_config(config: TaskConfig) -> PyResult<Self> {
        let inner = Inner::new(&config).map_err(|error| task_error(&error))?;
        Ok(Self {
            inner: Arc::new(inner),
            config: Arc::new(config),
        })
    }
}

#[pymethods]
impl Task {
    #[new]
    fn new(config: &Bound<'_, PyDict>) -> PyResult<Self> {
        let value = from_python(config.py(), config.as_any())?;
        let config: TaskConfig = serde_path_to_error::deserialize(value).map_err(|error| {
            raised(&Raised {
                class: "TaskError",
                code: "invalid_task",
                message: format!("task: field '{}': {}", error.path(), error.inner()),
                values: json!({ "field": error.path().to_string() }),
            })
        })?;
        Self::from_config(config)
    }

    /// A task of the paper, such as `density-C2-easy-small`.
    #[staticmethod]
    fn named(name: &str) -> PyResult<Self> {
        let task = paper_tasks().into_iter().find(|task| task.name == name);
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

    /// What the task is made of.
    #[getter]
    fn config<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        to_python(py, &json!(self.config.as_ref()))
    }

    /// Skeletons that episodes are drawn from.
    #[getter]
    fn skeletons(&self) -> Vec<Skeleton> {
        let skeletons = self.inner.skeletons().iter();
        skeletons
            .map(|inner| Skeleton::from_inner(Arc::clone(inner)))
            .collect()
    }

    /// Symbols by action.
    #[getter]
    fn elements(&self) -> Vec<&'static str> {
        let elements = self.inner.actions().elements().iter();
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

    /// Target of the property, in its unit.
    #[getter]
    fn target(&self) -> f64 {
        self.inner.target()
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
        let highest = match self.inner.property() {
            crystalgym_evaluation::Property::BulkModulus => 0.0,
            _ => 1.0,
        };
        (failure_reward(self.inner.property()), highest)
    }

    fn __repr__(&self) -> String {
        format!(
            "Task({} of {}, target {} {}, {} elements)",
            self.inner.property(),
            self.config.skeletons.join(" "),
            self.inner.target(),
            self.inner.property().unit(),
            self.inner.actions().len()
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

/// Names of the paper's tasks with what they are made of.
#[pyfunction]
pub(crate) fn tasks(py: Python<'_>) -> PyResult<Bound<'_, PyDict>> {
    let dict = PyDict::new(py);
    for task in paper_tasks() {
        dict.set_item(task.name, to_python(py, &json!(task.config))?)?;
    }
    Ok(dict)
}

/// Reward of a value of a property, or of a failed calculation (`value` is `None`).
///
/// ============= ==================================== =======
/// property      success                              failure
/// ============= ==================================== =======
/// bulk_modulus  ``max(-abs(target - B) / target, -5)``   -5
/// density       ``exp(-(rho - target)**2 / target)``     -1
/// band_gap      ``exp(-(E - target)**2)``                -1
/// ============= ==================================== =======
#[pyfunction(name = "reward")]
#[pyo3(signature = (property, value, target))]
pub(crate) fn reward_of(property: &str, value: Option<f64>, target: f64) -> PyResult<f64> {
    let outcome = match value {
        Some(value) => Outcome::Success(Values {
            value,
            ..Values::default()
        }),
        None => Outcome::Failure(Failure::new(FailureCode::Internal, "")),
    };
    Ok(reward(parse_property(property)?, target, &outcome))
}
