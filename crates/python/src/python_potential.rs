//! An interatomic potential whose numbers come from the user's Python.

use std::sync::Arc;

use crystalgym_crystal::Structure as InnerStructure;
use crystalgym_potential::{InteratomicPotential, PotentialError, Prediction, Request};
use pyo3::{exceptions::PyTypeError, prelude::*};

use crate::{
    kept_error::{KeptError, failure_code},
    structure::Structure,
};

/// Calls `object.evaluate(structure, derivatives)`, which returns a mapping with `energy` and, if
/// derivatives are asked for, `forces` and `stress`.
pub(crate) struct PythonPotential {
    pub(crate) object: Py<PyAny>,
    pub(crate) name: String,
    /// Whatever the user says that results depend on; without it nothing is stored.
    pub(crate) fingerprint: Option<String>,
    pub(crate) raised: Arc<KeptError>,
}

impl PythonPotential {
    fn call(
        &self,
        py: Python<'_>,
        structure: &InnerStructure,
        request: Request,
    ) -> PyResult<Prediction> {
        let derivatives = request == Request::Derivatives;
        let answer = self
            .object
            .bind(py)
            .call_method1("evaluate", (Structure(structure.clone()), derivatives))?;
        let wrong = |what: String| PyTypeError::new_err(format!("potential {}: {what}", self.name));
        let member = |key: &str| {
            let found = answer.get_item(key);
            let found = found.map_err(|_| wrong(format!("the answer has no '{key}'")))?;
            // Arrays as lists, whatever library they are of.
            match found.hasattr("tolist")? {
                true => found.call_method0("tolist"),
                false => Ok(found),
            }
        };
        let energy_ev: f64 = member("energy")?.extract()?;
        let mut forces_ev_ang = Vec::new();
        let mut stress_gpa = [[0.0; 3]; 3];
        if derivatives {
            forces_ev_ang = member("forces")?.extract()?;
            stress_gpa = member("stress")?.extract()?;
            let (found, sites) = (forces_ev_ang.len(), structure.elements.len());
            if found != sites {
                return Err(wrong(format!("it gave {found} forces for {sites} atoms")));
            }
        }
        let numbers = forces_ev_ang.iter().chain(&stress_gpa).flatten();
        if !numbers.chain([&energy_ev]).all(|x: &f64| x.is_finite()) {
            return Err(wrong("it gave numbers that are not finite".to_owned()));
        }
        Ok(Prediction {
            energy_ev,
            forces_ev_ang,
            stress_gpa,
            site_energies_ev: None,
            magnetic_moments: None,
            features: None,
        })
    }
}

impl InteratomicPotential for PythonPotential {
    fn name(&self) -> &str {
        &self.name
    }

    fn identity(&self) -> String {
        format!(
            "{} {}",
            self.name,
            self.fingerprint.as_deref().unwrap_or_default()
        )
    }

    fn evaluate(
        &self,
        structure: &InnerStructure,
        request: Request,
    ) -> Result<Prediction, PotentialError> {
        Python::attach(|py| {
            self.call(py, structure, request).map_err(|error| {
                let message = error.value(py).to_string();
                if failure_code(py, &error).is_none() {
                    self.raised.keep(error);
                }
                PotentialError::Failed {
                    potential: self.name.clone(),
                    message,
                }
            })
        })
    }
}
