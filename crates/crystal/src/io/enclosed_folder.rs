//! A folder whose contents are not trusted, such as a run that somebody else sent.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read},
    os::unix::fs::OpenOptionsExt as _,
    path::{Component, Path, PathBuf},
};

use nix::fcntl::OFlag;

use crate::{is_unfinished_write, write_atomically};

/// A folder from which nothing leads outside.
///
/// What lies in it is reached by names, never by paths, and never through a link: a folder that
/// comes from somebody else could bring `episodes.csv -> ~/.bashrc` along. Only regular files are
/// opened, so that a pipe does not hang the program and a device does not fill its memory. The
/// folder's own path is the user's word and may be a link.
///
/// A process that changes the folder at the same time could still slip a link in; what is guarded
/// against is a folder that was prepared, not one that is being changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnclosedFolder {
    path: PathBuf,
}

/// What a name in an [`EnclosedFolder`] stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EntryKind {
    /// Nothing has this name.
    Missing,
    /// A regular file.
    File,
    /// A folder.
    Folder,
    /// A link, pipe, socket or device, which is never opened.
    Other,
}

impl EnclosedFolder {
    /// The folder at a path of the user's choice.
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    /// The folder's path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The path of an entry, for messages; nothing is checked.
    pub fn join(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// What lies under a name.
    ///
    /// # Errors
    /// [`io::ErrorKind::InvalidInput`] for a path in place of a name, or any error of the file
    /// system.
    pub fn kind(&self, name: &str) -> io::Result<EntryKind> {
        match fs::symlink_metadata(self.named(name)?) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(EntryKind::Missing),
            Err(error) => Err(error),
            Ok(found) if found.is_file() => Ok(EntryKind::File),
            Ok(found) if found.is_dir() => Ok(EntryKind::Folder),
            Ok(_) => Ok(EntryKind::Other),
        }
    }

    /// The folder of this name inside, `None` if there is none.
    ///
    /// # Errors
    /// As [`Self::kind`]; also if something else has the name, a link to a folder included.
    pub fn subfolder(&self, name: &str) -> io::Result<Option<Self>> {
        match self.kind(name)? {
            EntryKind::Missing => Ok(None),
            EntryKind::Folder => Ok(Some(Self::at(self.join(name)))),
            EntryKind::File => Err(io::Error::from(io::ErrorKind::NotADirectory)),
            EntryKind::Other => Err(not_followed("a folder")),
        }
    }

    /// The folder of this name inside, made if it is missing.
    ///
    /// # Errors
    /// As [`Self::subfolder`].
    pub fn make_subfolder(&self, name: &str) -> io::Result<Self> {
        if let Some(found) = self.subfolder(name)? {
            return Ok(found);
        }
        match fs::create_dir(self.named(name)?) {
            Ok(()) => self.sync()?,
            // Another thread or process was faster.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
        self.subfolder(name)?
            .ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    /// Names of everything inside that has a name in UTF-8, in alphabetical order.
    ///
    /// # Errors
    /// Any error of the file system.
    pub fn names(&self) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(&self.path)? {
            names.extend(entry?.file_name().into_string());
        }
        names.sort();
        Ok(names)
    }

    /// Opens a file to read.
    ///
    /// # Errors
    /// [`io::ErrorKind::InvalidInput`] for a path in place of a name and for what is no regular
    /// file, or any error of the file system.
    pub fn open(&self, name: &str) -> io::Result<File> {
        self.open_with(name, OpenOptions::new().read(true))
    }

    /// Opens a file to write, made if it is missing; what it holds stays.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn open_to_write(&self, name: &str) -> io::Result<File> {
        let mut options = OpenOptions::new();
        self.open_with(name, options.read(true).write(true).create(true))
    }

    /// Reads a file of at most `most_bytes`.
    ///
    /// # Errors
    /// As [`Self::open`]; [`io::ErrorKind::InvalidData`] for a larger one.
    pub fn read(&self, name: &str, most_bytes: u64) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        let mut file = self.open(name)?.take(most_bytes.saturating_add(1));
        if file.get_ref().metadata()?.len() <= most_bytes {
            file.read_to_end(&mut bytes)?;
            if bytes.len() as u64 <= most_bytes {
                return Ok(bytes);
            }
        }
        let message = format!("it has more than {most_bytes} bytes");
        Err(io::Error::new(io::ErrorKind::InvalidData, message))
    }

    /// Reads a text of at most `most_bytes`.
    ///
    /// # Errors
    /// As [`Self::read`]; [`io::ErrorKind::InvalidData`] for what is no UTF-8.
    pub fn read_text(&self, name: &str, most_bytes: u64) -> io::Result<String> {
        String::from_utf8(self.read(name, most_bytes)?)
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
    }

    /// Replaces a file whole or not at all.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn write(&self, name: &str, data: &[u8]) -> io::Result<()> {
        match self.kind(name)? {
            EntryKind::Missing | EntryKind::File => write_atomically(&self.named(name)?, data),
            EntryKind::Folder => Err(io::Error::from(io::ErrorKind::IsADirectory)),
            EntryKind::Other => Err(not_followed("a file")),
        }
    }

    /// Removes a file, a link itself, or a folder with all that it holds; nothing if it is missing.
    ///
    /// # Errors
    /// As [`Self::kind`].
    pub fn remove(&self, name: &str) -> io::Result<()> {
        let path = self.named(name)?;
        match self.kind(name)? {
            EntryKind::Missing => Ok(()),
            EntryKind::Folder => fs::remove_dir_all(path),
            EntryKind::File | EntryKind::Other => fs::remove_file(path),
        }
    }

    /// Removes what processes that were killed while they wrote `target` have left beside it.
    ///
    /// # Errors
    /// The file system's.
    pub fn sweep(&self, target: &str) -> io::Result<()> {
        for name in self.names()? {
            if is_unfinished_write(&name, target) {
                self.remove(&name)?;
            }
        }
        Ok(())
    }

    /// Gives an entry another name, which must be free.
    ///
    /// # Errors
    /// As [`Self::kind`]; [`io::ErrorKind::AlreadyExists`] if it is not free.
    pub fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        if self.kind(to)? != EntryKind::Missing {
            return Err(io::Error::from(io::ErrorKind::AlreadyExists));
        }
        fs::rename(self.named(from)?, self.named(to)?)
    }

    /// Lets two entries swap their names in one step.
    ///
    /// # Errors
    /// [`io::ErrorKind::Unsupported`] where the file system or the operating system cannot, or any
    /// other error of the file system.
    pub fn exchange(&self, one: &str, other: &str) -> io::Result<()> {
        let (one, other) = (self.named(one)?, self.named(other)?);
        exchange(&one, &other)
    }

    /// Puts the names of what lies inside on disk.
    ///
    /// # Errors
    /// Any error of the file system.
    pub fn sync(&self) -> io::Result<()> {
        File::open(&self.path)?.sync_all()
    }

    fn open_with(&self, name: &str, options: &mut OpenOptions) -> io::Result<File> {
        let path = self.named(name)?;
        if self.kind(name)? == EntryKind::Other {
            return Err(not_followed("a file"));
        }
        // A pipe must not wait for its other end before it is seen to be one.
        let flags = OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK;
        let file = options.custom_flags(flags.bits()).open(path)?;
        match file.metadata()?.is_file() {
            true => Ok(file),
            false => Err(not_followed("a file")),
        }
    }

    /// The path of an entry whose name is one.
    fn named(&self, name: &str) -> io::Result<PathBuf> {
        let mut components = Path::new(name).components();
        match (components.next(), components.next()) {
            (Some(Component::Normal(only)), None) if only == name => Ok(self.path.join(name)),
            _ => Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                format!("{name:?} is no name of a file"),
            )),
        }
    }
}

#[cfg(all(target_os = "linux", target_env = "gnu"))]
fn exchange(one: &Path, other: &Path) -> io::Result<()> {
    use nix::{
        errno::Errno,
        fcntl::{AT_FDCWD, RenameFlags, renameat2},
    };
    let flags = RenameFlags::RENAME_EXCHANGE;
    renameat2(AT_FDCWD, one, AT_FDCWD, other, flags).map_err(|error| match error {
        Errno::EINVAL | Errno::ENOSYS | Errno::EXDEV | Errno::EOPNOTSUPP => {
            io::Error::from(io::ErrorKind::Unsupported)
        }
        other => other.into(),
    })
}

#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
fn exchange(_one: &Path, _other: &Path) -> io::Result<()> {
    Err(io::Error::from(io::ErrorKind::Unsupported))
}

fn not_followed(expected: &str) -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidInput,
        format!("a link, pipe or device where {expected} should be; it is not opened"),
    )
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use nix::{sys::stat::Mode, unistd::mkfifo};

    use super::*;

    fn folders() -> (tempfile::TempDir, EnclosedFolder) {
        let root = tempfile::tempdir().unwrap();
        fs::write(root.path().join("victim"), "precious").unwrap();
        let inside = root.path().join("inside");
        fs::create_dir(&inside).unwrap();
        (root, EnclosedFolder::at(inside))
    }

    #[test]
    fn many_make_one_folder_at_once() {
        let (_root, folder) = folders();
        for round in 0..50 {
            let name = format!("jobs-{round}");
            std::thread::scope(|scope| {
                let made: Vec<_> = (0..8)
                    .map(|_| scope.spawn(|| folder.make_subfolder(&name)))
                    .collect();
                for one in made {
                    assert_eq!(one.join().unwrap().unwrap().path(), folder.join(&name));
                }
            });
        }
    }

    #[test]
    fn names_are_never_paths() {
        let (root, folder) = folders();
        for name in [
            "",
            ".",
            "..",
            "../victim",
            "/etc/passwd",
            "a/b",
            "a/",
            "./a",
            "a/../a",
        ] {
            let refused = [
                folder.read(name, 10).map(|_| ()),
                folder.write(name, b"x"),
                folder.open_to_write(name).map(|_| ()),
                folder.remove(name),
                folder.make_subfolder(name).map(|_| ()),
                folder.rename(name, "b"),
                folder.rename("b", name),
            ];
            for result in refused {
                let kind = result.unwrap_err().kind();
                assert_eq!(kind, io::ErrorKind::InvalidInput, "{name:?}");
            }
        }
        assert!(folder.read("a\0b", 10).is_err());
        let victim = root.path().join("victim");
        assert_eq!(fs::read_to_string(victim).unwrap(), "precious");
    }

    #[test]
    fn no_link_is_followed() {
        let (root, folder) = folders();
        let victim = root.path().join("victim");
        symlink(&victim, folder.join("file")).unwrap();
        symlink(root.path(), folder.join("folder")).unwrap();
        symlink(root.path().join("nothing"), folder.join("dangling")).unwrap();
        for name in ["file", "folder", "dangling"] {
            assert_eq!(folder.kind(name).unwrap(), EntryKind::Other);
            for result in [
                folder.read(name, 100).map(|_| ()),
                folder.write(name, b"x"),
                folder.open_to_write(name).map(|_| ()),
                folder.subfolder(name).map(|_| ()),
                folder.make_subfolder(name).map(|_| ()),
            ] {
                let message = result.unwrap_err().to_string();
                assert!(message.contains("not opened"), "{name}: {message}");
            }
            folder.remove(name).unwrap();
            assert_eq!(folder.kind(name).unwrap(), EntryKind::Missing);
        }
        assert_eq!(fs::read_to_string(victim).unwrap(), "precious");
        assert!(!root.path().join("nothing").exists());
    }

    #[test]
    fn pipes_and_devices_do_not_hang() {
        let (_root, folder) = folders();
        mkfifo(&folder.join("pipe"), Mode::S_IRWXU).unwrap();
        assert!(folder.read("pipe", 10).is_err());
        assert!(folder.open_to_write("pipe").is_err());
        assert!(folder.write("pipe", b"x").is_err());
    }

    #[test]
    fn what_is_regular_is_read_and_replaced() {
        let (_root, folder) = folders();
        folder.write("a", b"first").unwrap();
        folder.write("a", b"second").unwrap();
        assert_eq!(folder.read_text("a", 6).unwrap(), "second");
        let large = folder.read("a", 5).unwrap_err();
        assert_eq!(large.kind(), io::ErrorKind::InvalidData);
        let inner = folder.make_subfolder("b").unwrap();
        inner.write("c", b"x").unwrap();
        assert_eq!(folder.names().unwrap(), ["a", "b"]);
        assert!(folder.rename("a", "b").is_err());
        folder.remove("b").unwrap();
        folder.rename("a", "b").unwrap();
        assert_eq!(folder.names().unwrap(), ["b"]);
    }

    #[test]
    fn entries_swap_their_names_in_one_step() {
        let (_root, folder) = folders();
        folder
            .make_subfolder("old")
            .unwrap()
            .write("x", b"1")
            .unwrap();
        folder
            .make_subfolder("new")
            .unwrap()
            .write("x", b"2")
            .unwrap();
        match folder.exchange("old", "new") {
            Err(error) => assert_eq!(error.kind(), io::ErrorKind::Unsupported),
            Ok(()) => {
                let old = folder.subfolder("old").unwrap().unwrap();
                assert_eq!(old.read_text("x", 1).unwrap(), "2");
            }
        }
    }
}
