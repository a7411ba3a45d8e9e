//! Which table a name means.

use std::path::{Path, PathBuf};

use crystalgym_table::TableFolder;

/// Where tables are made unless their name is a path.
const TABLES: &str = "tables";

/// The folder of a table: `tables/NAME`, or NAME itself where it is a path.
pub(super) fn folder(name: &str) -> TableFolder {
    let path = match name.contains('/') {
        true => PathBuf::from(name),
        false => Path::new(TABLES).join(name),
    };
    TableFolder::at(path)
}
