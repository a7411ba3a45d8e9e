//! The store of results.

use std::{
    ffi::CString,
    path::{Path, PathBuf},
    process,
    sync::{Arc, Mutex, PoisonError},
};

use crystalgym_evaluation::{ResultStore as Inner, StoreError, StoredResult, is_on_a_server};
use crystalgym_training::default_store_path;
use pyo3::{
    IntoPyObjectExt as _,
    exceptions::PyRuntimeWarning,
    prelude::*,
    types::{PyDict, PyString},
};

use crate::{
    calculator::{Calculator, parse_property},
    errors::{store_error, to_python},
    table::Table,
};

/// Results that nobody computes twice, in one file for any number of processes of one machine, or on a
/// PostgreSQL server for any number of machines.
///
/// Parameters
/// ----------
/// path : path-like, optional
///     The file, or ``postgres://host/database``; the user's own store by default, and for
///     ``"default"``.
#[pyclass(frozen, module = "crystalgym")]
#[derive(Clone)]
pub(crate) struct ResultStore {
    path: PathBuf,
    /// SQLite must not be used across a fork.
    open: Arc<Mutex<Option<Connection>>>,
}

/// A connection with the process that opened it.
type Connection = (u32, Arc<Inner>);

impl ResultStore {
    fn at(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
            open: Arc::default(),
        }
    }

    /// The store opened in this process.
    fn open_here(&self) -> PyResult<Arc<Inner>> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let here = process::id();
        if let Some((owner, store)) = &*open
            && *owner == here
        {
            return Ok(Arc::clone(store));
        }
        if let Some(inherited) = open.take() {
            // Closing a connection of the parent would drop its locks: let it be.
            std::mem::forget(inherited);
        }
        let store = match Inner::open(&self.path) {
            // One on a read-only medium can be looked into.
            Err(StoreError::ReadOnly { .. }) => Inner::open_read_only(&self.path),
            opened => opened,
        };
        let store = Arc::new(store.map_err(|error| store_error(&error))?);
        *open = Some((here, Arc::clone(&store)));
        Ok(store)
    }

    fn rows(&self, py: Python<'_>, property: Option<&str>) -> PyResult<Vec<StoredResult>> {
        let property = property.map(parse_property).transpose()?;
        let store = self.open_here()?;
        let (results, damaged) = py
            .detach(move || store.results_and_damage(property))
            .map_err(|error| store_error(&error))?;
        if let Some(first) = damaged.first() {
            let message = format!(
                "{} results are damaged, the first {}: {}; those that cannot be read are left out",
                damaged.len(),
                first.key,
                first.problem
            );
            let message = CString::new(message.replace('\0', " "))?;
            PyErr::warn(py, &py.get_type::<PyRuntimeWarning>(), &message, 1)?;
        }
        Ok(results)
    }
}

/// What a caller says of the store: one, its file, `"default"`, or `None`.
pub(crate) enum StoreChoice {
    /// The user's own.
    Default,
    Given(ResultStore),
    None,
}

impl<'py> FromPyObject<'_, 'py> for StoreChoice {
    type Error = PyErr;

    fn extract(object: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        if object.is_none() {
            return Ok(Self::None);
        }
        if let Ok(store) = object.cast::<ResultStore>() {
            return Ok(Self::Given(store.get().clone()));
        }
        let path: PathBuf = object.extract()?;
        Ok(match path.to_str() {
            Some("default") => Self::Default,
            _ => Self::Given(ResultStore::at(&path)),
        })
    }
}

impl StoreChoice {
    /// The store opened in this process; none for a calculator whose results are not stored.
    ///
    /// # Errors
    /// A store that cannot be opened.
    pub(crate) fn open_for(self, calculator: &Calculator) -> PyResult<Option<Arc<Inner>>> {
        if !calculator.is_storable() {
            return Ok(None);
        }
        match self {
            Self::Default => ResultStore::new(None)?.open_here().map(Some),
            Self::Given(store) => store.open_here().map(Some),
            Self::None => Ok(None),
        }
    }
}

#[pymethods]
impl ResultStore {
    #[new]
    #[pyo3(signature = (path = None))]
    fn new(path: Option<PathBuf>) -> PyResult<Self> {
        let path = match path {
            Some(path) if path.to_str() != Some("default") => path,
            _ => default_store_path().map_err(|error| crate::errors::training_error(&error))?,
        };
        let store = Self::at(&path);
        store.open_here()?;
        Ok(store)
    }

    /// The file, or the URL of the server.
    #[getter]
    fn path<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        place(py, &self.path)
    }

    /// All results as a table, in an order that does not depend on chance.
    ///
    /// Parameters
    /// ----------
    /// property : str, optional
    ///     Only results of this one.
    ///
    /// Returns
    /// -------
    /// Table
    #[pyo3(signature = (property = None))]
    fn table(&self, py: Python<'_>, property: Option<&str>) -> PyResult<Table> {
        Table::of_results(&self.rows(py, property)?)
    }

    /// All results with everything that is known of them.
    ///
    /// Parameters
    /// ----------
    /// property : str, optional
    ///     Only results of this one.
    ///
    /// Returns
    /// -------
    /// list of dict
    #[pyo3(signature = (property = None))]
    fn results<'py>(
        &self,
        py: Python<'py>,
        property: Option<&str>,
    ) -> PyResult<Vec<Bound<'py, PyAny>>> {
        self.rows(py, property)?
            .iter()
            .map(|row| to_python(py, &serde_json::json!(row)))
            .collect()
    }

    /// Counts results.
    ///
    /// Returns
    /// -------
    /// dict of (str, str, str) to int
    ///     By calculator, property, and ``success`` or the code of the failure.
    fn statistics<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let store = self.open_here()?;
        let counts = py
            .detach(move || store.statistics())
            .map_err(|error| store_error(&error))?;
        let dict = PyDict::new(py);
        for (calculator, property, status, count) in counts {
            dict.set_item((calculator, property, status), count)?;
        }
        Ok(dict)
    }

    /// Looks for damage in the database and in every result.
    ///
    /// Raises
    /// ------
    /// StoreError
    ///     With the damage.
    fn check(&self, py: Python<'_>) -> PyResult<()> {
        let store = self.open_here()?;
        py.detach(move || store.check())
            .map_err(|error| store_error(&error))
    }

    fn __len__(&self, py: Python<'_>) -> PyResult<usize> {
        let store = self.open_here()?;
        let counts = py
            .detach(move || store.statistics())
            .map_err(|error| store_error(&error))?;
        Ok(counts.iter().map(|(.., count)| *count as usize).sum())
    }

    fn __repr__(&self) -> String {
        format!("ResultStore({:?})", self.path)
    }

    fn __reduce__<'py>(slf: &Bound<'py, Self>) -> PyResult<Pickled<'py>> {
        let path = place(slf.py(), &slf.get().path)?;
        Ok((slf.get_type().into_any(), (path,)))
    }
}

/// A type, and the arguments that make the object anew.
type Pickled<'py> = (Bound<'py, PyAny>, (Bound<'py, PyAny>,));

/// A path, or the URL of a server as text: `pathlib` would take a slash from it.
fn place<'py>(py: Python<'py>, path: &Path) -> PyResult<Bound<'py, PyAny>> {
    match path.to_str().filter(|_| is_on_a_server(path)) {
        Some(url) => Ok(PyString::new(py, url).into_any()),
        None => path.into_bound_py_any(py),
    }
}
