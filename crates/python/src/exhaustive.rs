//! Exhaustive tables, and exact judgement by them.

use std::{path::PathBuf, sync::Arc};

use crystalgym_crystal::{Crystal, write_atomically};
use crystalgym_evaluation::{ResultTable, SHIPPED_TABLES, TableFileError, TableRow};
use crystalgym_table::{Judge, TableError};
use pyo3::{exceptions::PyOSError, prelude::*};
use serde_json::{Value, json};

use crate::{
    calculator::{Calculator, coerce},
    errors::{Raised, raised, to_python},
    structure::parse_elements,
    task::Task,
};

/// What every filling of a skeleton with some elements came to, computed once.
///
/// Parameters
/// ----------
/// file : str
///     The parquet file of a table, or the name of one that comes with the package
///     (`ExhaustiveTable.shipped()`).
///
/// Raises
/// ------
/// CalculatorError
///     For what is no table, or one that was changed.
#[pyclass(frozen, module = "crystalgym")]
#[derive(Clone)]
pub(crate) struct ExhaustiveTable {
    inner: Arc<ResultTable>,
}

impl ExhaustiveTable {
    fn judge_of(&self, py: Python<'_>, task: &Task) -> PyResult<Judge> {
        py.detach(|| Judge::new(&task.inner, &self.inner))
            .map_err(|error| table_error(&error))
    }
}

fn refuse(message: String) -> PyErr {
    raised(&Raised {
        class: "CalculatorError",
        code: "unusable_calculator",
        message,
        values: json!({ "calculator": "table" }),
    })
}

fn file_error(error: &TableFileError) -> PyErr {
    refuse(error.to_string())
}

fn table_error(error: &TableError) -> PyErr {
    refuse(error.to_string())
}

fn row_json(row: &TableRow) -> Value {
    json!({
        "elements": row.elements,
        "multiplicity": row.multiplicity,
        "value": row.outcome.value(),
        "failure": row.outcome.failure().map(|failure| failure.code.name()),
        "outcome": row.outcome,
    })
}

#[pymethods]
impl ExhaustiveTable {
    #[new]
    fn new(py: Python<'_>, file: PathBuf) -> PyResult<Self> {
        let name = file.to_string_lossy().into_owned();
        let table = py.detach(|| ResultTable::open(&name));
        let table = table.map_err(|error| file_error(&error))?;
        Ok(Self {
            inner: Arc::new(table),
        })
    }

    /// Names of the tables that come with the package.
    ///
    /// Returns
    /// -------
    /// list of str
    #[staticmethod]
    fn shipped() -> Vec<&'static str> {
        SHIPPED_TABLES.iter().map(|table| table.name).collect()
    }

    /// What the table says of itself: skeleton, elements, property, calculator with its settings,
    /// pseudopotential checksums, counts.
    #[getter]
    fn description<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        to_python(py, &json!(self.inner.description()))
    }

    /// Whether it has every filling.
    #[getter]
    fn is_whole(&self) -> bool {
        self.inner.is_whole()
    }

    /// A calculator that looks outcomes up here.
    ///
    /// Returns
    /// -------
    /// Calculator
    fn calculator(&self, py: Python<'_>) -> PyResult<Calculator> {
        let config = json!({ "name": "table", "table": { "file": self.inner.name() } });
        coerce(&to_python(py, &config)?)
    }

    /// All rows, in the order of their atomic numbers.
    ///
    /// Returns
    /// -------
    /// list of dict
    ///     With `elements`, `multiplicity`, `value`, `failure` and the whole `outcome`.
    fn rows<'py>(&self, py: Python<'py>) -> PyResult<Vec<Bound<'py, PyAny>>> {
        let rows = self.inner.rows().iter();
        rows.map(|row| to_python(py, &row_json(row))).collect()
    }

    /// The row of a filling, in whatever order symmetry allows.
    ///
    /// Parameters
    /// ----------
    /// elements : list of str
    ///     In site order.
    /// task : Task
    ///     Whose skeleton is filled.
    ///
    /// Returns
    /// -------
    /// dict or None
    fn row<'py>(
        &self,
        py: Python<'py>,
        elements: Vec<String>,
        task: &Task,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        let elements = parse_elements(&elements)?;
        let skeleton = task.inner.skeletons().first().map(Arc::clone);
        let crystal = skeleton.and_then(|skeleton| Crystal::new(skeleton, elements).ok());
        let row = crystal.as_ref().and_then(|crystal| self.inner.row(crystal));
        row.map(|row| to_python(py, &row_json(row))).transpose()
    }

    /// The exact optimum of a task.
    ///
    /// Parameters
    /// ----------
    /// task : Task
    /// count : int
    ///     Fillings that are listed.
    ///
    /// Returns
    /// -------
    /// dict
    ///     With `optimum` (the best reward), `tolerance`, `fillings`, `fillings_within`, `best` (rows
    ///     with their `reward`, the best first), and `starts`: the optimal policy's return from each
    ///     site at which an episode can start, empty where it starts from random crystals.
    ///
    /// Raises
    /// ------
    /// CalculatorError
    ///     If the table does not hold the task's fillings.
    #[pyo3(signature = (task, *, count = 5))]
    fn optimum<'py>(
        &self,
        py: Python<'py>,
        task: &Task,
        count: usize,
    ) -> PyResult<Bound<'py, PyAny>> {
        let judge = self.judge_of(py, task)?;
        let nothing = judge.judge([]);
        let best = judge.best(count).into_iter().map(|(reward, row)| {
            let mut row = row_json(row);
            if let Some(members) = row.as_object_mut() {
                members.insert("reward".to_owned(), json!(reward));
            }
            row
        });
        let value = json!({
            "optimum": judge.optimum(),
            "tolerance": judge.tolerance(),
            "fillings": nothing.fillings,
            "fillings_within": nothing.fillings_within,
            "best": best.collect::<Vec<_>>(),
            "starts": judge.start_optima(),
        });
        to_python(py, &value)
    }

    /// How far from the optimum crystals came, in the order in which they were made.
    ///
    /// Parameters
    /// ----------
    /// task : Task
    /// crystals : list of list of str
    ///     Elements in site order.
    ///
    /// Returns
    /// -------
    /// dict
    ///     With `regret`, `rank`, `best`, `optimum`, `calls` (different fillings), `calls_to_hit` and
    ///     `episodes_to_hit` (`None` if nothing hit), `tolerance`, `fillings`, `fillings_within`.
    ///
    /// Raises
    /// ------
    /// CalculatorError
    ///     If the table does not hold the task's fillings.
    fn judge<'py>(
        &self,
        py: Python<'py>,
        task: &Task,
        crystals: Vec<Vec<String>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let judge = self.judge_of(py, task)?;
        let crystals = crystals.iter().map(|symbols| parse_elements(symbols));
        let crystals: Vec<_> = crystals.collect::<PyResult<_>>()?;
        let judgement = judge.judge(crystals.iter().map(Vec::as_slice));
        to_python(py, &json!(judgement))
    }

    /// Writes the table as a parquet file, whole or not at all.
    ///
    /// Parameters
    /// ----------
    /// path : path-like
    fn write(&self, py: Python<'_>, path: PathBuf) -> PyResult<()> {
        let data = self.inner.to_bytes().map_err(|error| file_error(&error))?;
        py.detach(|| write_atomically(&path, &data))
            .map_err(|error| PyOSError::new_err(format!("{}: {error}", path.display())))
    }

    fn __len__(&self) -> usize {
        self.inner.rows().len()
    }

    fn __repr__(&self) -> String {
        format!("ExhaustiveTable({:?})", self.inner.name())
    }

    fn __reduce__<'py>(slf: &Bound<'py, Self>) -> (Bound<'py, PyAny>, (String,)) {
        let name = slf.get().inner.name().to_owned();
        (slf.get_type().into_any(), (name,))
    }
}

/// The tables that come with the package: name, skeleton, property and elements of each.
#[pyfunction]
pub(crate) fn shipped_tables(py: Python<'_>) -> PyResult<Vec<Bound<'_, PyAny>>> {
    let tables = SHIPPED_TABLES.iter().map(|table| {
        let value = json!({
            "name": table.name,
            "environment": table.environment,
            "skeleton": table.skeleton,
            "property": table.property,
            "elements": table.elements,
        });
        to_python(py, &value)
    });
    tables.collect()
}
