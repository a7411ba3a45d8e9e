//! Names of files in a family's folder.

use std::path::{Component, Path};

/// Name of a manifest.
pub(crate) const MANIFEST_FILE_NAME: &str = "family.toml";

/// Whether `name` is one ordinary path component, so that joining it cannot leave the folder.
pub(crate) fn is_plain_file_name(name: &str) -> bool {
    let mut components = Path::new(name).components();
    matches!(components.next(), Some(Component::Normal(_)))
        && components.next().is_none()
        && !name.contains(['/', '\\', '\0'])
}

/// Whether a file is a UPF file by its name.
pub(crate) fn is_upf_name(path: &Path) -> bool {
    path.extension()
        .is_some_and(|extension| extension.eq_ignore_ascii_case("upf"))
}
