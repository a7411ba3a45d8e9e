//! Where models are installed, and where a Python package may have brought one.

use std::{
    env,
    path::PathBuf,
    process::{Command, Stdio},
};

use crystalgym_crystal::data_folder;

use crate::PotentialError;

/// Where a model known by name is installed and looked for: `models/NAME` in the [`data_folder`].
///
/// # Errors
/// [`PotentialError::NoDataFolder`] if there is none.
pub fn default_folder(name: &str) -> Result<PathBuf, PotentialError> {
    data_folder()
        .map(|data| data.join("models").join(name))
        .ok_or(PotentialError::NoDataFolder)
}

/// The folder of an installed Python package, which is looked up and not imported: by the
/// interpreter that `CRYSTALGYM_PYTHON` names, or `python3`.
pub(super) fn python_package(name: &str) -> Option<PathBuf> {
    // Not from the working folder, where anything may lie.
    const SCRIPT: &str = "import sys; sys.path = [folder for folder in sys.path if folder]; \
        import importlib.util; \
        spec = importlib.util.find_spec(sys.argv[1]); \
        print(spec.submodule_search_locations[0])";
    let interpreter = env::var_os("CRYSTALGYM_PYTHON").unwrap_or_else(|| "python3".into());
    let output = Command::new(interpreter)
        .args(["-c", SCRIPT, name])
        .stderr(Stdio::null())
        .output()
        .ok()
        .filter(|output| output.status.success())?;
    let path = PathBuf::from(String::from_utf8(output.stdout).ok()?.trim_end());
    path.is_dir().then_some(path)
}
