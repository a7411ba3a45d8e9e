//! What lies in a folder already.

use std::io;

use crystalgym_crystal::EnclosedFolder;

/// The names of what lies in a folder, which may not be there yet.
pub(super) fn names_in(folder: &EnclosedFolder) -> io::Result<Vec<String>> {
    match folder.names() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        names => names,
    }
}
