//! Which store a word or a path means.

use std::path::{Path, PathBuf};

use crystalgym_crystal::data_folder;
use crystalgym_evaluation::{Calculator, ResultStore, StoreError};

use crate::TrainingError;

/// The store that `default`, `none` or a path means; none for a calculator that needs none.
///
/// # Errors
/// [`TrainingError::Store`]; as [`default_store_path`].
pub fn open_store(
    name: &str,
    calculator: &dyn Calculator,
) -> Result<Option<ResultStore>, TrainingError> {
    Ok(match name {
        _ if calculator.is_instant() => None,
        "none" => None,
        "default" => Some(open_file(&default_store_path()?)?),
        path => Some(open_file(Path::new(path))?),
    })
}

/// A store on a read-only medium still has results, which need not be computed again; what is
/// computed is then kept in memory and reported as not written.
fn open_file(path: &Path) -> Result<ResultStore, StoreError> {
    match ResultStore::open(path) {
        Err(StoreError::ReadOnly { .. }) => ResultStore::open_read_only(path),
        opened => opened,
    }
}

/// Where results are stored unless a run says otherwise: `store.sqlite` in the [`data_folder`].
///
/// # Errors
/// [`TrainingError::Configuration`] if there is none.
pub fn default_store_path() -> Result<PathBuf, TrainingError> {
    data_folder()
        .map(|data| data.join("store.sqlite"))
        .ok_or_else(|| TrainingError::Configuration {
            origin: "evaluation.store".to_owned(),
            message: "'default' needs XDG_DATA_HOME or HOME; name a file or 'none'".to_owned(),
        })
}
