//! The bytes of a file, up to a limit.

use std::{
    fs::{self, File},
    io::{self, Read},
    path::Path,
};

/// The most that is read of one file.
const LARGEST_BYTES: u64 = 256 * 1024 * 1024;

/// Opens a regular file to be read.
///
/// A pipe or a device at the end of the path is refused, since opening or reading it may never end; what
/// the caller has open already (`/dev/stdin`, a shell's `<(…)`) is read.
///
/// # Errors
/// Any of the file system; [`io::ErrorKind::InvalidInput`] for what is no regular file.
pub fn open_regular(path: &Path) -> io::Result<File> {
    let open_already = ["/dev/stdin", "/dev/fd", "/proc/self/fd"]
        .iter()
        .any(|start| path.starts_with(start));
    let metadata = fs::metadata(path)?;
    if metadata.is_dir() {
        let message = "this is a folder, expected a file";
        return Err(io::Error::new(io::ErrorKind::IsADirectory, message));
    }
    if !metadata.is_file() && !open_already {
        let message = "this is a pipe or a device, expected a regular file";
        return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
    }
    File::open(path)
}

/// The bytes of a file of up to 256 MiB.
///
/// # Errors
/// As [`open_regular`]; [`io::ErrorKind::FileTooLarge`].
pub fn read_bytes(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    open_regular(path)?
        .take(LARGEST_BYTES + 1)
        .read_to_end(&mut bytes)?;
    if bytes.len() as u64 > LARGEST_BYTES {
        let message = format!(
            "the file has more than {} MiB, expected less",
            LARGEST_BYTES / 1024 / 1024
        );
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, message));
    }
    Ok(bytes)
}

/// The text of a file of up to 256 MiB.
///
/// # Errors
/// As [`read_bytes`]; [`io::ErrorKind::InvalidData`] for what is no UTF-8.
pub fn read_text(path: &Path) -> io::Result<String> {
    String::from_utf8(read_bytes(path)?)
        .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error.utf8_error()))
}
