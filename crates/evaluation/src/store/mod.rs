//! Results that nobody computes twice, in one SQLite file for any number of processes of a machine, or
//! on a PostgreSQL server for any number of machines.

mod answers;
mod check;
mod claim;
mod copy;
mod error;
mod export;
mod file;
mod file_table;
mod heartbeat;
mod key;
mod layout;
mod lease;
mod memory;
mod network_file_system;
pub(crate) mod process_identity;
mod row;
mod server_layout;
pub(crate) mod server_rows;
mod server_table;
mod shared;
mod table;

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex, OnceLock, PoisonError},
    time::Duration,
};

use crystalgym_postgresql::{ServerUrl, is_server_url};
use rusqlite::Connection;

pub use claim::{Claim, Claimed};
pub use copy::Copied;
pub use error::StoreError;
pub use export::ExportFormat;
pub use key::StoreKey;
pub use row::{DamagedResult, StoredResult};

use crate::{
    Outcome,
    queue::{
        desk::Desk,
        jobs,
        status::{self, QueueStatus},
    },
};
use file::Existing;
use file_table::FileTable;
use heartbeat::Heartbeat;
use lease::{LEASE, LeaseTimes};
use memory::Memory;
use server_table::{PATIENCE, ServerTable};
use shared::Shared;
use table::Table;

/// How long to wait for another process's transaction; they take milliseconds.
const LOCK_TIMEOUT: Duration = Duration::from_secs(20);

/// A shared store of results: an SQLite file, safe to use from many threads and processes of one machine,
/// or a PostgreSQL server, from those of many.
///
/// A result is written in one transaction with full synchronisation: once [`Self::finish`] has
/// returned without an error, no kill loses it. The file must not lie on a network file system.
#[derive(Debug)]
pub struct ResultStore {
    shared: Arc<Shared>,
    heartbeat: Mutex<Option<Heartbeat>>,
    /// Where calculations are handed in, once one was.
    desk: OnceLock<Desk>,
    /// The process that opened it; neither a connection nor a thread survives a fork.
    process: u32,
}

impl ResultStore {
    /// Opens the store, creating the file and its folder, or the tables on the server, if need be. A path
    /// that begins with `postgres://` is the URL of a server.
    ///
    /// # Errors
    /// [`StoreError`] if the path is not writable, no store, or of a newer layout; if the server cannot be
    /// reached.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        match server_url(path)? {
            Some(url) => Self::open_server(&url, LEASE, PATIENCE),
            None => Self::open_with_timeout(path, LOCK_TIMEOUT),
        }
    }

    /// The store on a server.
    pub(crate) fn open_url(url: &ServerUrl) -> Result<Self, StoreError> {
        Self::open_server(url, LEASE, PATIENCE)
    }

    /// Whether what it lacks is computed by the workers of its queue, and not by whoever asks.
    pub fn has_queue(&self) -> bool {
        match &self.shared.table {
            Table::File(_) => false,
            Table::Server(server) => !server.computes_here(),
        }
    }

    /// The queue and its workers at the moment.
    ///
    /// # Errors
    /// [`StoreError::NoQueue`] of a file; [`StoreError::Server`].
    pub fn queue_status(&self) -> Result<QueueStatus, StoreError> {
        let server = self.server()?;
        server.run(server.patience, status::snapshot)
    }

    /// Lets the calculations that were set aside be tried again; how many there were.
    ///
    /// # Errors
    /// As [`Self::queue_status`].
    pub fn release_set_aside(&self) -> Result<u64, StoreError> {
        let server = self.server()?;
        server.run(server.patience, jobs::release)
    }

    fn server(&self) -> Result<&ServerTable, StoreError> {
        match &self.shared.table {
            Table::Server(server) => Ok(server),
            Table::File(_) => Err(StoreError::NoQueue),
        }
    }

    /// Where calculations are handed in.
    pub(crate) fn desk(&self) -> Result<&Desk, StoreError> {
        if let Some(desk) = self.desk.get() {
            return Ok(desk);
        }
        let desk = Desk::open(self.server()?.url())?;
        // Another thread may have been quicker; this one's ends unused.
        Ok(self.desk.get_or_init(|| desk))
    }

    fn open_server(
        url: &ServerUrl,
        lease: Duration,
        patience: Duration,
    ) -> Result<Self, StoreError> {
        let server = ServerTable::open(url, true, patience)?;
        Ok(Self::of(Table::Server(Box::new(server)), lease))
    }

    /// Opens a file as [`Self::open`] does, waiting at most `lock_timeout` for other processes.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn open_with_timeout(path: &Path, lock_timeout: Duration) -> Result<Self, StoreError> {
        Self::open_with(path, lock_timeout, LEASE)
    }

    fn open_with(path: &Path, lock_timeout: Duration, lease: Duration) -> Result<Self, StoreError> {
        if let Some(kind) = network_file_system::network_file_system(path) {
            return Err(StoreError::NetworkFileSystem {
                path: path.to_owned(),
                kind,
            });
        }
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
        let file = FileTable::new(path.to_owned(), connection, lock_timeout);
        Self::of_file(file, lease)
    }

    /// Opens a store that is there, to look into it: nothing is created or changed, and it may lie
    /// on a read-only medium. Results cannot be added.
    ///
    /// # Errors
    /// [`StoreError`] if there is no store.
    pub fn open_read_only(path: &Path) -> Result<Self, StoreError> {
        if let Some(url) = server_url(path)? {
            let server = ServerTable::open(&url, false, PATIENCE)?;
            return Ok(Self::of(Table::Server(Box::new(server)), LEASE));
        }
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
        let file = FileTable::new(path.to_owned(), connection, LOCK_TIMEOUT);
        let layout = layout::Layout::of(&file.connection(LOCK_TIMEOUT));
        layout.map_err(|source| file.error(source))?.check(path)?;
        Ok(Self::of(Table::File(file), LEASE))
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
        Self::of_file(FileTable::new(path, connection, LOCK_TIMEOUT), LEASE)
    }

    fn of_file(file: FileTable, lease: Duration) -> Result<Self, StoreError> {
        {
            let mut connection = file.connection(file.lock_timeout);
            // Before the write-ahead log, so that the file itself says what it is.
            layout::bring_up_to_date(&mut connection, &file.path, |source| file.error(source))?;
            file.set_journal_mode(&connection)
                .and_then(|()| connection.pragma_update(None, "synchronous", "FULL"))
                .map_err(|source| file.error(source))?;
        }
        Ok(Self::of(Table::File(file), lease))
    }

    fn of(table: Table, lease: Duration) -> Self {
        Self {
            shared: Arc::new(Shared {
                table,
                times: LeaseTimes::new(lease),
                memory: Memory::new(),
            }),
            heartbeat: Mutex::default(),
            desk: OnceLock::new(),
            process: std::process::id(),
        }
    }

    /// The file, or the URL of the server, without a password.
    pub fn path(&self) -> &Path {
        self.shared.table.path()
    }

    /// The stored outcome for the crystal as it was asked for, if there is one.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`], [`StoreError::Locked`] or [`StoreError::Server`].
    pub fn get(&self, key: &StoreKey) -> Result<Option<Outcome>, StoreError> {
        let shared = &self.shared;
        let outcome = match shared.memory.unwritten(key) {
            Some(outcome) => Some(outcome),
            None => shared.table.find(key, shared.patience())?,
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
            std::mem::forget(self.desk.take());
            return;
        }
        if let Some(heartbeat) = heartbeat {
            heartbeat.stop(&self.shared.memory);
        }
        // A last try; who needs to know calls `flush` before.
        let _ = self.shared.beat();
    }
}

/// Looks whether a name can be that of a store, without opening anything: before it is written anywhere.
///
/// # Errors
/// [`StoreError::Url`] for a URL that is none, or that holds a password.
pub fn check_store_name(name: &Path) -> Result<(), StoreError> {
    server_url(name).map(|_| ())
}

/// Whether a name is the URL of a server and not that of a file.
pub fn is_on_a_server(name: &Path) -> bool {
    name.to_str().is_some_and(is_server_url)
}

/// The server that a path is the URL of, if it is one.
fn server_url(path: &Path) -> Result<Option<ServerUrl>, StoreError> {
    match path.to_str().filter(|text| is_server_url(text)) {
        Some(text) => Ok(Some(text.parse()?)),
        None => Ok(None),
    }
}

#[cfg(test)]
mod file_tests;
#[cfg(test)]
mod server_tests;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod trouble_tests;
