//! Calculators by name, by settings, or a function of the user.

use std::{path::PathBuf, sync::Arc, thread};

use crystalgym_crystal::{Element, Skeleton};
use crystalgym_environment::Terms;
use crystalgym_evaluation::{
    Accuracy, Calculator as Inner, CalculatorConfig, CalculatorError, CalculatorName, CancelToken,
    Decides, Property, Relaxation, Term, TermsCalculator, UnknownProperty,
};
use pyo3::{exceptions::PyTypeError, prelude::*, types::PyDict};
use serde_json::{Map, Value, json};

use crate::{
    engine::WindUp,
    errors::{Raised, calculator_error, raised, to_python, unknown_property},
    json::from_python,
    python_calculator::PythonCalculator,
    python_potential::PythonPotential,
    structure::parse_elements,
};

/// What turns a crystal and a property into a number.
///
/// Parameters
/// ----------
/// name : str
///     `native` (the plane-wave engine), `qe` (pw.x), `table` (outcomes of an exhaustive table,
///     `Calculator("table", file=...)`), `rigid` (mass over volume, no DFT) or `empirical`
///     (textbook formulas, no DFT), or `chgnet` (the pretrained potential, no DFT).
/// pseudopotentials : str, optional
///     A folder, or the name of an installed family.
/// relaxation : {'none', 'own', 'chgnet'}, optional
///     What comes before the calculation of a property: nothing, or cell and positions come to rest
///     by the calculator's own forces and stress, or by CHGNet's.
/// references : path-like, optional
///     What energies above the hull are measured from: a CSV file of energies, for `chgnet` also a
///     folder of structures.
/// for_property : dict, optional
///     Other calculators for some properties, as tables of a configuration file:
///     ``{"energy_above_hull": {"name": "chgnet", "stability": {"references": "hull.csv"}}}``.
///     Environments ask these; :func:`evaluate` asks the calculator itself.
/// **settings
///     The calculator's own table, as in a configuration file: `Calculator("qe",
///     time_limit_seconds=600, pw={"ecutwfc_ry": 30})`.
///
/// Raises
/// ------
/// CalculatorError
///     If it cannot work as configured.
#[pyclass(frozen, module = "crystalgym")]
#[derive(Clone)]
pub(crate) struct Calculator {
    pub(crate) inner: Arc<dyn Inner>,
    pub(crate) origin: Origin,
}

#[derive(Clone)]
pub(crate) enum Origin {
    /// A built-in calculator and its configuration.
    Config(Arc<CalculatorConfig>),
    /// The user's own.
    Python(Arc<PythonCalculator>),
    /// On a potential of the user's own.
    Potential(Arc<PythonPotential>),
}

impl Calculator {
    fn from_json(config: Value) -> PyResult<Self> {
        let config: CalculatorConfig =
            serde_path_to_error::deserialize(config).map_err(|error| {
                let field = error.path().to_string();
                let message = format!("calculator: field '{field}': {}", error.inner());
                invalid_settings(message, &field)
            })?;
        let inner = config.build().map_err(|error| calculator_error(&error))?;
        Ok(Self {
            inner,
            origin: Origin::Config(Arc::new(config)),
        })
    }

    /// Whether it is the user's Python and therefore runs on the caller's thread.
    pub(crate) fn is_python(&self) -> bool {
        !matches!(self.origin, Origin::Config(_))
    }

    /// How a cancelled calculation is ended.
    pub(crate) fn wind_up(&self) -> WindUp {
        match self.name() {
            Some(CalculatorName::Native) => WindUp::Leave,
            _ => WindUp::Wait,
        }
    }

    /// A token for an evaluation on the caller's thread.
    pub(crate) fn token_in_place(&self) -> CancelToken {
        match &self.origin {
            Origin::Config(_) => CancelToken::default(),
            Origin::Python(python) => python.raised.interruptible(),
            Origin::Potential(python) => python.raised.interruptible(),
        }
    }

    /// How many calculations run at the same time for that many environments.
    pub(crate) fn default_workers(&self, environments: usize) -> usize {
        match self.name() {
            Some(CalculatorName::Native) => thread::available_parallelism()
                .map_or(1, usize::from)
                .min(environments),
            // pw.x has processes of its own.
            _ => 1,
        }
    }

    fn name(&self) -> Option<CalculatorName> {
        match &self.origin {
            Origin::Config(config) => Some(config.name),
            Origin::Python(_) | Origin::Potential(_) => None,
        }
    }

    /// Whether its results may be stored.
    pub(crate) fn is_storable(&self) -> bool {
        match &self.origin {
            Origin::Config(_) => !self.inner.is_instant(),
            Origin::Python(python) => python.fingerprint.is_some(),
            Origin::Potential(python) => python.fingerprint.is_some(),
        }
    }

    pub(crate) fn check_elements(
        &self,
        py: Python<'_>,
        elements: &[Element],
        property: Property,
    ) -> PyResult<()> {
        py.detach(|| self.inner.check(elements, property))
            .map_err(|error| calculator_error(&error))
    }

    /// What computes a property, which may be a calculator of its own.
    pub(crate) fn for_property(&self, property: Property) -> PyResult<Self> {
        match &self.origin {
            Origin::Config(config) if config.for_property.contains_key(&property) => {
                let inner = config.build_for(property);
                Ok(Self {
                    inner: inner.map_err(|error| calculator_error(&error))?,
                    origin: Origin::Config(Arc::new(config.of(property).clone())),
                })
            }
            _ => Ok(self.clone()),
        }
    }

    /// What computes the properties of an objective of several terms, each by its own calculator.
    pub(crate) fn for_terms(&self, terms: &Arc<Terms>) -> PyResult<Self> {
        let known = Arc::clone(terms);
        let decides: Box<Decides> = Box::new(move |values| known.is_decided(values));
        let properties = terms.properties();
        let inner = match &self.origin {
            Origin::Config(config) if !config.for_property.is_empty() => {
                config.build_terms(&properties, Some(decides))
            }
            _ => of_one_calculator(&properties, &self.inner, decides),
        };
        Ok(Self {
            inner: inner.map_err(|error| calculator_error(&error))?,
            origin: self.origin.clone(),
        })
    }

    /// Looks whether it has an outcome for every filling of a skeleton.
    pub(crate) fn check_skeleton(&self, skeleton: &Skeleton) -> PyResult<()> {
        (self.inner.check_skeleton(skeleton)).map_err(|error| calculator_error(&error))
    }

    /// Raises what the user's Python raised.
    pub(crate) fn raise_pending(&self) -> PyResult<()> {
        match &self.origin {
            Origin::Python(python) => python.raised.take().map_or(Ok(()), Err),
            Origin::Potential(python) => python.raised.take().map_or(Ok(()), Err),
            Origin::Config(_) => Ok(()),
        }
    }
}

#[pymethods]
impl Calculator {
    #[new]
    #[pyo3(signature = (
        name, *, pseudopotentials = None, relaxation = None, references = None, for_property = None,
        **settings
    ))]
    fn new(
        name: &str,
        pseudopotentials: Option<String>,
        relaxation: Option<&str>,
        references: Option<PathBuf>,
        for_property: Option<&Bound<'_, PyDict>>,
        settings: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<Self> {
        let mut config = Map::from_iter([("name".to_owned(), json!(name))]);
        if let Some(others) = for_property {
            let others = from_python(others.as_any()).map_err(|error| {
                let field = format!("for_property.{}", error.field);
                invalid_settings(format!("calculator {name}: {}", error.message), &field)
            })?;
            config.insert("for_property".to_owned(), others);
        }
        if let Some(family) = pseudopotentials {
            config.insert("pseudopotentials".to_owned(), json!(family));
        }
        if let Some(relaxation) = relaxation {
            let relaxation = parse_relaxation(relaxation)?;
            config.insert("relaxation".to_owned(), json!(relaxation));
        }
        if let Some(references) = references {
            config.insert("stability".to_owned(), json!({ "references": references }));
        }
        if let Some(settings) = settings.filter(|settings| !settings.is_empty()) {
            if matches!(name, "rigid" | "empirical" | "chgnet") {
                return Err(invalid_settings(
                    format!("the calculator {name} has no settings"),
                    &settings.keys().to_string(),
                ));
            }
            let settings = from_python(settings.as_any()).map_err(|error| {
                invalid_settings(
                    format!("calculator {name}: {}", error.message),
                    &error.field,
                )
            })?;
            config.insert(name.to_owned(), settings);
        }
        Self::from_json(Value::Object(config))
    }

    /// A calculator as a configuration file describes it.
    ///
    /// Parameters
    /// ----------
    /// config : dict
    ///     The members of the table `[calculator]`.
    ///
    /// Returns
    /// -------
    /// Calculator
    ///
    /// Raises
    /// ------
    /// CalculatorError
    ///     That names the member and its value.
    #[staticmethod]
    fn from_config(config: &Bound<'_, PyDict>) -> PyResult<Self> {
        let config = from_python(config.as_any()).map_err(|error| {
            invalid_settings(format!("calculator: {}", error.message), &error.field)
        })?;
        Self::from_json(config)
    }

    /// A calculator of one's own.
    ///
    /// Parameters
    /// ----------
    /// function : callable, or object with a method `evaluate`
    ///     Called with a `Structure` and the name of the property; returns a number in the
    ///     property's unit, or a dictionary with `value` and, if known, `total_energy_ev`,
    ///     `homo_ev`, `lumo_ev`, `fermi_ev`, `pressure_gpa`. It raises `CalculationFailed` where a
    ///     calculation fails; every other exception is a bug and stops the caller.
    /// name : str, optional
    ///     That of the function or class by default.
    /// fingerprint : str, optional
    ///     All that results depend on (version, settings). Results are stored only if it is given.
    ///
    /// Returns
    /// -------
    /// Calculator
    #[staticmethod]
    #[pyo3(signature = (function, *, name = None, fingerprint = None))]
    fn from_function(
        function: &Bound<'_, PyAny>,
        name: Option<String>,
        fingerprint: Option<String>,
    ) -> PyResult<Self> {
        if !function.is_callable() && !function.hasattr("evaluate")? {
            return Err(PyTypeError::new_err(format!(
                "{} is no calculator: expected a name, a Calculator, a callable or an object with \
                 a method 'evaluate'",
                function.get_type()
            )));
        }
        let name = match name {
            Some(name) => name,
            None => match function.getattr("__name__") {
                Ok(name) => name.extract()?,
                Err(_) => function.get_type().name()?.to_string(),
            },
        };
        let python = Arc::new(PythonCalculator::new(
            function.clone().unbind(),
            name,
            fingerprint,
        ));
        Ok(Self {
            inner: Arc::clone(&python) as Arc<dyn Inner>,
            origin: Origin::Python(python),
        })
    }

    /// Its name, such as `qe`.
    #[getter(name)]
    fn inner_name(&self) -> &str {
        self.inner.name()
    }

    /// Whether an evaluation takes microseconds.
    #[getter]
    fn is_instant(&self) -> bool {
        self.inner.is_instant()
    }

    /// All settings, as in a configuration file; `None` for a calculator of one's own.
    #[getter]
    fn config<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        match &self.origin {
            Origin::Config(config) => to_python(py, &json!(config.as_ref())).map(Some),
            Origin::Python(_) | Origin::Potential(_) => Ok(None),
        }
    }

    /// Looks whether it can work, before anything runs.
    ///
    /// Parameters
    /// ----------
    /// elements : list of str
    /// property : str
    ///
    /// Raises
    /// ------
    /// CalculatorError
    ///     That names what is missing or wrong.
    fn check(&self, py: Python<'_>, elements: Vec<String>, property: &str) -> PyResult<()> {
        let elements = parse_elements(&elements)?;
        self.check_elements(py, &elements, parse_property(property)?)
    }

    fn __repr__(&self) -> String {
        format!("Calculator({:?})", self.inner.name())
    }

    fn __reduce__<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        let py = slf.py();
        match &slf.get().origin {
            Origin::Config(config) => {
                let make = slf.get_type().getattr("from_config")?;
                let config = to_python(py, &json!(config.as_ref()))?;
                (make, (config,)).into_pyobject(py).map(Bound::into_any)
            }
            Origin::Python(python) => {
                let make = py
                    .import("crystalgym._interoperation")?
                    .getattr("calculator_of")?;
                let arguments = (&python.object, &python.name, &python.fingerprint);
                (make, arguments).into_pyobject(py).map(Bound::into_any)
            }
            Origin::Potential(python) => Err(PyTypeError::new_err(format!(
                "a calculator on the potential {} of one's own cannot be pickled: make it where it \
                 is used",
                python.name
            ))),
        }
    }
}

/// All properties by the same calculator.
fn of_one_calculator(
    properties: &[Property],
    calculator: &Arc<dyn Inner>,
    decides: Box<Decides>,
) -> Result<Arc<dyn Inner>, CalculatorError> {
    let terms = properties.iter().map(|&property| Term {
        property,
        calculator: Arc::clone(calculator),
    });
    match TermsCalculator::new(terms.collect(), Some(decides)) {
        Some(calculator) => Ok(Arc::new(calculator)),
        None => Err(CalculatorError {
            calculator: calculator.name().to_owned(),
            message: "there is no property to compute".to_owned(),
        }),
    }
}

/// What comes before a calculation, by name.
pub(crate) fn parse_relaxation(name: &str) -> PyResult<Relaxation> {
    serde_json::from_value(json!(name)).map_err(|_| {
        let message = format!("relaxation is '{name}', expected none, own or chgnet");
        invalid_settings(message, "relaxation")
    })
}

/// A calculator, or what can be made into one: a name, a configuration, a callable.
pub(crate) fn coerce(object: &Bound<'_, PyAny>) -> PyResult<Calculator> {
    if let Ok(calculator) = object.cast::<Calculator>() {
        return Ok(calculator.get().clone());
    }
    if let Ok(name) = object.extract::<String>() {
        return Calculator::from_json(json!({ "name": name }));
    }
    if let Ok(config) = object.cast::<PyDict>() {
        return Calculator::from_config(config);
    }
    Calculator::from_function(object, None, None)
}

/// The calculator of a single crystal: what nobody has said of `native` is `balanced`, and takes all
/// cores. A `Calculator` is what it is.
pub(crate) fn for_one_crystal(
    object: Option<&Bound<'_, PyAny>>,
    accuracy: Option<&str>,
) -> PyResult<Calculator> {
    let refuse = |what: &str| {
        let message = format!("accuracy is a setting of native, expected none for {what}");
        Err(invalid_settings(message, "accuracy"))
    };
    let native = CalculatorName::Native.name();
    let mut config = match object {
        None => json!({ "name": native }),
        Some(object) => {
            if let Ok(name) = object.extract::<String>() {
                json!({ "name": name })
            } else if let Ok(config) = object.cast::<PyDict>() {
                from_python(config.as_any()).map_err(|error| {
                    invalid_settings(format!("calculator: {}", error.message), &error.field)
                })?
            } else if accuracy.is_some() {
                return refuse("a calculator that is made already");
            } else {
                return coerce(object);
            }
        }
    };
    let name = config.get("name").and_then(Value::as_str);
    if let Some(name) = name.filter(|name| *name != native) {
        if accuracy.is_some() {
            return refuse(name);
        }
        return Calculator::from_json(config);
    }
    if let Some(table) = config.as_object_mut()
        && let Some(native) = (table.entry(native))
            .or_insert_with(|| json!({}))
            .as_object_mut()
    {
        match accuracy {
            Some(accuracy) => {
                native.insert("accuracy".to_owned(), json!(accuracy));
            }
            None => {
                let balanced = || json!(Accuracy::Balanced);
                native.entry("accuracy").or_insert_with(balanced);
            }
        }
        let cores = || json!(thread::available_parallelism().map_or(1, usize::from));
        native.entry("threads").or_insert_with(cores);
    }
    Calculator::from_json(config)
}

fn invalid_settings(message: String, field: &str) -> PyErr {
    raised(&Raised {
        class: "CalculatorError",
        code: "invalid_settings",
        message,
        values: json!({ "field": field }),
    })
}

pub(crate) fn parse_property(name: &str) -> PyResult<Property> {
    name.parse()
        .map_err(|error: UnknownProperty| unknown_property(&error))
}
