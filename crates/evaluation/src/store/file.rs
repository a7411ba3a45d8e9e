//! What lies at a path, found out without leaving a trace there.

use std::{
    fs::{self, File, FileType, Metadata},
    io::{self, Read},
    os::unix::{ffi::OsStrExt as _, fs::FileTypeExt as _},
    path::{Path, PathBuf},
};

use rusqlite::{Connection, OpenFlags, config::DbConfig};

use super::{
    StoreError,
    layout::{APPLICATION_ID, Layout},
};

const SQLITE_MAGIC: &[u8; 16] = b"SQLite format 3\0";
/// Where SQLite's file header has these, big-endian
/// (<https://www.sqlite.org/fileformat2.html>, section 1.3).
const READ_VERSION_AT: usize = 19;
const APPLICATION_ID_AT: usize = 68;
const HEADER_LENGTH: usize = 72;
/// Read version of a database with a write-ahead log.
const WRITE_AHEAD: u8 = 2;

/// Looks at what is to be a store, before anything is created or changed.
///
/// # Errors
/// [`StoreError::NotAStore`] or [`StoreError::NewerLayout`] if a store can never be there;
/// [`StoreError::Io`].
pub(super) fn inspect(path: &Path) -> Result<Existing, StoreError> {
    let refuse = |found: &str| StoreError::NotAStore {
        path: path.to_owned(),
        found: found.to_owned(),
    };
    match path.as_os_str().as_bytes() {
        b"" => return Err(refuse("the name is empty, expected that of a file")),
        b":memory:" => {
            return Err(refuse(
                "results would be lost at the end, expected the name of a file, or 'none'",
            ));
        }
        _ => {}
    }
    for companion in companions(path) {
        match fs::metadata(&companion) {
            Ok(found) if !found.is_file() => {
                let name = companion.display();
                let found = format!("{name} beside it is {}", describe(found.file_type()));
                return Err(refuse(&found));
            }
            _ => {}
        }
    }
    let Some(metadata) = existing(path)? else {
        return Ok(Existing::Nothing);
    };
    if !metadata.is_file() {
        let found = format!("it is {}, expected a file", describe(metadata.file_type()));
        return Err(refuse(&found));
    }
    let header = read_header(path).map_err(io_error(path))?;
    if header.is_empty() {
        return Ok(Existing::Empty);
    }
    if header.len() < HEADER_LENGTH || !header.starts_with(SQLITE_MAGIC) {
        return Err(refuse("it is not a database"));
    }
    let id: [u8; 4] = std::array::from_fn(|i| header[APPLICATION_ID_AT + i]);
    match i32::from_be_bytes(id) {
        APPLICATION_ID => return Ok(Existing::Store),
        0 => {}
        _ => return Err(refuse("it is another program's database")),
    }
    // A store of the first layout, or anything.
    let write_ahead = header[READ_VERSION_AT] == WRITE_AHEAD;
    let connection = if write_ahead && !has_log(path) {
        open_immutable(path)
    } else {
        open_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY)
    };
    let layout = connection.and_then(|connection| Layout::of(&connection));
    match layout.map_err(|source| open_error(path, source))? {
        Layout::Empty => Ok(Existing::Empty),
        layout => layout.check(path).map(|_| Existing::Store),
    }
}

/// What lies at the path of a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Existing {
    Nothing,
    /// A file without anything in it.
    Empty,
    Store,
}

/// Opens a store to be written. The file is created if need be.
pub(super) fn open_writable(path: &Path) -> Result<Connection, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE;
    let connection = open_flags(path, flags).map_err(|source| open_error(path, source))?;
    // SQLite falls back to reading without a word.
    match connection.is_readonly(rusqlite::MAIN_DB) {
        Ok(false) => Ok(connection),
        Ok(true) => Err(StoreError::ReadOnly {
            path: path.to_owned(),
        }),
        Err(source) => Err(open_error(path, source)),
    }
}

/// Opens a store to be read only, on a read-only medium too.
pub(super) fn open_readable(path: &Path) -> Result<Connection, StoreError> {
    let opened = open_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY).and_then(|connection| {
        // The first access tells.
        connection.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))?;
        Ok(connection)
    });
    let error = match opened {
        Ok(connection) => return Ok(connection),
        Err(error) => error,
    };
    // A write-ahead log needs a file of shared memory beside it. Where none can be made, nobody
    // writes either, and a store without a log can be read as it is.
    let cannot_write = matches!(
        error.sqlite_error_code(),
        Some(rusqlite::ErrorCode::CannotOpen | rusqlite::ErrorCode::ReadOnly)
    );
    if !cannot_write {
        return Err(open_error(path, error));
    }
    if has_log(path) {
        let log = with_suffix(path, "-wal");
        return Err(StoreError::Io {
            path: path.to_owned(),
            source: io::Error::other(format!(
                "some of its results are in {}, which cannot be read on a read-only medium: copy \
                 both files to a folder that can be written",
                log.display()
            )),
        });
    }
    open_immutable(path).map_err(|source| open_error(path, source))
}

/// A connection that believes nothing that a file's schema asks for.
pub(super) fn harden(connection: &Connection) -> Result<(), rusqlite::Error> {
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, false)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_VIEW, false)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    Ok(())
}

fn open_flags(path: &Path, flags: OpenFlags) -> Result<Connection, rusqlite::Error> {
    let connection =
        Connection::open_with_flags(plain_name(path), flags | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    harden(&connection)?;
    Ok(connection)
}

/// A name that SQLite takes as it is: one that begins with `file:` would be a URI, whose
/// parameters could make it a store in memory.
fn plain_name(path: &Path) -> PathBuf {
    Path::new(".").join(path)
}

/// Opens a file that nobody writes: no lock, no file beside it.
fn open_immutable(path: &Path) -> Result<Connection, rusqlite::Error> {
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let encoded: String = absolute
        .as_os_str()
        .as_bytes()
        .iter()
        .map(|&byte| match byte {
            b'/' | b'.' | b'-' | b'_' | b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' => {
                char::from(byte).to_string()
            }
            _ => format!("%{byte:02X}"),
        })
        .collect();
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY
        | OpenFlags::SQLITE_OPEN_URI
        | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(format!("file:{encoded}?immutable=1"), flags)?;
    harden(&connection)?;
    Ok(connection)
}

/// Whether there is a write-ahead log with something in it.
fn has_log(path: &Path) -> bool {
    fs::metadata(with_suffix(path, "-wal")).is_ok_and(|log| log.len() > 0)
}

fn companions(path: &Path) -> [PathBuf; 3] {
    ["-wal", "-shm", "-journal"].map(|suffix| with_suffix(path, suffix))
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

fn existing(path: &Path) -> Result<Option<Metadata>, StoreError> {
    match fs::metadata(path) {
        Ok(metadata) => Ok(Some(metadata)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        // Something above it is no folder: what is to be made of that, who creates it says.
        Err(error) if error.kind() == io::ErrorKind::NotADirectory => Ok(None),
        Err(error) => Err(io_error(path)(error)),
    }
}

fn read_header(path: &Path) -> io::Result<Vec<u8>> {
    let mut header = Vec::with_capacity(HEADER_LENGTH);
    File::open(path)?
        .take(HEADER_LENGTH as u64)
        .read_to_end(&mut header)?;
    Ok(header)
}

fn describe(kind: FileType) -> &'static str {
    if kind.is_dir() {
        "a folder"
    } else if kind.is_fifo() {
        "a pipe"
    } else if kind.is_socket() {
        "a socket"
    } else if kind.is_char_device() || kind.is_block_device() {
        "a device"
    } else {
        "no file"
    }
}

fn io_error(path: &Path) -> impl Fn(io::Error) -> StoreError {
    move |source| StoreError::Io {
        path: path.to_owned(),
        source,
    }
}

fn open_error(path: &Path, source: rusqlite::Error) -> StoreError {
    StoreError::Open {
        path: path.to_owned(),
        source,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_is_a_uri() {
        let plain = plain_name(Path::new("file:x?mode=memory"));
        assert_eq!(plain, Path::new("./file:x?mode=memory"));
        assert_eq!(plain_name(Path::new("/a/b")), Path::new("/a/b"));
    }
}
