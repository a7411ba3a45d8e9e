//! The tables of results and claims in an SQLite file.

use std::{
    path::PathBuf,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use rusqlite::{
    Connection, OptionalExtension as _, Transaction, TransactionBehavior, params, types::ValueRef,
};

use super::{
    StoreError, StoreKey,
    answers::{Count, Look},
    lease::{LeaseTimes, RecordedClaim, now_ms},
    memory::{ClaimRow, SHORT_TIMEOUT, Work},
    row::{self, COLUMNS, ReadRow, Row, TEXTS},
};
use crate::{Outcome, Property};

/// Between two tries to switch a new file to write-ahead logging.
const SWITCH_PAUSE: Duration = Duration::from_millis(5);

/// A file with the connection to it.
#[derive(Debug)]
pub(super) struct FileTable {
    pub(super) path: PathBuf,
    connection: Mutex<Connection>,
    /// How long another process's transaction is waited for.
    pub(super) lock_timeout: Duration,
}

impl FileTable {
    pub(super) fn new(path: PathBuf, connection: Connection, lock_timeout: Duration) -> Self {
        Self {
            path,
            connection: Mutex::new(connection),
            lock_timeout,
        }
    }

    /// Write-ahead logging, so that readers and a writer do not wait for each other.
    ///
    /// Of several connections that switch a new file at once, each holds a read lock that the
    /// others' switch waits for. SQLite sees the deadlock and returns "busy" at once, whatever
    /// the busy timeout; so the switch is tried again until the timeout has passed.
    pub(super) fn set_journal_mode(&self, connection: &Connection) -> Result<(), rusqlite::Error> {
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

    /// The outcome of this crystal, under whatever key.
    pub(super) fn find(
        &self,
        key: &StoreKey,
        timeout: Duration,
    ) -> Result<Option<Outcome>, StoreError> {
        select_outcome(&self.connection(timeout), key).map_err(|source| self.error(source))
    }

    /// Takes the claim of a key for `owner`, unless there is a result, or another's claim that holds.
    pub(super) fn look(
        &self,
        key: &StoreKey,
        owner: &str,
        times: LeaseTimes,
        timeout: Duration,
        is_over: &mut dyn FnMut(&RecordedClaim, i64) -> bool,
    ) -> Result<Look, StoreError> {
        let mut look = || -> Result<Look, rusqlite::Error> {
            let mut connection = self.connection(timeout);
            if let Some(outcome) = select_outcome(&connection, key)? {
                return Ok(Look::Done(outcome.into()));
            }
            let transaction =
                connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            if let Some(outcome) = select_outcome(&transaction, key)? {
                return Ok(Look::Done(outcome.into()));
            }
            let other = transaction
                .query_row(
                    "SELECT owner, expires FROM claims WHERE key = ?1",
                    [key.hash()],
                    |row| {
                        Ok(RecordedClaim {
                            owner: row.get(0)?,
                            expires_ms: row.get(1)?,
                        })
                    },
                )
                .optional()?;
            if let Some(other) = other
                && !is_over(&other, now_ms())
            {
                return Ok(Look::Others);
            }
            transaction.execute(
                "INSERT OR REPLACE INTO claims (key, owner, expires) VALUES (?1, ?2, ?3)",
                params![key.hash(), owner, times.expires_ms()],
            )?;
            transaction.commit()?;
            Ok(Look::Taken)
        };
        look().map_err(|source| self.error(source))
    }

    /// Moves the write-ahead log into the file proper, which takes less room: on a full disk that may
    /// be enough. What fails is tried again.
    pub(super) fn shrink_log(&self) {
        let connection = self.connection(SHORT_TIMEOUT);
        let _ = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
    }

    /// Writes results, renews claims and deletes those that were given up, all or nothing.
    pub(super) fn write(&self, work: &Work, times: LeaseTimes) -> Result<(), StoreError> {
        let write = || -> Result<(), rusqlite::Error> {
            let mut connection = self.connection(SHORT_TIMEOUT);
            let transaction =
                connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            for (key, outcome) in &work.results {
                insert(&transaction, key, outcome)?;
            }
            for row in &work.given_up {
                delete_claim(&transaction, row)?;
            }
            for (key, owner) in &work.renewed {
                transaction.execute(
                    "UPDATE claims SET expires = ?3 WHERE key = ?1 AND owner = ?2",
                    params![key, owner, times.expires_ms()],
                )?;
            }
            transaction.commit()
        };
        write().map_err(|source| self.error(source))
    }

    /// Ends a claim, with its result if there is one.
    pub(super) fn write_end(
        &self,
        key: &StoreKey,
        outcome: Option<&Outcome>,
        row: &ClaimRow,
        timeout: Duration,
    ) -> Result<(), StoreError> {
        let write = || -> Result<(), rusqlite::Error> {
            let mut connection = self.connection(timeout);
            let transaction =
                connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            if let Some(outcome) = outcome {
                insert(&transaction, key, outcome)?;
            }
            delete_claim(&transaction, row)?;
            transaction.commit()
        };
        write().map_err(|source| self.error(source))
    }

    /// Gives every row in the order of skeletons, elements and keys to `take`.
    pub(super) fn rows(
        &self,
        property: Option<Property>,
        timeout: Duration,
        take: &mut dyn FnMut(Row),
    ) -> Result<(), StoreError> {
        let connection = self.connection(timeout);
        let mut read_all = || -> Result<(), rusqlite::Error> {
            let mut statement = connection.prepare(&format!(
                "SELECT {COLUMNS} FROM results WHERE ?1 IS NULL OR property = ?1 \
                 ORDER BY skeleton, elements, key"
            ))?;
            let mut rows = statement.query([property.map(Property::name)])?;
            while let Some(row) = rows.next()? {
                take(neutral(row)?);
            }
            Ok(())
        };
        read_all().map_err(|source| self.error(source))
    }

    /// Writes rows as they are, each unless there is one under its key; how many were new.
    pub(super) fn add_rows(&self, rows: &[Row]) -> Result<u64, StoreError> {
        let add = || -> Result<u64, rusqlite::Error> {
            let mut connection = self.connection(self.lock_timeout);
            let transaction =
                connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let mut added = 0;
            {
                let mut statement = transaction.prepare_cached(&format!(
                    "INSERT OR IGNORE INTO results ({COLUMNS}, seconds) VALUES \
                     (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)"
                ))?;
                for row in rows {
                    for (index, text) in row.texts.iter().enumerate() {
                        statement.raw_bind_parameter(index + 1, text.as_deref())?;
                    }
                    statement.raw_bind_parameter(TEXTS + 1, row.value)?;
                    statement.raw_bind_parameter(TEXTS + 2, row.seconds())?;
                    added += statement.raw_execute()? as u64;
                }
            }
            transaction.commit()?;
            Ok(added)
        };
        add().map_err(|source| self.error(source))
    }

    /// Numbers of results as (calculator, property, status or failure code, count).
    pub(super) fn statistics(&self, timeout: Duration) -> Result<Vec<Count>, StoreError> {
        let connection = self.connection(timeout);
        let count = || {
            connection
                .prepare(
                    "SELECT calculator, property, coalesce(failure, status), count(*) \
                     FROM results GROUP BY 1, 2, 3 ORDER BY 1, 2, 3",
                )?
                .query_map([], |row| {
                    Ok((
                        row.get(0)?,
                        row.get(1)?,
                        row.get(2)?,
                        row.get::<_, i64>(3)? as u64,
                    ))
                })?
                .collect::<Result<Vec<_>, _>>()
        };
        count().map_err(|source| self.error(source))
    }

    /// SQLite's own verdict on the file.
    pub(super) fn damage(&self, timeout: Duration) -> Result<Vec<String>, StoreError> {
        let connection = self.connection(timeout);
        let look = || {
            let mut statement = connection.prepare("PRAGMA integrity_check")?;
            let lines = statement.query_map([], |row| row.get::<_, String>(0))?;
            lines.collect::<Result<Vec<_>, _>>()
        };
        let lines = look().map_err(|source| self.error(source))?;
        Ok(lines.into_iter().filter(|line| line != "ok").collect())
    }

    pub(super) fn connection(&self, timeout: Duration) -> MutexGuard<'_, Connection> {
        // A panic while the connection was held has rolled its transaction back.
        let connection = self
            .connection
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        // Setting it cannot fail on an open connection.
        let _ = connection.busy_timeout(timeout);
        connection
    }

    pub(super) fn error(&self, source: rusqlite::Error) -> StoreError {
        let path = self.path.clone();
        match source.sqlite_error_code() {
            _ if is_busy(&source) => StoreError::Locked {
                path,
                seconds: self.lock_timeout.as_secs(),
            },
            Some(rusqlite::ErrorCode::ReadOnly) => StoreError::ReadOnly { path },
            _ => StoreError::Sqlite { path, source },
        }
    }
}

fn is_busy(error: &rusqlite::Error) -> bool {
    matches!(
        error.sqlite_error_code(),
        Some(rusqlite::ErrorCode::DatabaseBusy | rusqlite::ErrorCode::DatabaseLocked)
    )
}

/// A row without what is SQLite's.
fn neutral(row: &rusqlite::Row<'_>) -> Result<Row, rusqlite::Error> {
    let mut texts = [const { None }; TEXTS];
    for (index, text) in texts.iter_mut().enumerate() {
        *text = match row.get_ref(index)? {
            ValueRef::Text(bytes) => std::str::from_utf8(bytes).ok().map(str::to_owned),
            _ => None,
        };
    }
    let value = match row.get_ref(TEXTS)? {
        ValueRef::Real(value) => Some(value),
        ValueRef::Integer(value) => Some(value as f64),
        _ => None,
    };
    Ok(Row { texts, value })
}

/// The outcome under this very key. One that cannot be read counts as absent: it is computed
/// again and replaced.
fn select_exactly(
    connection: &Connection,
    key: &StoreKey,
) -> Result<Option<Outcome>, rusqlite::Error> {
    let row = connection
        .prepare_cached(&format!("SELECT {COLUMNS} FROM results WHERE key = ?1"))?
        .query_row([key.hash()], neutral)
        .optional()?;
    let result = row.map(row::read).and_then(ReadRow::whole);
    Ok(result.map(|result| result.outcome))
}

fn select_outcome(
    connection: &Connection,
    key: &StoreKey,
) -> Result<Option<Outcome>, rusqlite::Error> {
    if let Some(outcome) = select_exactly(connection, key)? {
        return Ok(Some(outcome));
    }
    if !key.is_of_a_crystal() {
        return Ok(None);
    }
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM results \
         WHERE formula = ?1 AND property = ?2 AND calculator = ?3 AND fingerprint = ?4 \
         ORDER BY key"
    ))?;
    let mut rows = statement.query([
        key.formula.as_str(),
        key.property.name(),
        &key.calculator,
        &key.fingerprint.0,
    ])?;
    while let Some(row) = rows.next()? {
        if let Some(result) = row::read(neutral(row)?).whole()
            && key.is_crystal_of(&result.structure)
        {
            return Ok(Some(result.outcome));
        }
    }
    Ok(None)
}

/// Writes a result unless there is one: the first that can be read stands.
fn insert(
    transaction: &Transaction<'_>,
    key: &StoreKey,
    outcome: &Outcome,
) -> Result<(), rusqlite::Error> {
    if select_exactly(transaction, key)?.is_some() {
        return Ok(());
    }
    let text = serde_json::to_string(outcome)
        .map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))?;
    let failure = outcome.failure().map(|failure| failure.code.name());
    transaction
        .execute(
            "INSERT OR REPLACE INTO results (key, skeleton, elements, formula, property, \
             calculator, fingerprint, status, failure, value, seconds, outcome, structure, version) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)",
            params![
                key.hash(),
                key.skeleton,
                key.elements,
                key.formula,
                key.property.name(),
                key.calculator,
                key.fingerprint.0,
                row::status(outcome),
                failure,
                outcome.value(),
                outcome.seconds(),
                text,
                key.structure,
                env!("CARGO_PKG_VERSION"),
            ],
        )
        .map(|_| ())
}

fn delete_claim(
    transaction: &Transaction<'_>,
    (key, owner): &ClaimRow,
) -> Result<(), rusqlite::Error> {
    transaction
        .execute(
            "DELETE FROM claims WHERE key = ?1 AND owner = ?2",
            [key, owner],
        )
        .map(|_| ())
}
