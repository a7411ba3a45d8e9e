//! Where the program keeps what it is given and what it computes for good.

use std::{env, path::PathBuf};

/// The folder for data that belong to a user: `$XDG_DATA_HOME/crystalgym`, with `~/.local/share` if the
/// variable is not set. `None` if neither it nor `HOME` is an absolute path.
///
/// Source: XDG Base Directory Specification, which says that a relative path is to be ignored.
pub fn data_folder() -> Option<PathBuf> {
    let variable = |name| env::var_os(name).map(PathBuf::from);
    folder_from(variable("XDG_DATA_HOME"), variable("HOME"))
}

fn folder_from(data_home: Option<PathBuf>, home: Option<PathBuf>) -> Option<PathBuf> {
    let absolute = |path: &PathBuf| path.is_absolute();
    let of_home = || Some(home.filter(absolute)?.join(".local").join("share"));
    let data = data_home.filter(absolute).or_else(of_home)?;
    Some(data.join("crystalgym"))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn follows_the_xdg_specification() {
        let folder = |data: Option<&str>, home: Option<&str>| {
            folder_from(data.map(PathBuf::from), home.map(PathBuf::from))
        };
        assert_eq!(
            folder(Some("/data"), Some("/home/a")).as_deref(),
            Some(Path::new("/data/crystalgym"))
        );
        for ignored in [None, Some(""), Some("relative")] {
            assert_eq!(
                folder(ignored, Some("/home/a")).as_deref(),
                Some(Path::new("/home/a/.local/share/crystalgym"))
            );
            assert_eq!(folder(ignored, None), None);
            assert_eq!(folder(ignored, Some("relative")), None);
        }
    }
}
