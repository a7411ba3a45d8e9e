//! Searches over the elements of chosen sites of one structure.

use std::{path::PathBuf, sync::Arc};

use crystalgym_crystal::Skeleton as InnerSkeleton;
use crystalgym_evaluation::{CancelToken, Property, ResultStore};
use crystalgym_search::{
    Finding as InnerFinding, Goal, SearchError, SearchOptions, SearchProblem,
    SearchResult as Inner, SiteChoice, confirm, search as run_search, smaller_cell, write_findings,
};
use pyo3::{
    exceptions::PyValueError,
    prelude::*,
    types::{PyDict, PyString},
};
use serde_json::json;

use crate::{
    calculator::{self, Calculator, parse_property},
    engine,
    errors::{Raised, raised, structure_error},
    evaluation::{Evaluation, result_warnings},
    html,
    skeleton::{Crystal, Skeleton},
    store::StoreChoice,
    structure::parse_elements,
    table::Table,
};

/// A filling that a search looked at, and what came of it.
#[pyclass(frozen, module = "crystalgym")]
#[derive(Clone)]
pub(crate) struct Finding {
    inner: InnerFinding,
    goal: Goal,
    calculator: String,
}

#[pymethods]
impl Finding {
    /// The crystal in the cell in which it was computed.
    #[getter]
    fn crystal(&self) -> Crystal {
        Crystal(self.inner.crystal.clone())
    }

    /// Formula as chemists write it, in lowest terms.
    #[getter]
    fn formula(&self) -> String {
        self.inner.crystal.formula()
    }

    /// The property in its unit, of the confirmation if there is one; `None` after a failure.
    #[getter]
    fn value(&self) -> Option<f64> {
        self.inner.value()
    }

    /// How far the value is from what is wanted, in the property's unit; 0 within a range.
    #[getter]
    fn distance(&self) -> Option<f64> {
        self.value().map(|value| self.goal.distance(value))
    }

    /// Volume of the cell over that of the given one.
    #[getter]
    fn volume_ratio(&self) -> f64 {
        self.inner.volume_ratio
    }

    /// Code of the failure; `None` after a success.
    #[getter]
    fn failure(&self) -> Option<&'static str> {
        let failure = self.inner.latest().outcome.failure();
        failure.map(|failure| failure.code.name())
    }

    /// What is to be said against the value.
    #[getter]
    fn warnings<'py>(&self, py: Python<'py>) -> PyResult<Vec<Bound<'py, PyAny>>> {
        result_warnings(py, self.inner.warnings())
    }

    /// All that is known of the calculation: of the confirmation, if there is one.
    #[getter]
    fn evaluation(&self) -> Evaluation {
        Evaluation {
            inner: self.inner.latest().clone(),
            crystal: self.inner.crystal.clone(),
            property: self.goal.property,
            calculator: self.calculator.clone(),
        }
    }

    /// Whether it was computed again at the accuracy `converged`.
    #[getter]
    fn is_confirmed(&self) -> bool {
        self.inner.confirmed.is_some()
    }

    fn __repr__(&self) -> String {
        let formula = self.formula();
        match (self.value(), self.failure()) {
            (Some(value), _) => {
                format!(
                    "Finding({formula}: {value:.4} {})",
                    self.goal.property.unit()
                )
            }
            (None, failure) => format!("Finding({formula}: {})", failure.unwrap_or("no value")),
        }
    }
}

/// What a search found, nearest to what is wanted first, failures last; a sequence of `Finding`.
#[pyclass(frozen, sequence, module = "crystalgym")]
pub(crate) struct SearchResult {
    inner: Inner,
    calculator: String,
}

#[pymethods]
impl SearchResult {
    /// The fillings.
    #[getter]
    fn findings(&self) -> Vec<Finding> {
        let findings = self.inner.findings.iter();
        findings.map(|finding| self.finding(finding)).collect()
    }

    /// The algorithm that was used.
    #[getter]
    fn algorithm(&self) -> &'static str {
        self.inner.algorithm.name()
    }

    /// The ranking by columns, with the settings of every value.
    ///
    /// Returns
    /// -------
    /// Table
    fn table(&self) -> PyResult<Table> {
        Table::of_findings(&self.inner)
    }

    /// Writes ``ranking.csv`` and the best crystals as ``01_Cs2AgBiBr6.cif``, … into a folder.
    ///
    /// Parameters
    /// ----------
    /// folder : path-like
    /// cifs : int
    ///     How many crystals.
    ///
    /// Raises
    /// ------
    /// OSError
    #[pyo3(signature = (folder, cifs = 10))]
    fn write(&self, folder: PathBuf, cifs: usize) -> PyResult<()> {
        write_findings(&self.inner, &folder, cifs).map_err(|error| search_error(&error))
    }

    fn _repr_html_(slf: &Bound<'_, Self>) -> PyResult<String> {
        html::of(slf.as_any(), "of_search")
    }

    fn __len__(&self) -> usize {
        self.inner.findings.len()
    }

    fn __getitem__(&self, index: isize) -> PyResult<Finding> {
        let count = self.inner.findings.len() as isize;
        let place = if index < 0 { index + count } else { index };
        let found = usize::try_from(place)
            .ok()
            .and_then(|place| self.inner.findings.get(place));
        found.map(|finding| self.finding(finding)).ok_or_else(|| {
            pyo3::exceptions::PyIndexError::new_err(format!("{index} of {count} findings"))
        })
    }

    fn __repr__(&self) -> String {
        let (goal, count) = (&self.inner.goal, self.inner.findings.len());
        format!(
            "SearchResult({} of {}: {count} findings)",
            goal.property,
            goal.text()
        )
    }
}

impl SearchResult {
    fn finding(&self, finding: &InnerFinding) -> Finding {
        Finding {
            inner: finding.clone(),
            goal: self.inner.goal,
            calculator: self.calculator.clone(),
        }
    }
}

/// Searches the elements of chosen sites of a structure for a property.
///
/// Every calculation goes through the store, so that a search that was stopped goes on where it was
/// when it is started again. Few fillings are all computed; of many a search by a model of the property
/// computes some.
///
/// Parameters
/// ----------
/// structure : structure-like, Skeleton or str
///     A structure or its file, or a benchmark skeleton (``"C2"``).
/// sites : dict
///     Symbols by site: by number, by the element that the structure has there, by Wyckoff position
///     (``"4a"``, ``"a"``), or by ``A``, ``B``, ``B2``, …, ``X`` in the order of the formula. Other sites
///     keep their element.
/// property : str
///     `band_gap` (eV), `bulk_modulus` (GPa), `density` (g/cm³) or `shear_modulus` (GPa).
/// target : float, (float, float) or str
///     The value that is wanted, or a range: ``(1.4, 1.6)``, ``"1.4..1.6"``.
/// tie : str or list of str
///     Names whose sites are all alike.
/// charge_balanced : bool
///     Only fillings whose common oxidation states can sum to zero.
/// geometry : {"given", "volume", "relaxed"}
///     In which cell: the given one; at the volume of lowest energy of each filling; or with cell and
///     positions relaxed first.
/// cell : {"given", "primitive"}
///     Of a supercell, the cell as it is or the primitive one.
/// algorithm : {"auto", "exhaustive", "surrogate", "genetic", "random"}
///     By default all fillings if they are at most 200, or else the search by a model.
/// budget : int
///     Most fillings that are computed.
/// seed : int
/// confirm : int
///     How many of the best are computed again with the accuracy ``converged`` and ranked by that.
/// calculator, accuracy, store
///     As for :func:`evaluate`.
/// output : path-like, optional
///     Folder for ``ranking.csv``, CIF files and relaxed cells.
///
/// Returns
/// -------
/// SearchResult
///
/// Raises
/// ------
/// StructureError, CalculatorError, StoreError, ValueError
#[pyfunction]
#[pyo3(signature = (
    structure, sites, *, property, target, tie = None, charge_balanced = false,
    geometry = "given", cell = "given", algorithm = "auto", budget = 200, seed = 1, confirm = 0,
    calculator = None, accuracy = None, store = StoreChoice::Default, output = None
))]
#[expect(clippy::too_many_arguments, reason = "keywords of Python")]
pub(crate) fn search(
    structure: &Bound<'_, PyAny>,
    sites: &Bound<'_, PyDict>,
    property: &str,
    target: &Bound<'_, PyAny>,
    tie: Option<&Bound<'_, PyAny>>,
    charge_balanced: bool,
    geometry: &str,
    cell: &str,
    algorithm: &str,
    budget: usize,
    seed: u64,
    confirm: usize,
    calculator: Option<&Bound<'_, PyAny>>,
    accuracy: Option<&str>,
    store: StoreChoice,
    output: Option<PathBuf>,
) -> PyResult<SearchResult> {
    let py = structure.py();
    let goal = goal(parse_property(property)?, target)?;
    let geometry = geometry.parse().map_err(|error| value_error(&error))?;
    let algorithm = algorithm.parse().map_err(|error| search_error(&error))?;
    let skeleton = chosen_cell(Skeleton::of_anything(structure)?.inner, cell)?;
    let (choices, ties) = (choices(sites)?, ties(tie)?);
    let problem = SearchProblem::new(skeleton, &choices, &ties, charge_balanced)
        .map_err(|error| search_error(&error))?;
    let confirming = match confirm {
        0 => None,
        _ => Some(calculator::for_one_crystal(calculator, Some("converged"))?),
    };
    let calculator = calculator::for_one_crystal(calculator, accuracy)?;
    calculator.check_elements(py, &problem.elements(), goal.property)?;
    let store = store.open_for(&calculator)?;
    let work = Work {
        problem,
        goal,
        calculator: calculator.clone(),
        confirming: confirming.map(|confirming| (confirm, confirming)),
        store,
        output: output.clone(),
        geometry,
        algorithm,
        budget,
        seed,
    };
    let found = if calculator.is_python() || calculator.inner.is_instant() {
        let cancel = calculator.token_in_place();
        py.detach(|| work.run(&cancel))
    } else {
        engine::enter(py, calculator.wind_up(), move |cancel| work.run(cancel))?
    };
    calculator.raise_pending()?;
    let inner = found.map_err(|error| search_error(&error))?;
    let result = SearchResult {
        inner,
        calculator: calculator.inner.name().to_owned(),
    };
    if let Some(output) = output {
        result.write(output, 10)?;
    }
    Ok(result)
}

/// All that a search needs, to be moved to another thread.
struct Work {
    problem: SearchProblem,
    goal: Goal,
    calculator: Calculator,
    confirming: Option<(usize, Calculator)>,
    store: Option<Arc<ResultStore>>,
    output: Option<PathBuf>,
    geometry: crystalgym_search::Geometry,
    algorithm: crystalgym_search::SearchAlgorithm,
    budget: usize,
    seed: u64,
}

impl Work {
    fn run(&self, cancel: &CancelToken) -> Result<Inner, SearchError> {
        let is_relaxed = self.geometry == crystalgym_search::Geometry::Relaxed;
        let relaxed = self.output.as_ref().filter(|_| is_relaxed);
        let relaxed = relaxed.map(|folder| folder.join("relaxed"));
        let store = self.store.as_deref();
        let options = SearchOptions {
            algorithm: self.algorithm,
            geometry: self.geometry,
            budget: self.budget,
            seed: self.seed,
            workers: 0,
            relaxed_cells: relaxed.as_deref(),
        };
        let calculator = self.calculator.inner.as_ref();
        let (problem, goal) = (&self.problem, &self.goal);
        let mut result = run_search(problem, goal, calculator, store, options, cancel, |_| {})?;
        if let Some((count, calculator)) = &self.confirming {
            let calculator = calculator.inner.as_ref();
            confirm(&mut result, *count, calculator, store, 0, cancel, |_, _| {});
        }
        Ok(result)
    }
}

fn chosen_cell(skeleton: Arc<InnerSkeleton>, cell: &str) -> PyResult<Arc<InnerSkeleton>> {
    match cell {
        "given" => Ok(skeleton),
        "primitive" => {
            let smaller = smaller_cell(&skeleton).map_err(|error| search_error(&error))?;
            Ok(smaller.map_or(skeleton, Arc::new))
        }
        _ => {
            let message = format!("cell is '{cell}', expected given or primitive");
            Err(PyValueError::new_err(message))
        }
    }
}

fn goal(property: Property, target: &Bound<'_, PyAny>) -> PyResult<Goal> {
    let goal = if let Ok(text) = target.cast::<PyString>() {
        Goal::parse(property, &text.to_cow()?)
    } else if let Ok((low, high)) = target.extract::<(f64, f64)>() {
        Goal::new(property, low, high)
    } else if let Ok([low, high]) = target.extract::<[f64; 2]>() {
        Goal::new(property, low, high)
    } else {
        let value: f64 = target.extract()?;
        Goal::new(property, value, value)
    };
    goal.map_err(|error| search_error(&error))
}

fn choices(sites: &Bound<'_, PyDict>) -> PyResult<Vec<SiteChoice>> {
    let choice = |(name, symbols): (Bound<'_, PyAny>, Bound<'_, PyAny>)| {
        let symbols = match symbols.extract::<String>() {
            Ok(symbol) => vec![symbol],
            Err(_) => symbols.extract()?,
        };
        let choice = SiteChoice::new(&name.str()?.to_cow()?, parse_elements(&symbols)?);
        choice.map_err(|error| search_error(&error))
    };
    sites.iter().map(choice).collect()
}

fn ties(tie: Option<&Bound<'_, PyAny>>) -> PyResult<Vec<String>> {
    let Some(tie) = tie else {
        return Ok(Vec::new());
    };
    match tie.extract::<String>() {
        Ok(name) => Ok(vec![name]),
        Err(_) => {
            let names: Vec<Bound<'_, PyAny>> = tie.try_iter()?.collect::<PyResult<_>>()?;
            let names = names
                .iter()
                .map(|name| Ok(name.str()?.to_cow()?.into_owned()));
            names.collect()
        }
    }
}

fn value_error(error: &impl ToString) -> PyErr {
    PyValueError::new_err(error.to_string())
}

fn search_error(error: &SearchError) -> PyErr {
    match error {
        SearchError::Crystal(error) => structure_error(error),
        SearchError::Io { path, source } => {
            pyo3::exceptions::PyOSError::new_err(format!("{}: {source}", path.display()))
        }
        SearchError::Invalid { field, .. } => raised(&Raised {
            class: "TaskError",
            code: "invalid_task",
            message: error.to_string(),
            values: json!({ "field": field }),
        }),
        _ => value_error(error),
    }
}
