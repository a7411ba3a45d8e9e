//! Interatomic potentials for Python: CHGNet, and the user's own.

use std::{path::PathBuf, sync::Arc};

use crystalgym_evaluation::{CalculatorConfig, CalculatorName, StabilitySettings};
use crystalgym_potential::{
    Chgnet, InteratomicPotential, Movable, PotentialError, Prediction, RelaxationEnd,
    RelaxationOptions, Request, relax,
};
use numpy::{PyArray1, PyArray2};
use pyo3::{prelude::*, types::PyDict};
use serde_json::json;

use crate::{
    arrays::array2,
    calculator::{Calculator, Origin, parse_relaxation},
    engine::{self, WindUp},
    errors::{Raised, calculator_error, raised},
    python_potential::PythonPotential,
    structure::{Structure, coerce},
};

/// An interatomic potential: energies, forces and stresses without DFT.
///
/// `MlPotential.chgnet()` is the pretrained network CHGNet 0.3.0 of `crystalgym model install chgnet`;
/// `MlPotential.from_ase(calculator)` asks any ASE calculator, such as one of MACE or ORB, and
/// `MlPotential.from_object(object)` any object with a method `evaluate(structure, derivatives)`
/// that returns a mapping with `energy` (eV, of the cell) and, if `derivatives`, `forces`
/// (eV/Å, shape (n, 3)) and `stress` (GPa, shape (3, 3), `dE/dstrain / V`, negative where the
/// crystal wants to expand).
///
/// Examples
/// --------
/// >>> class Nothing:
/// ...     def evaluate(self, structure, derivatives):
/// ...         sites = len(structure.elements)
/// ...         return {"energy": 0.0, "forces": [[0.0] * 3] * sites, "stress": [[0.0] * 3] * 3}
/// >>> crystalgym.MlPotential.from_object(Nothing()).name
/// 'Nothing'
#[pyclass(frozen, module = "crystalgym")]
pub(crate) struct MlPotential {
    inner: Arc<dyn InteratomicPotential>,
    python: Option<Arc<PythonPotential>>,
}

#[pymethods]
impl MlPotential {
    /// CHGNet 0.3.0 as installed for this user.
    ///
    /// Returns
    /// -------
    /// MlPotential
    ///
    /// Raises
    /// ------
    /// PotentialError
    ///     If it is not installed, or its weights are damaged.
    #[staticmethod]
    fn chgnet() -> PyResult<Self> {
        let chgnet = Chgnet::installed().map_err(|error| potential_error(&error))?;
        Ok(Self {
            inner: Arc::new(chgnet),
            python: None,
        })
    }

    /// A potential of one's own.
    ///
    /// Parameters
    /// ----------
    /// object : object with a method `evaluate(structure, derivatives)`
    ///     It raises `CalculationFailed` where it has no answer; every other exception is a bug and
    ///     stops the caller.
    /// name : str, optional
    ///     That of the class by default.
    /// fingerprint : str, optional
    ///     All that its numbers depend on (version, weights). Results are stored only if it is given.
    ///
    /// Returns
    /// -------
    /// MlPotential
    #[staticmethod]
    #[pyo3(signature = (object, *, name = None, fingerprint = None))]
    fn from_object(
        object: &Bound<'_, PyAny>,
        name: Option<String>,
        fingerprint: Option<String>,
    ) -> PyResult<Self> {
        let name = match name {
            Some(name) => name,
            None => object.get_type().name()?.to_string(),
        };
        let python = Arc::new(PythonPotential {
            object: object.clone().unbind(),
            name,
            fingerprint,
            raised: Arc::default(),
        });
        Ok(Self {
            inner: Arc::clone(&python) as Arc<dyn InteratomicPotential>,
            python: Some(python),
        })
    }

    /// The potential behind an ASE calculator that has energies, forces and stresses.
    ///
    /// Parameters
    /// ----------
    /// calculator : ase.calculators.calculator.Calculator
    /// name : str, optional
    ///     That of the class by default.
    /// fingerprint : str, optional
    ///     All that its numbers depend on (version, weights). Results are stored only if it is given.
    ///
    /// Returns
    /// -------
    /// MlPotential
    #[staticmethod]
    #[pyo3(signature = (calculator, *, name = None, fingerprint = None))]
    fn from_ase(
        calculator: &Bound<'_, PyAny>,
        name: Option<String>,
        fingerprint: Option<String>,
    ) -> PyResult<Self> {
        let module = calculator.py().import("crystalgym.ase")?;
        let object = module.getattr("AsePotential")?.call1((calculator,))?;
        let name = match name {
            Some(name) => name,
            None => calculator.get_type().name()?.to_string(),
        };
        Self::from_object(&object, Some(name), fingerprint)
    }

    /// Name with the version.
    #[getter]
    fn name(&self) -> &str {
        self.inner.name()
    }

    /// Energy of a structure, and forces and stress.
    ///
    /// Parameters
    /// ----------
    /// structure : structure-like
    /// derivatives : bool
    ///     Whether forces and stress are computed too.
    ///
    /// Returns
    /// -------
    /// dict
    ///     `energy` (eV), `forces` (eV/Å, shape (n, 3)) and `stress` (GPa, shape (3, 3)) if asked
    ///     for; `site_energies` (eV) and `magnetic_moments` (Bohr magnetons) if known.
    ///
    /// Raises
    /// ------
    /// PotentialError
    ///     For a structure that it does not cover.
    #[pyo3(signature = (structure, *, derivatives = true))]
    fn evaluate<'py>(
        &self,
        structure: &Bound<'py, PyAny>,
        derivatives: bool,
    ) -> PyResult<Bound<'py, PyDict>> {
        let py = structure.py();
        let structure = coerce(structure)?.0;
        let request = match derivatives {
            true => Request::Derivatives,
            false => Request::Energy,
        };
        let found = py.detach(|| self.inner.evaluate(&structure, request));
        self.raise_pending()?;
        as_dictionary(py, &found.map_err(|error| potential_error(&error))?)
    }

    /// The crystal at rest.
    ///
    /// Parameters
    /// ----------
    /// structure : structure-like
    /// move : {'cell', 'positions', 'volume'}
    ///     What moves: atoms and cell, atoms, or the volume alone.
    /// force_tolerance : float
    ///     Largest force on an atom that is none, in eV/Å.
    /// stress_tolerance : float
    ///     Largest stress that is none, in GPa.
    /// max_evaluations : int
    /// keep_symmetry : bool
    ///     Whether the space group is kept.
    ///
    /// Returns
    /// -------
    /// structure : Structure
    /// details : dict
    ///     `converged`, `reason`, `evaluations`, and what `evaluate` says of the structure.
    ///
    /// Raises
    /// ------
    /// PotentialError
    ///     For a start that it does not cover.
    #[pyo3(signature = (
        structure, *, r#move = "cell", force_tolerance = 0.02, stress_tolerance = 0.1,
        max_evaluations = 300, keep_symmetry = true
    ))]
    fn relax<'py>(
        &self,
        structure: &Bound<'py, PyAny>,
        r#move: &str,
        force_tolerance: f64,
        stress_tolerance: f64,
        max_evaluations: usize,
        keep_symmetry: bool,
    ) -> PyResult<(Structure, Bound<'py, PyDict>)> {
        let py = structure.py();
        let start = coerce(structure)?.0;
        let options = RelaxationOptions {
            movable: movable(r#move)?,
            force_tolerance_ev_ang: positive("force_tolerance", force_tolerance)?,
            stress_tolerance_gpa: positive("stress_tolerance", stress_tolerance)?,
            max_evaluations,
            keep_symmetry,
            ..RelaxationOptions::default()
        };
        let inner = Arc::clone(&self.inner);
        let relaxed = match &self.python {
            Some(_) => py.detach(|| relax(inner.as_ref(), &start, &options, |_, _| {})),
            None => engine::enter(py, WindUp::Leave, move |_| {
                relax(inner.as_ref(), &start, &options, |_, _| {})
            })?,
        };
        self.raise_pending()?;
        let relaxed = relaxed.map_err(|error| potential_error(&error))?;
        let details = as_dictionary(py, &relaxed.prediction)?;
        details.set_item("converged", relaxed.is_converged())?;
        details.set_item("evaluations", relaxed.evaluations)?;
        let reason = match &relaxed.end {
            RelaxationEnd::Converged => "converged".to_owned(),
            RelaxationEnd::EvaluationsUsedUp => "evaluations used up".to_owned(),
            RelaxationEnd::Left(error) => error.to_string(),
            _ => "no step lowers the energy".to_owned(),
        };
        details.set_item("reason", reason)?;
        Ok((Structure(relaxed.structure), details))
    }

    /// A calculator on this potential: energy, density, bulk modulus, formation energy, energy above
    /// the hull.
    ///
    /// Parameters
    /// ----------
    /// relaxation : {'none', 'own', 'chgnet'}
    ///     What comes before the calculation of a property.
    /// references : path-like, optional
    ///     What energies above the hull are measured from: a CSV file of energies, or a folder of
    ///     structures.
    ///
    /// Returns
    /// -------
    /// Calculator
    ///
    /// Raises
    /// ------
    /// CalculatorError
    ///     For references that cannot be read.
    #[pyo3(signature = (*, relaxation = "none", references = None))]
    fn calculator(&self, relaxation: &str, references: Option<PathBuf>) -> PyResult<Calculator> {
        let config = CalculatorConfig {
            name: CalculatorName::Chgnet,
            relaxation: parse_relaxation(relaxation)?,
            stability: StabilitySettings {
                references: references.map(|path| path.to_string_lossy().into_owned()),
            },
            ..CalculatorConfig::default()
        };
        let Some(python) = &self.python else {
            let inner = config.build().map_err(|error| calculator_error(&error))?;
            return Ok(Calculator {
                inner,
                origin: Origin::Config(Arc::new(config)),
            });
        };
        let potential = Arc::clone(&self.inner);
        let built = config.build_on_potential(&python.name, potential, LARGEST_ATOMIC_NUMBER);
        // References may have been computed by the user's Python.
        self.raise_pending()?;
        Ok(Calculator {
            inner: built.map_err(|error| calculator_error(&error))?,
            origin: Origin::Potential(Arc::clone(python)),
        })
    }

    fn __repr__(&self) -> String {
        format!("MlPotential({:?})", self.inner.name())
    }
}

/// What a potential of the user's own may know.
const LARGEST_ATOMIC_NUMBER: u8 = 118;

impl MlPotential {
    fn raise_pending(&self) -> PyResult<()> {
        let raised = self.python.as_ref().and_then(|python| python.raised.take());
        raised.map_or(Ok(()), Err)
    }
}

fn as_dictionary<'py>(py: Python<'py>, found: &Prediction) -> PyResult<Bound<'py, PyDict>> {
    let dictionary = PyDict::new(py);
    dictionary.set_item("energy", found.energy_ev)?;
    if !found.forces_ev_ang.is_empty() {
        dictionary.set_item("forces", array2(py, &found.forces_ev_ang)?)?;
        let stress: Bound<'_, PyArray2<f64>> = array2(py, &found.stress_gpa)?;
        dictionary.set_item("stress", stress)?;
    }
    for (key, values) in [
        ("site_energies", &found.site_energies_ev),
        ("magnetic_moments", &found.magnetic_moments),
    ] {
        if let Some(values) = values {
            dictionary.set_item(key, PyArray1::from_slice(py, values))?;
        }
    }
    Ok(dictionary)
}

fn movable(name: &str) -> PyResult<Movable> {
    match name {
        "cell" => Ok(Movable::PositionsAndCell),
        "positions" => Ok(Movable::Positions),
        "volume" => Ok(Movable::Volume),
        _ => Err(wrong_setting(
            "move",
            name,
            "'cell', 'positions' or 'volume'",
        )),
    }
}

fn positive(name: &str, value: f64) -> PyResult<f64> {
    match value.is_finite() && value > 0.0 {
        true => Ok(value),
        false => Err(wrong_setting(name, value, "a positive number")),
    }
}

fn wrong_setting(name: &str, found: impl std::fmt::Display, expected: &str) -> PyErr {
    raised(&Raised {
        class: "PotentialError",
        code: "invalid_setting",
        message: format!("{name} is {found}, expected {expected}"),
        values: json!({ "field": name, "found": found.to_string(), "expected": expected }),
    })
}

fn potential_error(error: &PotentialError) -> PyErr {
    let (code, values) = match error {
        PotentialError::UnknownElement { element, site, .. } => (
            "unknown_element",
            json!({ "symbol": element.symbol(), "site": site }),
        ),
        PotentialError::IsolatedAtom { element, site, .. } => (
            "isolated_atom",
            json!({ "symbol": element.symbol(), "site": site }),
        ),
        PotentialError::TooLarge { limit, .. } => ("too_large", json!({ "limit": limit })),
        PotentialError::Failed { potential, .. } => ("failed", json!({ "potential": potential })),
        PotentialError::Weights { source_name, .. } => ("weights", json!({ "path": source_name })),
        PotentialError::NotInstalled { name, folder } => {
            ("not_installed", json!({ "name": name, "path": folder }))
        }
        _ => ("other", json!({})),
    };
    raised(&Raised {
        class: "PotentialError",
        code,
        message: error.to_string(),
        values,
    })
}
