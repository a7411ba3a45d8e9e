//! Tables that leave as Arrow, so that pandas, polars, DuckDB and others read them without a copy.

use std::{ffi::CStr, sync::Arc};

use arrow_array::{
    ArrayRef, Float64Array, RecordBatch, RecordBatchIterator, StringArray, UInt64Array,
    ffi_stream::FFI_ArrowArrayStream,
};
use arrow_schema::{ArrowError, DataType, Field, Schema};
use crystalgym_evaluation::{CalculationSettings, Outcome, StoredResult};
use crystalgym_search::{Finding, SearchResult};
use crystalgym_training::EpisodeRow;
use pyo3::{
    prelude::*,
    types::{PyCapsule, PyDict, PyList},
};

use crate::{errors::internal, html};

/// Name that the Arrow PyCapsule interface gives to streams.
const STREAM: &CStr = c"arrow_array_stream";

/// A table by columns, handed over through the Arrow PyCapsule interface
/// (``polars.DataFrame(table)``, ``pyarrow.table(table)``, …).
#[pyclass(frozen, module = "crystalgym")]
pub(crate) struct Table(RecordBatch);

enum Column {
    Text(Vec<Option<String>>),
    Number(Vec<Option<f64>>),
    Count(Vec<u64>),
}

impl Table {
    fn new(columns: Vec<(&str, Column)>) -> PyResult<Self> {
        let (fields, arrays): (Vec<Field>, Vec<ArrayRef>) = columns
            .into_iter()
            .map(|(name, column)| match column {
                Column::Text(values) => (
                    Field::new(name, DataType::Utf8, true),
                    Arc::new(StringArray::from(values)) as ArrayRef,
                ),
                Column::Number(values) => (
                    Field::new(name, DataType::Float64, true),
                    Arc::new(Float64Array::from(values)) as ArrayRef,
                ),
                Column::Count(values) => (
                    Field::new(name, DataType::UInt64, false),
                    Arc::new(UInt64Array::from(values)) as ArrayRef,
                ),
            })
            .unzip();
        RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays)
            .map(Self)
            .map_err(|error| arrow_error(&error))
    }

    pub(crate) fn of_findings(result: &SearchResult) -> PyResult<Self> {
        let findings = &result.findings;
        let text = |get: &dyn Fn(&Finding) -> Option<String>| {
            Column::Text(findings.iter().map(get).collect())
        };
        let number = |get: &dyn Fn(&Finding) -> Option<f64>| {
            Column::Number(findings.iter().map(get).collect())
        };
        let symbols = |finding: &Finding| {
            let elements = finding.crystal.elements().iter();
            let symbols: Vec<&str> = elements.map(|element| element.symbol()).collect();
            Some(symbols.join(" "))
        };
        let codes = |finding: &Finding| {
            let codes: Vec<&str> = finding.warnings().iter().map(|w| w.code.name()).collect();
            Some(codes.join(" "))
        };
        let failure = |finding: &Finding| {
            let failure = finding.latest().outcome.failure();
            failure.map(|failure| failure.code.name().to_owned())
        };
        let setting = |get: fn(&CalculationSettings) -> Option<String>| {
            text(&move |finding: &Finding| finding.settings().and_then(get))
        };
        Self::new(vec![
            ("formula", text(&|finding| Some(finding.crystal.formula()))),
            ("elements", text(&symbols)),
            ("value", number(&Finding::value)),
            (
                "distance",
                number(&|finding| finding.value().map(|value| result.goal.distance(value))),
            ),
            ("failure", text(&failure)),
            (
                "volume_ratio",
                number(&|finding| Some(finding.volume_ratio)),
            ),
            ("warnings", text(&codes)),
            (
                "accuracy",
                setting(|settings| settings.accuracy.map(|a| a.name().to_owned())),
            ),
            (
                "ecutwfc_ry",
                number(&|finding| finding.settings().map(|settings| settings.ecutwfc_ry)),
            ),
            (
                "k_mesh",
                setting(|settings| Some(settings.k_mesh.map(|n| n.to_string()).join(" "))),
            ),
            (
                "pseudopotentials",
                setting(|settings| Some(settings.pseudopotentials.clone())),
            ),
        ])
    }

    pub(crate) fn of_results(rows: &[StoredResult]) -> PyResult<Self> {
        let text = |get: fn(&StoredResult) -> String| {
            Column::Text(rows.iter().map(|row| Some(get(row))).collect())
        };
        let number = |get: fn(&crystalgym_evaluation::Values) -> Option<f64>| {
            Column::Number(
                rows.iter()
                    .map(|row| match &row.outcome {
                        Outcome::Success(values) => get(values),
                        Outcome::Failure(_) => None,
                    })
                    .collect(),
            )
        };
        let failure = rows
            .iter()
            .map(|row| {
                row.outcome
                    .failure()
                    .map(|failure| failure.code.name().to_owned())
            })
            .collect();
        let iterations = rows
            .iter()
            .map(|row| match &row.outcome {
                Outcome::Success(values) => values.scf_iterations.into(),
                Outcome::Failure(failure) => failure.scf_iterations.into(),
            })
            .collect();
        let settings = |get: fn(&CalculationSettings) -> Option<String>| {
            let of = |row: &StoredResult| row.settings.as_ref().and_then(get);
            Column::Text(rows.iter().map(of).collect())
        };
        let cutoff = |get: fn(&CalculationSettings) -> f64| {
            let of = |row: &StoredResult| row.settings.as_ref().map(get);
            Column::Number(rows.iter().map(of).collect())
        };
        let warnings = rows
            .iter()
            .map(|row| match &row.outcome {
                Outcome::Success(values) => {
                    let codes: Vec<&str> = values.warnings.iter().map(|w| w.code.name()).collect();
                    Some(codes.join(" "))
                }
                Outcome::Failure(_) => None,
            })
            .collect();
        let seconds = rows.iter().map(|row| Some(row.outcome.seconds())).collect();
        Self::new(vec![
            ("skeleton", text(|row| row.skeleton.clone())),
            ("elements", text(|row| row.elements.clone())),
            ("formula", text(|row| row.formula.clone())),
            ("property", text(|row| row.property.clone())),
            ("value", number(|values| Some(values.value))),
            ("failure", Column::Text(failure)),
            ("total_energy_ev", number(|values| values.total_energy_ev)),
            ("homo_ev", number(|values| values.homo_ev)),
            ("lumo_ev", number(|values| values.lumo_ev)),
            ("fermi_ev", number(|values| values.fermi_ev)),
            ("pressure_gpa", number(|values| values.pressure_gpa)),
            ("volume_ang3", number(|values| Some(values.volume_ang3))),
            ("scf_iterations", Column::Count(iterations)),
            ("seconds", Column::Number(seconds)),
            ("calculator", text(|row| row.calculator.clone())),
            (
                "pseudopotentials",
                settings(|settings| Some(settings.pseudopotentials.clone())),
            ),
            (
                "accuracy",
                settings(|settings| Some(settings.accuracy?.name().to_owned())),
            ),
            ("ecutwfc_ry", cutoff(|settings| settings.ecutwfc_ry)),
            ("ecutrho_ry", cutoff(|settings| settings.ecutrho_ry)),
            ("k_mesh", settings(|settings| Some(settings.mesh_text()))),
            ("warnings", Column::Text(warnings)),
            ("version", text(|row| row.version.clone())),
            ("created", text(|row| row.created.clone())),
            ("key", text(|row| row.key.clone())),
        ])
    }

    pub(crate) fn of_episodes(rows: &[EpisodeRow]) -> PyResult<Self> {
        let text = |get: fn(&EpisodeRow) -> &str| {
            Column::Text(rows.iter().map(|row| Some(get(row).to_owned())).collect())
        };
        let number =
            |get: fn(&EpisodeRow) -> Option<f64>| Column::Number(rows.iter().map(get).collect());
        let count = |get: fn(&EpisodeRow) -> u64| Column::Count(rows.iter().map(get).collect());
        let failure = rows
            .iter()
            .map(|row| row.failure.map(|code| code.name().to_owned()))
            .collect();
        let mut columns = vec![
            ("episode", count(|row| row.episode)),
            ("step", count(|row| row.step)),
            ("environment", count(|row| row.environment as u64)),
            ("skeleton", text(|row| &row.skeleton)),
            ("elements", text(|row| &row.elements)),
            ("property", text(|row| row.property.name())),
            ("target", number(|row| Some(row.target))),
            ("value", number(|row| row.value)),
            ("episodic_return", number(|row| Some(row.episodic_return))),
            ("failure", Column::Text(failure)),
            ("source", text(|row| row.source.name())),
            ("scf_iterations", count(|row| row.scf_iterations.into())),
            (
                "calculation_seconds",
                number(|row| Some(row.calculation_seconds)),
            ),
        ];
        // As in the table that was read: only where returns are differences.
        if rows.iter().any(|row| row.start_elements.is_some()) {
            let elements = rows.iter().map(|row| row.start_elements.clone());
            let failure = rows
                .iter()
                .map(|row| row.start_failure.map(|code| code.name().to_owned()));
            columns.extend([
                ("start_elements", Column::Text(elements.collect())),
                ("start_value", number(|row| row.start_value)),
                ("start_failure", Column::Text(failure.collect())),
            ]);
        }
        Self::new(columns)
    }
}

fn arrow_error(error: &ArrowError) -> PyErr {
    internal(&error.to_string())
}

#[pymethods]
impl Table {
    /// The Arrow PyCapsule interface; `requested_schema` is not needed and left aside.
    #[pyo3(signature = (requested_schema = None))]
    fn __arrow_c_stream__<'py>(
        &self,
        py: Python<'py>,
        requested_schema: Option<Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyCapsule>> {
        let _ = requested_schema;
        let batches = vec![Ok::<_, ArrowError>(self.0.clone())];
        let reader = RecordBatchIterator::new(batches, self.0.schema());
        let stream = FFI_ArrowArrayStream::new(Box::new(reader));
        PyCapsule::new_with_value(py, stream, STREAM)
    }

    /// Names of the columns.
    #[getter]
    fn columns(&self) -> Vec<String> {
        let schema = self.0.schema();
        schema
            .fields()
            .iter()
            .map(|field| field.name().clone())
            .collect()
    }

    /// The columns as lists.
    ///
    /// Returns
    /// -------
    /// dict of str to list
    fn to_dict<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let dict = PyDict::new(py);
        for (field, array) in self.0.schema().fields().iter().zip(self.0.columns()) {
            let any = array.as_any();
            let list = if let Some(array) = any.downcast_ref::<StringArray>() {
                PyList::new(py, array)?
            } else if let Some(array) = any.downcast_ref::<Float64Array>() {
                PyList::new(py, array)?
            } else if let Some(array) = any.downcast_ref::<UInt64Array>() {
                PyList::new(py, array)?
            } else {
                return Err(internal("a column of an unknown type"));
            };
            dict.set_item(field.name(), list)?;
        }
        Ok(dict)
    }

    /// The table for pandas.
    ///
    /// Returns
    /// -------
    /// pandas.DataFrame
    fn to_pandas<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        py.import("pandas")?
            .call_method1("DataFrame", (self.to_dict(py)?,))
    }

    /// The table for polars.
    ///
    /// Returns
    /// -------
    /// polars.DataFrame
    fn to_polars<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        slf.py().import("polars")?.call_method1("DataFrame", (slf,))
    }

    fn _repr_html_(slf: &Bound<'_, Self>) -> PyResult<String> {
        html::of(slf.as_any(), "of_table")
    }

    fn __len__(&self) -> usize {
        self.0.num_rows()
    }

    fn __repr__(&self) -> String {
        format!(
            "Table({} rows: {})",
            self.0.num_rows(),
            self.columns().join(", ")
        )
    }
}
