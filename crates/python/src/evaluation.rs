//! Evaluations: what a calculator said of a crystal.

use std::{sync::Arc, time::Duration};

use crystalgym_crystal::{Crystal as InnerCrystal, SYMMETRY_TOLERANCE_ANG, Skeleton};
use crystalgym_evaluation::{
    Evaluation as Inner, EvaluationPool, FailureCode, Outcome, Property, ResultStore, Warning,
    evaluate as evaluate_crystal,
};
use pyo3::{
    prelude::*,
    types::{PyDict, PyList, PyTuple},
};
use serde_json::json;

use crate::{
    calculator::{self, Calculator, parse_property},
    engine::{self, WindUp},
    errors::{Raised, raised, structure_error, to_python},
    html,
    skeleton::{Crystal, own_label},
    store::StoreChoice,
    structure::{Structure, coerce},
};

/// How often a wait for many results looks whether it was given up.
const LOOK_AT_CANCEL: Duration = Duration::from_millis(100);

/// What came of an evaluation: a value, or a failure with a stable code.
///
/// A calculation that fails is a result, not an exception; `raise_for_failure` makes it one.
#[pyclass(frozen, module = "crystalgym")]
#[derive(Clone)]
pub(crate) struct Evaluation {
    pub(crate) inner: Inner,
    pub(crate) crystal: InnerCrystal,
    pub(crate) property: Property,
    pub(crate) calculator: String,
}

#[pymethods]
impl Evaluation {
    /// The property in its unit, `None` after a failure.
    #[getter]
    pub(crate) fn value(&self) -> Option<f64> {
        self.inner.outcome.value()
    }

    /// Code of the failure, such as `scf_not_converged`; `None` after a success.
    #[getter]
    pub(crate) fn failure(&self) -> Option<&'static str> {
        self.inner
            .outcome
            .failure()
            .map(|failure| failure.code.name())
    }

    /// What happened, for a person; empty after a success.
    #[getter]
    fn message(&self) -> &str {
        self.inner
            .outcome
            .failure()
            .map_or("", |failure| failure.message.as_str())
    }

    /// What came of each property of an objective of several, in the order of computation: its
    /// `property`, `calculator`, `value` and `failure`. What was not computed is missing; empty for one
    /// property.
    #[getter]
    fn terms<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        let terms = self.inner.outcome.terms().iter().map(|term| {
            let said = PyDict::new(py);
            said.set_item("property", term.property.name())?;
            said.set_item("calculator", &term.calculator)?;
            said.set_item("value", term.value)?;
            said.set_item("failure", term.failure.map(FailureCode::name))?;
            Ok(said)
        });
        PyList::new(py, terms.collect::<PyResult<Vec<_>>>()?)
    }

    /// `computed`, `store` or `coalesced`.
    #[getter]
    fn source(&self) -> &'static str {
        self.inner.source.name()
    }

    /// Name of the property.
    #[getter]
    fn property_name(&self) -> &'static str {
        self.property.name()
    }

    /// Unit of the value.
    #[getter]
    fn unit(&self) -> &'static str {
        self.property.unit()
    }

    /// Name of the calculator.
    #[getter]
    fn calculator(&self) -> &str {
        &self.calculator
    }

    /// The crystal in site order.
    #[getter]
    fn crystal(&self) -> Crystal {
        Crystal(self.crystal.clone())
    }

    /// The crystal as a structure.
    #[getter]
    fn structure(&self) -> Structure {
        Structure(self.crystal.structure())
    }

    /// Wall time of the calculation in seconds (of the original one for a result from the store).
    #[getter]
    fn seconds(&self) -> f64 {
        self.inner.outcome.seconds()
    }

    /// Why the store could not be used, if so; the result holds all the same.
    #[getter]
    fn store_error(&self) -> Option<&str> {
        self.inner.store_error.as_deref()
    }

    /// What is to be said against the value, as `ResultWarning`.
    #[getter]
    fn warnings<'py>(&self, py: Python<'py>) -> PyResult<Vec<Bound<'py, PyAny>>> {
        match &self.inner.outcome {
            Outcome::Success(values) => result_warnings(py, &values.warnings),
            Outcome::Failure(_) => Ok(Vec::new()),
        }
    }

    /// What it was computed with: `pseudopotentials`, `accuracy`, `ecutwfc_ry`, `ecutrho_ry`, `kppa`,
    /// `k_mesh`, the cutoffs that the elements need and the `stated_error`; `None` after a failure and
    /// for a calculator without such settings.
    #[getter]
    fn settings<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        let Outcome::Success(values) = &self.inner.outcome else {
            return Ok(None);
        };
        let settings = values.settings.as_ref();
        settings
            .map(|settings| to_python(py, &json!(settings)))
            .transpose()
    }

    /// Everything that is known: energies and levels in eV, pressure in GPa, the fit and more.
    #[getter]
    fn details<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        to_python(py, &json!(self.inner.outcome))
    }

    /// Does nothing after a success.
    ///
    /// Raises
    /// ------
    /// CalculationFailed
    ///     After a failure, with its code.
    fn raise_for_failure(&self) -> PyResult<()> {
        let Outcome::Failure(failure) = &self.inner.outcome else {
            return Ok(());
        };
        Err(raised(&Raised {
            class: "CalculationFailed",
            code: failure.code.name(),
            message: failure.message.clone(),
            values: json!(failure),
        }))
    }

    fn __repr__(&self) -> String {
        let (property, unit) = (self.property.name(), self.property.unit());
        let formula = self.crystal.formula();
        match &self.inner.outcome {
            Outcome::Success(values) => {
                format!(
                    "Evaluation({formula}: {property} = {} {unit})",
                    values.value
                )
            }
            Outcome::Failure(failure) => {
                format!("Evaluation({formula}: {property} failed, {})", failure.code)
            }
        }
    }

    fn _repr_html_(slf: &Bound<'_, Self>) -> PyResult<String> {
        html::of(slf.as_any(), "of_evaluation")
    }

    fn __reduce__<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        let this = slf.get();
        let make = slf.get_type().getattr("_restore")?;
        let state = json!({
            "outcome": this.inner.outcome,
            "source": this.inner.source,
            "store_error": this.inner.store_error,
        })
        .to_string();
        let crystal = Crystal(this.crystal.clone());
        let arguments = (crystal, this.property.name(), &this.calculator, state);
        (make, arguments)
            .into_pyobject(slf.py())
            .map(Bound::into_any)
    }

    #[staticmethod]
    fn _restore(
        crystal: &Crystal,
        property: &str,
        calculator: String,
        state: &str,
    ) -> PyResult<Self> {
        #[derive(serde::Deserialize)]
        struct State {
            outcome: Outcome,
            source: crystalgym_evaluation::Source,
            store_error: Option<String>,
        }
        let state: State = serde_json::from_str(state)
            .map_err(|error| pyo3::exceptions::PyValueError::new_err(error.to_string()))?;
        Ok(Self {
            inner: Inner {
                outcome: state.outcome,
                source: state.source,
                store_error: state.store_error,
            },
            crystal: crystal.0.clone(),
            property: parse_property(property)?,
            calculator,
        })
    }
}

/// Computes a property of a structure.
///
/// Any crystal will do. Its cell is Niggli-reduced and its sites are moved by at most 0.01 Å to where
/// they are exactly symmetric, so that a crystal is one result however it is written down. The
/// interpreter lock is released; Ctrl-C stops the calculation and the programs that it started within
/// about a second.
///
/// Parameters
/// ----------
/// structure : structure-like, or a list or tuple of them
///     A `Structure` or `Crystal`, pymatgen `Structure`, ASE `Atoms`, or the path of a CIF, POSCAR,
///     extxyz or JSON file.
/// property : str
///     `band_gap` (eV), `bulk_modulus` (GPa), `density` (g/cm³) or `shear_modulus` (GPa).
/// calculator : str, dict, Calculator or callable, optional
///     The plane-wave engine (`"native"`) unless another is named. A `Calculator` keeps its own
///     accuracy, which is `fast` unless it was made with another.
/// accuracy : {"fast", "balanced", "converged"}, optional
///     Cutoffs, mesh and stress of the engine, each unless it is set by itself; `balanced` by default,
///     the cheapest settings whose measured error is below 0.05 eV, 1 % of a density and 5 % of a
///     modulus.
/// store : ResultStore, str or None
///     Where results are looked up and kept: a store, its file, `"default"` for the user's own,
///     `None` for none. Instant calculators and functions without a fingerprint use none.
///
/// Returns
/// -------
/// Evaluation, or list of Evaluation
///     One for each structure, in their order.
///
/// Raises
/// ------
/// StructureError, CalculatorError, StoreError
///
/// Warns
/// -----
/// ResultWarning
///     For each of the `warnings` of the evaluation.
/// StoreWarning
///     If the store could not take or give the result, which holds all the same.
#[pyfunction]
#[pyo3(signature = (
    structure, property, *, calculator = None, accuracy = None, store = StoreChoice::Default
))]
pub(crate) fn evaluate<'py>(
    structure: &Bound<'py, PyAny>,
    property: &str,
    calculator: Option<&Bound<'py, PyAny>>,
    accuracy: Option<&str>,
    store: StoreChoice,
) -> PyResult<Bound<'py, PyAny>> {
    let py = structure.py();
    let property = parse_property(property)?;
    let calculator = calculator::for_one_crystal(calculator, accuracy)?;
    let store = store.open_for(&calculator)?;
    if !(structure.is_instance_of::<PyList>() || structure.is_instance_of::<PyTuple>()) {
        let evaluation = evaluate_one(structure, property, &calculator, store)?;
        return evaluation.into_pyobject(py).map(Bound::into_any);
    }
    let structures: Vec<Bound<'_, PyAny>> = structure.try_iter()?.collect::<PyResult<_>>()?;
    // What is no structure is said before anything is computed.
    let crystals = structures.iter().map(as_crystal);
    let crystals: Vec<InnerCrystal> = crystals.collect::<PyResult<_>>()?;
    let has_queue = store.as_ref().is_some_and(|store| store.has_queue());
    if let Some(store) = store.as_ref()
        && has_queue
        && calculator.inner.travelling_settings().is_some()
    {
        for crystal in &crystals {
            calculator.check_elements(py, crystal.elements(), property)?;
            calculator.check_skeleton(crystal.skeleton())?;
        }
        let inner = run_in_queue(
            py,
            &calculator,
            Arc::clone(store),
            crystals.clone(),
            property,
        )?;
        let evaluations = crystals.into_iter().zip(inner);
        let evaluations: Vec<Evaluation> = evaluations
            .map(|(crystal, inner)| evaluated(py, crystal, inner, property, &calculator))
            .collect::<PyResult<_>>()?;
        return evaluations.into_pyobject(py).map(Bound::into_any);
    }
    let evaluations = crystals
        .into_iter()
        .map(|crystal| evaluate_crystal_of(py, crystal, property, &calculator, store.clone()));
    let evaluations: Vec<Evaluation> = evaluations.collect::<PyResult<_>>()?;
    evaluations.into_pyobject(py).map(Bound::into_any)
}

fn evaluate_one(
    structure: &Bound<'_, PyAny>,
    property: Property,
    calculator: &Calculator,
    store: Option<Arc<ResultStore>>,
) -> PyResult<Evaluation> {
    let crystal = as_crystal(structure)?;
    evaluate_crystal_of(structure.py(), crystal, property, calculator, store)
}

/// A crystal, or a structure of the user's own as one.
fn as_crystal(structure: &Bound<'_, PyAny>) -> PyResult<InnerCrystal> {
    if let Ok(crystal) = structure.cast::<Crystal>() {
        return Ok(crystal.get().0.clone());
    }
    let label = own_label(structure)?;
    let py = structure.py();
    let structure = coerce(structure)?.0;
    engine::enter(py, WindUp::Leave, move |_| {
        let skeleton = Skeleton::from_structure(&label, &structure, SYMMETRY_TOLERANCE_ANG)?;
        InnerCrystal::new(Arc::new(skeleton), structure.elements)
    })?
    .map_err(|error| structure_error(&error))
}

fn evaluate_crystal_of(
    py: Python<'_>,
    crystal: InnerCrystal,
    property: Property,
    calculator: &Calculator,
    store: Option<Arc<ResultStore>>,
) -> PyResult<Evaluation> {
    calculator.check_elements(py, crystal.elements(), property)?;
    calculator.check_skeleton(crystal.skeleton())?;
    let inner = run(py, calculator, store, &crystal, property)?;
    evaluated(py, crystal, inner, property, calculator)
}

/// What was evaluated, after its warnings.
fn evaluated(
    py: Python<'_>,
    crystal: InnerCrystal,
    inner: Inner,
    property: Property,
    calculator: &Calculator,
) -> PyResult<Evaluation> {
    if let Some(error) = &inner.store_error {
        warn_of_store(py, error)?;
    }
    if let Outcome::Success(values) = &inner.outcome {
        warn(py, &values.warnings)?;
    }
    Ok(Evaluation {
        inner,
        crystal,
        property,
        calculator: calculator.inner.name().to_owned(),
    })
}

/// Warnings as `crystalgym.ResultWarning`.
pub(crate) fn result_warnings<'py>(
    py: Python<'py>,
    warnings: &[Warning],
) -> PyResult<Vec<Bound<'py, PyAny>>> {
    let class = py.import("crystalgym.errors")?.getattr("ResultWarning")?;
    let make = |warning: &Warning| {
        let code = PyDict::new(py);
        code.set_item("code", warning.code.name())?;
        class.call((&warning.message,), Some(&code))
    };
    warnings.iter().map(make).collect()
}

/// Says warnings as Python does.
pub(crate) fn warn(py: Python<'_>, warnings: &[Warning]) -> PyResult<()> {
    let module = py.import("warnings")?;
    for warning in result_warnings(py, warnings)? {
        module.call_method1("warn", (warning,))?;
    }
    Ok(())
}

/// A store that fails costs the sharing, not the result: `crystalgym.StoreWarning`.
fn warn_of_store(py: Python<'_>, error: &str) -> PyResult<()> {
    let category = py.import("crystalgym.errors")?.getattr("StoreWarning")?;
    let message = format!("a result could not be shared: {error}");
    py.import("warnings")?
        .call_method1("warn", (message, category))
        .map(drop)
}

/// All at once: the workers of the store's queue take them side by side.
fn run_in_queue(
    py: Python<'_>,
    calculator: &Calculator,
    store: Arc<ResultStore>,
    crystals: Vec<InnerCrystal>,
    property: Property,
) -> PyResult<Vec<Inner>> {
    let inner = Arc::clone(&calculator.inner);
    engine::enter(py, calculator.wind_up(), move |cancel| {
        let pool = EvaluationPool::new(inner, Some(store), 1, usize::MAX);
        let tickets: Vec<_> = crystals.iter().map(|c| pool.submit(c, property)).collect();
        let answer = |ticket| {
            loop {
                if let Some(evaluation) = pool.wait(ticket, Some(LOOK_AT_CANCEL)) {
                    return evaluation;
                }
                // One that is given up is answered at once.
                if cancel.is_cancelled() {
                    pool.cancel(ticket);
                }
            }
        };
        tickets.into_iter().map(answer).collect()
    })
}

/// Evaluates on another thread if it can take long, here if it is instant or the user's Python.
fn run(
    py: Python<'_>,
    calculator: &Calculator,
    store: Option<Arc<ResultStore>>,
    crystal: &InnerCrystal,
    property: Property,
) -> PyResult<Inner> {
    let inner = if calculator.is_python() || calculator.inner.is_instant() {
        let cancel = calculator.token_in_place();
        let calculator = calculator.inner.as_ref();
        let store = store.as_deref();
        // Whoever has the claim may need the interpreter lock to finish.
        py.detach(|| evaluate_crystal(calculator, store, crystal, property, &cancel))
    } else {
        let wind_up = calculator.wind_up();
        let calculator = Arc::clone(&calculator.inner);
        let crystal = crystal.clone();
        engine::enter(py, wind_up, move |cancel| {
            evaluate_crystal(
                calculator.as_ref(),
                store.as_deref(),
                &crystal,
                property,
                cancel,
            )
        })?
    };
    calculator.raise_pending()?;
    Ok(inner)
}
