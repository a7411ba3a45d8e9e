//! A calculator whose numbers come from the user's Python.

use std::{sync::Arc, time::Instant};

use crystalgym_crystal::{Crystal, Element};
use crystalgym_evaluation::{
    Calculator, CancelToken, Failure, FailureCode, Fingerprint, Outcome, Property, Values,
};
use pyo3::{
    exceptions::PyTypeError,
    prelude::*,
    types::{PyBool, PyDict},
};

use crate::{
    kept_error::{KeptError, failure_code},
    structure::Structure,
};

/// Calls `function(structure, property)`, or `object.evaluate(structure, property)`.
///
/// What it raises is kept for the caller, who raises it again: a bug in a user's reward must not
/// look like a failed calculation. `crystalgym.CalculationFailed` is such a failure.
pub(crate) struct PythonCalculator {
    pub(crate) object: Py<PyAny>,
    pub(crate) name: String,
    /// Whatever the user says that results depend on; without it nothing is stored.
    pub(crate) fingerprint: Option<String>,
    pub(crate) raised: Arc<KeptError>,
}

impl PythonCalculator {
    pub(crate) fn new(object: Py<PyAny>, name: String, fingerprint: Option<String>) -> Self {
        Self {
            object,
            name,
            fingerprint,
            raised: Arc::default(),
        }
    }

    fn call(&self, py: Python<'_>, crystal: &Crystal, property: Property) -> PyResult<Values> {
        let object = self.object.bind(py);
        let structure = Structure(crystal.structure());
        let answer = if object.hasattr("evaluate")? {
            object.call_method1("evaluate", (structure, property.name()))?
        } else {
            object.call1((structure, property.name()))?
        };
        let mut values = Values {
            volume_ang3: crystal.skeleton().lattice.volume(),
            rigid_density_g_cm3: crystal.rigid_density_g_cm3(),
            ..Values::default()
        };
        if answer.is_instance_of::<PyBool>() {
            return Err(PyTypeError::new_err(format!(
                "calculator {} returned {answer}, expected a number or a dictionary with 'value'",
                self.name
            )));
        }
        if let Ok(dict) = answer.cast::<PyDict>() {
            for (key, value) in dict {
                let key: String = key.extract()?;
                let field = match key.as_str() {
                    "value" => {
                        values.value = value.extract()?;
                        continue;
                    }
                    "total_energy_ev" => &mut values.total_energy_ev,
                    "homo_ev" => &mut values.homo_ev,
                    "lumo_ev" => &mut values.lumo_ev,
                    "fermi_ev" => &mut values.fermi_ev,
                    "pressure_gpa" => &mut values.pressure_gpa,
                    _ => {
                        return Err(PyTypeError::new_err(format!(
                            "calculator {}: unknown key '{key}': expected value, total_energy_ev, \
                             homo_ev, lumo_ev, fermi_ev or pressure_gpa",
                            self.name
                        )));
                    }
                };
                let number: Option<f64> = value.extract()?;
                if let Some(number) = number.filter(|number| !number.is_finite()) {
                    return Err(PyTypeError::new_err(format!(
                        "calculator {}: {key} is {number}, expected a finite number, or no such key",
                        self.name
                    )));
                }
                *field = number;
            }
            if !dict.contains("value")? {
                return Err(PyTypeError::new_err(format!(
                    "calculator {}: the dictionary has no key 'value'",
                    self.name
                )));
            }
        } else {
            values.value = answer.extract().map_err(|_| {
                PyTypeError::new_err(format!(
                    "calculator {} returned {}, expected a number or a dictionary with 'value'",
                    self.name,
                    answer.get_type()
                ))
            })?;
        }
        Ok(values)
    }

    fn failure_of(&self, py: Python<'_>, error: PyErr) -> Failure {
        let value = error.value(py);
        if let Some(code) = failure_code(py, &error) {
            let code = code.parse().unwrap_or(FailureCode::ProgramError);
            return Failure::new(code, value.to_string());
        }
        let message = format!("the calculator {} raised {value}", self.name);
        self.raised.keep(error);
        Failure::new(FailureCode::Internal, message)
    }
}

impl Calculator for PythonCalculator {
    fn name(&self) -> &str {
        &self.name
    }

    /// Results of a function with a fingerprint belong to the crystal, however it is written down;
    /// one without may look at anything, labels too.
    fn keeps_the_cell(&self) -> bool {
        self.fingerprint.is_none()
    }

    fn fingerprint(&self, _elements: &[Element], _property: Property) -> Fingerprint {
        Fingerprint(self.fingerprint.clone().unwrap_or_default())
    }

    fn evaluate(&self, crystal: &Crystal, property: Property, _cancel: &CancelToken) -> Outcome {
        let start = Instant::now();
        Python::attach(|py| match self.call(py, crystal, property) {
            Ok(values) if values.value.is_finite() => Outcome::Success(Values {
                seconds: start.elapsed().as_secs_f64(),
                ..values
            }),
            Ok(values) => Outcome::Failure(Failure::new(
                FailureCode::UnreadableOutput,
                format!("the calculator {} returned {}", self.name, values.value),
            )),
            Err(error) => Outcome::Failure(self.failure_of(py, error)),
        })
    }
}
