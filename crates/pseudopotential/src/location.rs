//! Where families are installed.

use std::{
    env,
    path::{Path, PathBuf},
};

use crate::PseudopotentialError;

/// Where a family known by name is installed and looked for:
/// `$XDG_DATA_HOME/crystalgym/pseudopotentials/NAME`, with `~/.local/share` if the variable is not
/// set.
///
/// # Errors
/// [`PseudopotentialError::NoDataFolder`] if neither `XDG_DATA_HOME` nor `HOME` is an absolute
/// path.
pub fn default_folder(family: &str) -> Result<PathBuf, PseudopotentialError> {
    folder_from(
        env::var_os("XDG_DATA_HOME").map(PathBuf::from),
        env::var_os("HOME").map(PathBuf::from),
        family,
    )
}

fn folder_from(
    data_home: Option<PathBuf>,
    home: Option<PathBuf>,
    family: &str,
) -> Result<PathBuf, PseudopotentialError> {
    // The XDG specification says that a relative path is to be ignored.
    let absolute = |path: &PathBuf| Path::is_absolute(path);
    data_home
        .filter(absolute)
        .or_else(|| {
            home.filter(absolute)
                .map(|home| home.join(".local").join("share"))
        })
        .map(|data| {
            data.join("crystalgym")
                .join("pseudopotentials")
                .join(family)
        })
        .ok_or(PseudopotentialError::NoDataFolder)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn follows_the_xdg_specification() {
        let folder = |data: Option<&str>, home: Option<&str>| {
            folder_from(data.map(PathBuf::from), home.map(PathBuf::from), "F")
        };
        let end = "crystalgym/pseudopotentials/F";
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
