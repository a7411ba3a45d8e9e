//! Where models are installed, and where a Python package may have brought one.

use std::{
    env,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use crate::PotentialError;

/// Where a model known by name is installed and looked for:
/// `$XDG_DATA_HOME/crystalgym/models/NAME`, with `~/.local/share` if the variable is not set.
///
/// # Errors
/// [`PotentialError::NoDataFolder`] if neither `XDG_DATA_HOME` nor `HOME` is an absolute path.
pub fn default_folder(name: &str) -> Result<PathBuf, PotentialError> {
    folder_from(
        env::var_os("XDG_DATA_HOME").map(PathBuf::from),
        env::var_os("HOME").map(PathBuf::from),
        name,
    )
}

fn folder_from(
    data_home: Option<PathBuf>,
    home: Option<PathBuf>,
    name: &str,
) -> Result<PathBuf, PotentialError> {
    // The XDG specification says that a relative path is to be ignored.
    let absolute = |path: &PathBuf| Path::is_absolute(path);
    data_home
        .filter(absolute)
        .or_else(|| {
            home.filter(absolute)
                .map(|home| home.join(".local").join("share"))
        })
        .map(|data| data.join("crystalgym").join("models").join(name))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn follows_the_xdg_specification() {
        let folder = |data: Option<&str>, home: Option<&str>| {
            folder_from(data.map(PathBuf::from), home.map(PathBuf::from), "M")
        };
        let end = "crystalgym/models/M";
        assert_eq!(
            folder(Some("/data"), Some("/home/a")).unwrap(),
            Path::new("/data").join(end)
        );
        for ignored in [None, Some(""), Some("relative")] {
            assert_eq!(
                folder(ignored, Some("/home/a")).unwrap(),
                Path::new("/home/a/.local/share").join(end)
            );
            assert!(folder(ignored, None).is_err());
        }
    }
}
