use std::path::PathBuf;

use crystalgym_training::read_episodes as read;
use pyo3::prelude::*;

use crate::{errors::training_error, table::Table};

/// Reads `episodes.csv` of a run: one row an episode.
///
/// Raises
/// ------
/// TrainingError
///     With the line, if it is no such table.
#[pyfunction]
pub(crate) fn read_episodes(py: Python<'_>, path: PathBuf) -> PyResult<Table> {
    let rows = py
        .detach(|| read(&path))
        .map_err(|error| training_error(&error))?;
    Table::of_episodes(&rows)
}
