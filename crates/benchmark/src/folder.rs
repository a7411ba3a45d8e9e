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
    pub fn store(self) -> PathBuf {
        self.0.join(Self::STORE)
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
