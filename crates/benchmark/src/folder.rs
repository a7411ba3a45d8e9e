//! The folder of a benchmark: the names of what it holds, and whether it is one.

use std::path::{Path, PathBuf};

use crystalgym_crystal::{EnclosedFolder, EntryKind};

use crate::BenchmarkError;

/// The folder of a benchmark. Nobody else knows the names in it.
#[derive(Debug, Clone, Copy)]
pub struct BenchmarkFolder<'p>(&'p Path);

impl<'p> BenchmarkFolder<'p> {
    /// Folder with one folder per job.
    pub(crate) const JOBS: &'static str = "jobs";
    /// Store of results, unless another one is named.
    const STORE: &'static str = "store.sqlite";

    /// The benchmark at a path, whether there is one or not.
    pub fn at(path: &'p Path) -> Self {
        Self(path)
    }

    /// The store of results, unless another one is named.
    ///
    /// # Errors
    /// [`BenchmarkError::Folder`] for a link, pipe or device in its place, which a folder of somebody else
    /// can bring along.
    pub fn store(self) -> Result<PathBuf, BenchmarkError> {
        let path = self.0.join(Self::STORE);
        match EnclosedFolder::at(self.0).kind(Self::STORE) {
            Ok(EntryKind::Other | EntryKind::Folder) => {
                let message = "is no regular file: no store is opened there".to_owned();
                Err(BenchmarkError::folder(path, message))
            }
            _ => Ok(path),
        }
    }

    /// The folder of the jobs.
    pub fn jobs(self) -> PathBuf {
        self.0.join(Self::JOBS)
    }

    /// The folder of one job.
    pub fn job(self, id: &str) -> PathBuf {
        self.jobs().join(id)
    }

    /// Whether it holds jobs. A link to a folder is none: a benchmark holds its jobs itself.
    pub fn holds_jobs(self) -> bool {
        let kind = EnclosedFolder::at(self.0).kind(Self::JOBS);
        kind.is_ok_and(|kind| kind == EntryKind::Folder)
    }

    /// Refuses a folder that is not empty and holds no jobs: it belongs to somebody. What a start
    /// leaves that was killed before it made the folder a benchmark does not count: its store.
    pub(crate) fn refuse_foreign(self) -> Result<(), BenchmarkError> {
        if self.holds_jobs() {
            return Ok(());
        }
        let names = EnclosedFolder::at(self.0).names();
        let names = names.map_err(BenchmarkError::io(self.0))?;
        // SQLite keeps files beside its own.
        let ours = |name: &str| name.starts_with(Self::STORE);
        match names.iter().find(|name| !ours(name)) {
            None => Ok(()),
            Some(name) => {
                let message = format!(
                    "is not empty and holds no benchmark (there is {name:?}); choose another folder"
                );
                Err(BenchmarkError::folder(self.0, message))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::symlink};

    use super::*;

    #[test]
    fn a_store_that_a_link_leads_to_is_none() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("benchmark");
        let benchmark = BenchmarkFolder::at(&folder);
        let store = benchmark.store().unwrap();
        fs::create_dir(&folder).unwrap();
        symlink(root.path().join("elsewhere.sqlite"), &store).unwrap();
        assert!(benchmark.store().is_err());
        fs::remove_file(&store).unwrap();
        fs::write(&store, "").unwrap();
        assert_eq!(benchmark.store().unwrap(), store);
    }
}
