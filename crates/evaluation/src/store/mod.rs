//! Results that nobody computes twice, in one SQLite file for any number of processes.

mod claim;
mod export;
mod key;
mod process_identity;

use std::{
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use rusqlite::{Connection, OptionalExtension, TransactionBehavior, params};

pub use claim::{Claim, Claimed};
pub use export::{ExportFormat, StoredResult};
pub use key::StoreKey;

use crate::Outcome;

/// What can be wrong with a store.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The file cannot be opened or created.
    #[error("store {}: {source}", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: rusqlite::Error,
    },
    /// The folder of the file cannot be created.
    #[error("store folder {}: {source}", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// The file was written by a newer version.
    #[error("store {}: layout {found} is newer than this program's {supported}", path.display())]
    NewerLayout {
        /// The file.
        path: PathBuf,
        /// Layout of the file.
        found: i64,
        /// Newest layout that this program knows.
        supported: i64,
    },
    /// Another process has kept the file locked for too long.
    #[error("store {}: locked by another process for {seconds} s", path.display())]
    Locked {
        /// The file.
        path: PathBuf,
        /// How long this process waited.
        seconds: u64,
    },
    /// SQLite failed (disk full, damaged file, …).
    #[error("store {}: {source}", path.display())]
    Sqlite {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: rusqlite::Error,
    },
    /// An export could not be written.
    #[error("export: {0}")]
    Export(std::io::Error),
}

/// Layout of the tables; raised when they change.
const LAYOUT: i64 = 1;
/// How long to wait for another process's transaction; they take milliseconds.
const LOCK_TIMEOUT: Duration = Duration::from_secs(20);
/// Between two tries to switch a new file to write-ahead logging.
const SWITCH_PAUSE: Duration = Duration::from_millis(5);

const TABLES: &str = "
CREATE TABLE IF NOT EXISTS results (
    key TEXT PRIMARY KEY NOT NULL,
    skeleton TEXT NOT NULL,
    elements TEXT NOT NULL,
    formula TEXT NOT NULL,
    property TEXT NOT NULL,
    calculator TEXT NOT NULL,
    fingerprint TEXT NOT NULL,
    status TEXT NOT NULL,
    failure TEXT,
    value REAL,
    seconds REAL NOT NULL,
    outcome TEXT NOT NULL,
    structure TEXT NOT NULL,
    created TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%SZ', 'now')),
    version TEXT NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS claims (
    key TEXT PRIMARY KEY NOT NULL,
    owner TEXT NOT NULL,
    number INTEGER NOT NULL
) STRICT;
";

/// A shared store of results, safe to use from many threads and processes of one machine.
///
/// A result is written in one transaction with full synchronisation: once [`Self::finish`] has
/// returned, no kill loses it. The file must not lie on a network file system.
#[derive(Debug)]
pub struct ResultStore {
    path: PathBuf,
    connection: Mutex<Connection>,
    lock_timeout: Duration,
}

impl ResultStore {
    /// Opens the store, creating the file and its folder if need be.
    ///
    /// # Errors
    /// [`StoreError`] if the path is not writable, no database, or of a newer layout.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        Self::open_with_timeout(path, LOCK_TIMEOUT)
    }

    /// As [`Self::open`], waiting at most `lock_timeout` for other processes.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn open_with_timeout(path: &Path, lock_timeout: Duration) -> Result<Self, StoreError> {
        if let Some(folder) = path
            .parent()
            .filter(|folder| !folder.as_os_str().is_empty())
        {
            std::fs::create_dir_all(folder).map_err(|source| StoreError::Folder {
                path: folder.to_owned(),
                source,
            })?;
        }
        let open_error = |source| StoreError::Open {
            path: path.to_owned(),
            source,
        };
        let connection = Connection::open(path).map_err(open_error)?;
        let store = Self {
            path: path.to_owned(),
            connection: Mutex::new(connection),
            lock_timeout,
        };
        store.prepare()?;
        Ok(store)
    }

    /// A store that lives and dies with this process.
    ///
    /// # Errors
    /// [`StoreError::Open`] if SQLite cannot even do that.
    pub fn in_memory() -> Result<Self, StoreError> {
        let path = PathBuf::from(":memory:");
        let connection = Connection::open_in_memory().map_err(|source| StoreError::Open {
            path: path.clone(),
            source,
        })?;
        let store = Self {
            path,
            connection: Mutex::new(connection),
            lock_timeout: LOCK_TIMEOUT,
        };
        store.prepare()?;
        Ok(store)
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn prepare(&self) -> Result<(), StoreError> {
        let connection = self.connection();
        let found = connection
            .busy_timeout(self.lock_timeout)
            .and_then(|()| self.set_journal_mode(&connection))
            .and_then(|()| connection.pragma_update(None, "synchronous", "FULL"))
            .and_then(|()| {
                connection.query_row("PRAGMA user_version", [], |row| row.get::<_, i64>(0))
            })
            .map_err(|source| self.error(source))?;
        if found > LAYOUT {
            return Err(StoreError::NewerLayout {
                path: self.path.clone(),
                found,
                supported: LAYOUT,
            });
        }
        if found < LAYOUT {
            connection
                .execute_batch(&format!(
                    "BEGIN IMMEDIATE; {TABLES} PRAGMA user_version = {LAYOUT}; COMMIT;"
                ))
                .map_err(|source| self.error(source))?;
        }
        Ok(())
    }

    /// Write-ahead logging, so that readers and a writer do not wait for each other.
    ///
    /// Of several connections that switch a new file at once, each holds a read lock that the
    /// others' switch waits for. SQLite sees the deadlock and returns "busy" at once, whatever
    /// the busy timeout; so the switch is tried again until the timeout has passed.
    fn set_journal_mode(&self, connection: &Connection) -> Result<(), rusqlite::Error> {
        let deadline = Instant::now() + self.lock_timeout;
        loop {
            let switched = connection.pragma_update(None, "journal_mode", "WAL");
            let busy = switched.as_ref().is_err_and(is_busy);
            if !busy || Instant::now() >= deadline {
                return switched;
            }
            std::thread::sleep(SWITCH_PAUSE);
        }
    }

    /// The stored outcome, if there is one.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`] or [`StoreError::Locked`].
    pub fn get(&self, key: &StoreKey) -> Result<Option<Outcome>, StoreError> {
        select_outcome(&self.connection(), key).map_err(|source| self.error(source))
    }

    /// Stores the outcome of a claimed calculation and gives the claim back. An outcome that
    /// depends on the moment is not stored.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`] or [`StoreError::Locked`].
    pub fn finish(&self, claim: Claim<'_>, outcome: &Outcome) -> Result<(), StoreError> {
        let momentary = outcome
            .failure()
            .is_some_and(|failure| failure.code.depends_on_the_moment());
        if !momentary {
            self.insert(claim.key(), outcome)?;
        }
        drop(claim);
        Ok(())
    }

    fn insert(&self, key: &StoreKey, outcome: &Outcome) -> Result<(), StoreError> {
        let text = serde_json::to_string(outcome)
            .map_err(|error| self.error(rusqlite::Error::ToSqlConversionFailure(error.into())))?;
        let failure = outcome.failure().map(|failure| failure.code.name());
        let mut connection = self.connection();
        let result = (|| {
            let transaction =
                connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            // A result is never overwritten: the first one stands.
            transaction.execute(
                "INSERT INTO results (key, skeleton, elements, formula, property, calculator, \
                 fingerprint, status, failure, value, seconds, outcome, structure, version) \
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14) \
                 ON CONFLICT (key) DO NOTHING",
                params![
                    key.hash(),
                    key.skeleton,
                    key.elements,
                    key.formula,
                    key.property.name(),
                    key.calculator,
                    key.fingerprint.0,
                    if failure.is_some() {
                        "failure"
                    } else {
                        "success"
                    },
                    failure,
                    outcome.value(),
                    outcome.seconds(),
                    text,
                    key.structure,
                    env!("CARGO_PKG_VERSION"),
                ],
            )?;
            transaction.commit()
        })();
        result.map_err(|source| self.error(source))
    }

    fn connection(&self) -> MutexGuard<'_, Connection> {
        // A panic while the connection was held has rolled its transaction back.
        self.connection
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn error(&self, source: rusqlite::Error) -> StoreError {
        if is_busy(&source) {
            StoreError::Locked {
                path: self.path.clone(),
                seconds: self.lock_timeout.as_secs(),
            }
        } else {
            StoreError::Sqlite {
                path: self.path.clone(),
                source,
            }
        }
    }
}

fn is_busy(error: &rusqlite::Error) -> bool {
    matches!(
        error.sqlite_error_code(),
        Some(rusqlite::ErrorCode::DatabaseBusy | rusqlite::ErrorCode::DatabaseLocked)
    )
}

fn select_outcome(
    connection: &Connection,
    key: &StoreKey,
) -> Result<Option<Outcome>, rusqlite::Error> {
    let text: Option<String> = connection
        .prepare_cached("SELECT outcome FROM results WHERE key = ?1")?
        .query_row([key.hash()], |row| row.get(0))
        .optional()?;
    // An outcome that this version cannot read counts as absent and is computed again.
    Ok(text.and_then(|text| serde_json::from_str(&text).ok()))
}

#[cfg(test)]
mod tests;
