//! Errors of the libraries as exceptions of `crystalgym.errors`, one class a family.

use crystalgym_crystal::CrystalError;
use crystalgym_dft::DftError;
use crystalgym_environment::EnvironmentError;
use crystalgym_evaluation::{CalculatorError, StoreError, UnknownProperty};
use crystalgym_training::TrainingError;
use pyo3::{exceptions::PyRuntimeError, prelude::*, types::PyDict};
use serde_json::{Value, json};

use crate::json::number;

/// An exception class with what it carries; [`raised`] makes it.
pub(crate) struct Raised<'a> {
    /// Name of the class in `crystalgym.errors`.
    pub(crate) class: &'a str,
    /// Stable code, such as `unknown_element`.
    pub(crate) code: &'a str,
    pub(crate) message: String,
    /// An object whose members are the values found and expected.
    pub(crate) values: Value,
}

/// The exception; what goes wrong in making it is raised instead.
pub(crate) fn raised(raised: &Raised<'_>) -> PyErr {
    Python::attach(|py| {
        let made = (|| {
            let class = py.import("crystalgym.errors")?.getattr(raised.class)?;
            let values = to_python(py, &raised.values)?;
            let arguments = PyDict::new(py);
            arguments.set_item("code", raised.code)?;
            arguments.set_item("values", values)?;
            class.call((raised.message.as_str(),), Some(&arguments))
        })();
        made.map_or_else(|error| error, PyErr::from_value)
    })
}

/// JSON as Python objects.
pub(crate) fn to_python<'py>(py: Python<'py>, value: &Value) -> PyResult<Bound<'py, PyAny>> {
    py.import("json")?
        .call_method1("loads", (value.to_string(),))
}

/// An error of the programmer, not of the user.
pub(crate) fn internal(message: &str) -> PyErr {
    PyRuntimeError::new_err(message.to_owned())
}

pub(crate) fn structure_error(error: &CrystalError) -> PyErr {
    let (code, values) = describe(error);
    raised(&Raised {
        class: "StructureError",
        code,
        message: error.to_string(),
        values,
    })
}

fn describe(error: &CrystalError) -> (&'static str, Value) {
    match error {
        CrystalError::Io { path, .. } => ("io", json!({ "path": path })),
        CrystalError::Parse { format, line, .. } => {
            ("parse", json!({ "format": format, "line": line }))
        }
        CrystalError::InFile { path, error } => {
            let (code, mut values) = describe(error);
            if let Some(values) = values.as_object_mut() {
                values.insert("path".to_owned(), json!(path));
            }
            (code, values)
        }
        CrystalError::UnknownFormat(name) => ("unknown_format", json!({ "name": name })),
        CrystalError::UnknownElement(symbol) => ("unknown_element", json!({ "symbol": symbol })),
        CrystalError::UnknownSkeleton(name) | CrystalError::NoSkeletonOrFile(name) => {
            ("unknown_skeleton", json!({ "name": name }))
        }
        CrystalError::SeveralStructures { count } => {
            ("several_structures", json!({ "count": count }))
        }
        CrystalError::NoSuchStructure { index, count } => (
            "no_such_structure",
            json!({ "index": index, "count": count }),
        ),
        CrystalError::InvalidLattice(_) => ("invalid_lattice", json!({})),
        CrystalError::InvalidStructure(_) => ("invalid_structure", json!({})),
        CrystalError::SiteCount {
            skeleton,
            expected,
            found,
        } => (
            "site_count",
            json!({ "skeleton": skeleton, "expected": expected, "found": found }),
        ),
        CrystalError::UnknownSite { skeleton, name, .. } => (
            "unknown_site",
            json!({ "skeleton": skeleton, "name": name }),
        ),
        CrystalError::Symmetry(_) => ("symmetry", json!({})),
        CrystalError::TooManyFillings {
            skeleton,
            sites,
            elements,
        } => (
            "too_many_fillings",
            json!({ "skeleton": skeleton, "sites": sites, "elements": elements }),
        ),
        _ => ("other", json!({})),
    }
}

pub(crate) fn calculator_error(error: &CalculatorError) -> PyErr {
    raised(&Raised {
        class: "CalculatorError",
        code: "unusable_calculator",
        message: error.to_string(),
        values: json!({ "calculator": error.calculator }),
    })
}

pub(crate) fn unknown_property(error: &UnknownProperty) -> PyErr {
    raised(&Raised {
        class: "TaskError",
        code: "unknown_property",
        message: error.to_string(),
        values: json!({ "property": error.0 }),
    })
}

pub(crate) fn store_error(error: &StoreError) -> PyErr {
    let (code, values) = match error {
        StoreError::Open { path, .. } => ("open", json!({ "path": path })),
        StoreError::Folder { path, .. } => ("folder", json!({ "path": path })),
        StoreError::NewerLayout { path, .. } => ("newer_layout", json!({ "path": path })),
        StoreError::Locked { path, .. } => ("locked", json!({ "path": path })),
        StoreError::Sqlite { path, .. } => ("sqlite", json!({ "path": path })),
        StoreError::Io { path, .. } => ("io", json!({ "path": path })),
        StoreError::NotAStore { path, .. } => ("not_a_store", json!({ "path": path })),
        StoreError::ReadOnly { path } => ("read_only", json!({ "path": path })),
        StoreError::Damaged { path, .. } => ("damaged", json!({ "path": path })),
        StoreError::NetworkFileSystem { path, .. } => {
            ("network_file_system", json!({ "path": path }))
        }
        StoreError::Url(_) => ("url", json!({})),
        StoreError::Server(_) => ("server", json!({})),
        StoreError::NoQueue => ("no_queue", json!({})),
        _ => ("other", json!({ "path": null })),
    };
    raised(&Raised {
        class: "StoreError",
        code,
        message: error.to_string(),
        values,
    })
}

pub(crate) fn task_error(error: &EnvironmentError) -> PyErr {
    let (code, values) = match error {
        EnvironmentError::Crystal(error) => return structure_error(error),
        EnvironmentError::UnknownActionSet(name) => ("unknown_action_set", json!({ "name": name })),
        EnvironmentError::DuplicateElement(symbol) => {
            ("duplicate_element", json!({ "symbol": symbol }))
        }
        EnvironmentError::InvalidTask { field, .. } => ("invalid_task", json!({ "field": field })),
        EnvironmentError::InvalidAction { action, step, last } => (
            "invalid_action",
            json!({ "action": action, "step": step, "last": last }),
        ),
        EnvironmentError::ForbiddenAction { element, site } => (
            "forbidden_action",
            json!({ "element": element, "site": site }),
        ),
        EnvironmentError::NoEnvironment { environment, last } => (
            "no_environment",
            json!({ "environment": environment, "last": last }),
        ),
        EnvironmentError::StepUnderWay { environment } => {
            ("step_under_way", json!({ "environment": environment }))
        }
        EnvironmentError::EpisodeEnded => ("episode_ended", json!({})),
        EnvironmentError::ActionCount { expected, found } => (
            "action_count",
            json!({ "expected": expected, "found": found }),
        ),
        EnvironmentError::Snapshot(_) => ("snapshot", json!({})),
        _ => ("other", json!({})),
    };
    raised(&Raised {
        class: "TaskError",
        code,
        message: error.to_string(),
        values,
    })
}

pub(crate) fn training_error(error: &TrainingError) -> PyErr {
    let (code, values) = match error {
        TrainingError::Io { path, .. } => ("io", json!({ "path": path })),
        TrainingError::Configuration { origin, .. } => {
            ("configuration", json!({ "origin": origin }))
        }
        TrainingError::RunFolder { path, .. } => ("run_folder", json!({ "path": path })),
        TrainingError::Untrusted { path, named } => {
            ("untrusted", json!({ "path": path, "named": named }))
        }
        TrainingError::Environment(error) => return task_error(error),
        TrainingError::Calculator(error) => return calculator_error(error),
        TrainingError::Store(error) => return store_error(error),
        TrainingError::Agent(_) => ("agent", json!({})),
        _ => ("other", json!({})),
    };
    raised(&Raised {
        class: "TrainingError",
        code,
        message: error.to_string(),
        values,
    })
}

pub(crate) fn dft_error(error: &DftError) -> PyErr {
    let (code, values) = match error {
        DftError::InvalidCell { volume_bohr3 } => (
            "invalid_cell",
            json!({ "volume_bohr3": number(*volume_bohr3) }),
        ),
        DftError::AtomsTooClose {
            first,
            second,
            distance_bohr,
        } => (
            "atoms_too_close",
            json!({ "first": first, "second": second, "distance_bohr": number(*distance_bohr) }),
        ),
        DftError::NoAtoms => ("no_atoms", json!({})),
        DftError::NoPseudopotential { element } => {
            ("pseudopotential", json!({ "element": element.symbol() }))
        }
        DftError::MixedFunctionals {
            element,
            found,
            expected,
            ..
        } => (
            "mixed_functionals",
            json!({
                "element": element.symbol(),
                "found": found.name(),
                "expected": expected.name(),
            }),
        ),
        DftError::TinyCell { length_bohr } => ("tiny_cell", json!({ "length_bohr": length_bohr })),
        DftError::TooLarge {
            needed_gib,
            limit_gib,
            ..
        } => (
            "too_large",
            json!({ "needed_gib": needed_gib, "limit_gib": limit_gib }),
        ),
        DftError::OddElectronCount { electrons } => {
            ("odd_electron_count", json!({ "electrons": electrons }))
        }
        DftError::InvalidSetting { setting, found, .. } => (
            "invalid_setting",
            json!({ "setting": setting, "found": found }),
        ),
        _ => ("other", json!({})),
    };
    raised(&Raised {
        class: "DftError",
        code,
        message: error.to_string(),
        values,
    })
}
