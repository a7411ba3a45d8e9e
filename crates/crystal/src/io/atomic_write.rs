//! The one way in which files are written: whole or not at all, and without harm to what was there.

use std::{
    fs::{self, File, Metadata, OpenOptions, Permissions},
    io::{self, Seek, Write},
    os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt, PermissionsExt, fchown},
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use nix::{
    errno::Errno,
    fcntl::{FcntlArg, OFlag, fcntl},
};
use tempfile::NamedTempFile;
use xattr::FileExt;

/// Replaces a file in one step; [`AtomicFile`] says how.
///
/// # Errors
/// Any error of the file system; the old file is then untouched.
pub fn write_atomically(path: &Path, data: &[u8]) -> io::Result<()> {
    let mut file = AtomicFile::create(path)?;
    file.write_all(data)?;
    file.commit()
}

/// A file that others see only once it is whole.
///
/// What is written goes to a temporary file in the same folder; [`commit`](Self::commit) puts it on
/// disk and renames it, so that a reader or a crash sees the old file or the new one, never half of
/// it. Dropped without that, it leaves the old file as it was.
///
/// Symbolic links are followed, to files that do not exist yet too. The new file keeps the mode, the
/// owner and the extended attributes (access lists among them) of the old one; where there was none,
/// it gets the mode that the process gives new files. Other names of the old file (hard links) keep
/// the old contents. A file that may not be written is not replaced.
///
/// Where a rename would do harm or is not allowed, the file itself is written: what is no regular
/// file (a pipe that a program reads from, a device, a terminal) at once, as it comes; a file whose folder may not be written,
/// or whose owner or attributes could not be kept, at the end, and its old contents are put back
/// should that fail.
#[derive(Debug)]
pub struct AtomicFile(Target);

#[derive(Debug)]
enum Target {
    /// A temporary file that is to take the place of `path`.
    Replacement {
        temporary: NamedTempFile,
        path: PathBuf,
        permissions: Option<Permissions>,
    },
    /// A regular file that cannot be replaced, and what is to be in it.
    InPlace {
        file: File,
        path: PathBuf,
        data: Vec<u8>,
    },
    /// No regular file.
    Stream(File),
}

impl AtomicFile {
    /// Begins a file that is to stand at `path`.
    ///
    /// # Errors
    /// Any error of the file system, that the old file may not be written among them.
    pub fn create(path: &Path) -> io::Result<Self> {
        if path.file_name().is_none() {
            let message = "the path has no file name";
            return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
        }
        let old = match fs::metadata(path) {
            Ok(old) => Some(old),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(error),
        };
        let last_link = follow_links(path)?;
        let Some(old) = old else {
            let path = last_link;
            let temporary = temporary_beside(&path, 0o666)?;
            return Ok(Self(Target::Replacement {
                temporary,
                path,
                permissions: None,
            }));
        };
        if old.is_dir() {
            let message = "this is a folder, expected a file";
            return Err(io::Error::new(io::ErrorKind::IsADirectory, message));
        }
        // What the process has open (/dev/stdout) is nobody's to replace: others write there too.
        if !old.is_file() || last_link.starts_with("/proc") {
            let file = match old.file_type().is_fifo() && !last_link.starts_with("/proc") {
                true => open_pipe(path, WAIT_FOR_A_READER)?,
                false => OpenOptions::new().append(true).open(path)?,
            };
            return Ok(Self(Target::Stream(file)));
        }
        // Fails where the file may not be written, although its folder would allow a rename.
        let file = OpenOptions::new().write(true).open(path)?;
        let path = fs::canonicalize(path)?;
        let target = match temporary_like(&path, &old) {
            Ok(temporary) => Target::Replacement {
                temporary,
                path,
                permissions: Some(old.permissions()),
            },
            Err(_) => Target::InPlace {
                file,
                path,
                data: Vec::new(),
            },
        };
        Ok(Self(target))
    }

    /// Puts the file on disk and in its place.
    ///
    /// # Errors
    /// Any error of the file system; the old file is then untouched.
    pub fn commit(self) -> io::Result<()> {
        match self.0 {
            Target::Replacement {
                temporary,
                path,
                permissions,
            } => {
                if let Some(permissions) = permissions {
                    temporary.as_file().set_permissions(permissions)?;
                }
                temporary.as_file().sync_all()?;
                temporary.persist(&path)?;
                // The rename itself is on disk only once the folder is, which not all may open.
                match File::open(folder_of(&path)) {
                    Ok(folder) => folder.sync_all(),
                    Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Ok(()),
                    Err(error) => Err(error),
                }
            }
            Target::InPlace {
                mut file,
                path,
                data,
            } => {
                let before = fs::read(path);
                overwrite(&mut file, &data).inspect_err(|_| {
                    let _ = before.and_then(|before| overwrite(&mut file, &before));
                })
            }
            Target::Stream(mut file) => file.flush(),
        }
    }
}

impl Write for AtomicFile {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        match &mut self.0 {
            Target::Replacement { temporary, .. } => temporary.write(data),
            Target::InPlace { data: all, .. } => all.write(data),
            Target::Stream(file) => file.write(data),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match &mut self.0 {
            Target::Replacement { temporary, .. } => temporary.flush(),
            Target::InPlace { .. } => Ok(()),
            Target::Stream(file) => file.flush(),
        }
    }
}

/// How long a pipe may be without a program that reads it.
const WAIT_FOR_A_READER: Duration = Duration::from_secs(5);

/// Opens a pipe to write. Without a reader that would never end.
fn open_pipe(path: &Path, wait: Duration) -> io::Result<File> {
    let begun = Instant::now();
    let file = loop {
        let mut options = OpenOptions::new();
        options.append(true).custom_flags(OFlag::O_NONBLOCK.bits());
        match options.open(path) {
            Err(error) if error.raw_os_error() == Some(Errno::ENXIO as i32) => {
                if begun.elapsed() >= wait {
                    let message = "no program reads from this pipe";
                    return Err(io::Error::new(io::ErrorKind::NotConnected, message));
                }
                thread::sleep(Duration::from_millis(20));
            }
            opened => break opened?,
        }
    };
    fcntl(&file, FcntlArg::F_SETFL(OFlag::O_APPEND))?;
    Ok(file)
}

fn overwrite(file: &mut File, data: &[u8]) -> io::Result<()> {
    file.rewind()?;
    file.write_all(data)?;
    file.set_len(data.len() as u64)?;
    file.sync_all()
}

fn folder_of(path: &Path) -> &Path {
    path.parent()
        .filter(|folder| !folder.as_os_str().is_empty())
        .unwrap_or(Path::new("."))
}

/// Where symbolic links lead, be there a file or not; not further than into /proc, whose links are
/// no paths.
fn follow_links(path: &Path) -> io::Result<PathBuf> {
    /// As many as Linux follows.
    const MOST_LINKS: usize = 40;
    let mut path = path.to_owned();
    for _ in 0..MOST_LINKS {
        let is_link = fs::symlink_metadata(&path).is_ok_and(|metadata| metadata.is_symlink());
        if !is_link || path.starts_with("/proc") {
            return Ok(path);
        }
        path = folder_of(&path).join(fs::read_link(&path)?);
    }
    let message = "too many symbolic links";
    Err(io::Error::new(io::ErrorKind::InvalidInput, message))
}

const TEMPORARY_SUFFIX: &str = ".tmp";

fn temporary_prefix(target: &str) -> String {
    let short: String = target.chars().take(40).collect();
    format!(".{short}.")
}

/// Whether a name is that of a file under which `target` was being written when the process died.
pub fn is_unfinished_write(name: &str, target: &str) -> bool {
    name.strip_prefix(&temporary_prefix(target))
        .is_some_and(|rest| rest.ends_with(TEMPORARY_SUFFIX))
}

/// A temporary file in the folder of `path`, with a mode that the process's mask restricts.
fn temporary_beside(path: &Path, mode: u32) -> io::Result<NamedTempFile> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    tempfile::Builder::new()
        .prefix(&temporary_prefix(&name))
        .suffix(TEMPORARY_SUFFIX)
        .permissions(Permissions::from_mode(mode))
        .tempfile_in(folder_of(path))
}

/// A temporary file beside the existing `path`, with its owner and extended attributes. Nobody else
/// may read it yet.
fn temporary_like(path: &Path, old: &Metadata) -> io::Result<NamedTempFile> {
    let temporary = temporary_beside(path, 0o600)?;
    let file = temporary.as_file();
    let new = file.metadata()?;
    if (new.uid(), new.gid()) != (old.uid(), old.gid()) {
        fchown(file, Some(old.uid()), Some(old.gid()))?;
    }
    // A file system without attributes has none to keep.
    for name in xattr::list(path).into_iter().flatten() {
        if let Some(value) = xattr::get(path, &name)?
            && file.get_xattr(&name)?.as_ref() != Some(&value)
        {
            file.set_xattr(&name, &value)?;
        }
    }
    Ok(temporary)
}
