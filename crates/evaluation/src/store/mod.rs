//! Results that nobody computes twice, in one SQLite file for any number of processes.

mod check;
mod claim;
mod error;
mod export;
mod file;
mod heartbeat;
mod key;
mod layout;
mod lease;
mod memory;
mod process_identity;
mod row;
mod shared;

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use rusqlite::Connection;

pub use claim::{Claim, Claimed};
pub use error::StoreError;
pub use export::ExportFormat;
pub use key::StoreKey;
pub use row::{DamagedResult, StoredResult};

use crate::Outcome;
use file::Existing;
use heartbeat::Heartbeat;
use lease::{LEASE, LeaseTimes};
use memory::Memory;
use row::select_outcome;
use shared::Shared;

/// How long to wait for another process's transaction; they take milliseconds.
const LOCK_TIMEOUT: Duration = Duration::from_secs(20);

/// A shared store of results, safe to use from many threads and processes of one machine.
///
/// A result is written in one transaction with full synchronisation: once [`Self::finish`] has
/// returned without an error, no kill loses it. The file must not lie on a network file system.
#[derive(Debug)]
pub struct ResultStore {
    shared: Arc<Shared>,
    heartbeat: Mutex<Option<Heartbeat>>,
    /// The process that opened it; neither a connection nor a thread survives a fork.
    process: u32,
}

impl ResultStore {
    /// Opens the store, creating the file and its folder if need be.
    ///
    /// # Errors
    /// [`StoreError`] if the path is not writable, no store, or of a newer layout.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        Self::open_with_timeout(path, LOCK_TIMEOUT)
    }

    /// As [`Self::open`], waiting at most `lock_timeout` for other processes.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn open_with_timeout(path: &Path, lock_timeout: Duration) -> Result<Self, StoreError> {
        Self::open_with(path, lock_timeout, LEASE)
    }

    fn open_with(path: &Path, lock_timeout: Duration, lease: Duration) -> Result<Self, StoreError> {
        file::inspect(path)?;
        if let Some(folder) = path
            .parent()
            .filter(|folder| !folder.as_os_str().is_empty())
        {
            std::fs::create_dir_all(folder).map_err(|source| StoreError::Folder {
                path: folder.to_owned(),
                source,
            })?;
        }
        let connection = file::open_writable(path)?;
        let store = Self::of(path.to_owned(), connection, lock_timeout, lease);
        store.prepare()?;
        Ok(store)
    }

    /// Opens a store that is there, to look into it: nothing is created or changed, and it may lie
    /// on a read-only medium. Results cannot be added.
    ///
    /// # Errors
    /// [`StoreError`] if there is no store.
    pub fn open_read_only(path: &Path) -> Result<Self, StoreError> {
        let missing = match file::inspect(path)? {
            Existing::Store => None,
            Existing::Nothing => Some("there is no such file"),
            Existing::Empty => Some("the file is empty"),
        };
        if let Some(found) = missing {
            return Err(StoreError::NotAStore {
                path: path.to_owned(),
                found: found.to_owned(),
            });
        }
        let connection = file::open_readable(path)?;
        let store = Self::of(path.to_owned(), connection, LOCK_TIMEOUT, LEASE);
        let layout = layout::Layout::of(&store.shared.connection());
        layout
            .map_err(|source| store.shared.error(source))?
            .check(path)?;
        Ok(store)
    }

    /// A store that lives and dies with this process.
    ///
    /// # Errors
    /// [`StoreError::Open`] if SQLite cannot even do that.
    pub fn in_memory() -> Result<Self, StoreError> {
        let path = PathBuf::from(":memory:");
        let connection = Connection::open_in_memory()
            .and_then(|connection| file::harden(&connection).map(|()| connection))
            .map_err(|source| StoreError::Open {
                path: path.clone(),
                source,
            })?;
        let store = Self::of(path, connection, LOCK_TIMEOUT, LEASE);
        store.prepare()?;
        Ok(store)
    }

    fn of(path: PathBuf, connection: Connection, lock_timeout: Duration, lease: Duration) -> Self {
        Self {
            shared: Arc::new(Shared {
                path,
                connection: Mutex::new(connection),
                lock_timeout,
                times: LeaseTimes::new(lease),
                memory: Memory::new(),
            }),
            heartbeat: Mutex::default(),
            process: std::process::id(),
        }
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.shared.path
    }

    fn prepare(&self) -> Result<(), StoreError> {
        let shared = &self.shared;
        let mut connection = shared.connection();
        // Before the write-ahead log, so that the file itself says what it is.
        layout::bring_up_to_date(&mut connection, &shared.path, |source| shared.error(source))?;
        shared
            .set_journal_mode(&connection)
            .and_then(|()| connection.pragma_update(None, "synchronous", "FULL"))
            .map_err(|source| shared.error(source))
    }

    /// The stored outcome for the crystal as it was asked for, if there is one.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`] or [`StoreError::Locked`].
    pub fn get(&self, key: &StoreKey) -> Result<Option<Outcome>, StoreError> {
        let shared = &self.shared;
        let outcome = match shared.memory.unwritten(key) {
            Some(outcome) => Some(outcome),
            None => {
                select_outcome(&shared.connection(), key).map_err(|source| shared.error(source))?
            }
        };
        Ok(outcome.map(|outcome| key.as_asked(outcome)))
    }

    fn start_heartbeat(&self) {
        let mut heartbeat = self
            .heartbeat
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if heartbeat.is_none() {
            *heartbeat = Heartbeat::start(Arc::clone(&self.shared));
        }
    }
}

impl Drop for ResultStore {
    fn drop(&mut self) {
        let heartbeat = self
            .heartbeat
            .get_mut()
            .unwrap_or_else(PoisonError::into_inner);
        let heartbeat = heartbeat.take();
        if std::process::id() != self.process {
            // Closing a connection of the parent would drop the parent's locks.
            std::mem::forget(Arc::clone(&self.shared));
            std::mem::forget(heartbeat);
            return;
        }
        if let Some(heartbeat) = heartbeat {
            heartbeat.stop(&self.shared.memory);
        }
        // A last try; who needs to know calls `flush` before.
        let _ = self.shared.beat();
    }
}

#[cfg(test)]
mod file_tests;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod trouble_tests;
