//! Where families are installed.

use std::path::PathBuf;

use crystalgym_crystal::data_folder;

use crate::PseudopotentialError;

/// Where a family known by name is installed and looked for: `pseudopotentials/NAME` in the
/// [`data_folder`].
///
/// # Errors
/// [`PseudopotentialError::NoDataFolder`] if there is none.
pub fn default_folder(family: &str) -> Result<PathBuf, PseudopotentialError> {
    data_folder()
        .map(|data| data.join("pseudopotentials").join(family))
        .ok_or(PseudopotentialError::NoDataFolder)
}
