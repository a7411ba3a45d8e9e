//! The connection of a store, what it remembers, and the writing of both.

use std::{
    path::PathBuf,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use rusqlite::{Connection, Transaction, TransactionBehavior, params};

use super::{
    StoreError, StoreKey,
    lease::LeaseTimes,
    memory::{ClaimRow, Memory, SHORT_TIMEOUT, Work},
    row,
};
use crate::Outcome;

/// Between two tries to switch a new file to write-ahead logging.
const SWITCH_PAUSE: Duration = Duration::from_millis(5);

/// What a store and its heartbeat share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) path: PathBuf,
    pub(super) connection: Mutex<Connection>,
    pub(super) lock_timeout: Duration,
    pub(super) times: LeaseTimes,
    pub(super) memory: Memory,
}

impl Shared {
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

    /// Writes all that waits, and renews the claims that are held.
    pub(super) fn beat(&self) -> Result<(), rusqlite::Error> {
        let work = self.memory.work();
        let nothing =
            work.results.is_empty() && work.given_up.is_empty() && work.renewed.is_empty();
        if nothing {
            return Ok(());
        }
        if self.memory.has_trouble() {
            self.shrink_log();
        }
        self.write(&work)?;
        self.memory.done(&work);
        Ok(())
    }

    /// Moves the write-ahead log into the file proper, which takes less room: on a full disk that may
    /// be enough. What fails is tried again.
    fn shrink_log(&self) {
        let connection = self.connection_waiting(SHORT_TIMEOUT);
        let _ = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
    }

    /// Writes results, renews claims and deletes those that were given up, all or nothing.
    fn write(&self, work: &Work) -> Result<(), rusqlite::Error> {
        let mut connection = self.connection_waiting(SHORT_TIMEOUT);
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        for (key, outcome) in &work.results {
            insert(&transaction, key, outcome)?;
        }
        for row in &work.given_up {
            delete_claim(&transaction, row)?;
        }
        for (key, owner) in &work.renewed {
            transaction.execute(
                "UPDATE claims SET expires = ?3 WHERE key = ?1 AND owner = ?2",
                params![key, owner, self.times.expires_ms()],
            )?;
        }
        transaction.commit()
    }

    /// Ends a claim, with its result if there is one.
    pub(super) fn write_end(
        &self,
        key: &StoreKey,
        outcome: Option<&Outcome>,
        row: &ClaimRow,
    ) -> Result<(), rusqlite::Error> {
        let mut connection = self.connection();
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        if let Some(outcome) = outcome {
            insert(&transaction, key, outcome)?;
        }
        delete_claim(&transaction, row)?;
        transaction.commit()
    }

    pub(super) fn connection(&self) -> MutexGuard<'_, Connection> {
        self.connection_waiting(match self.memory.has_trouble() {
            true => SHORT_TIMEOUT,
            false => self.lock_timeout,
        })
    }

    fn connection_waiting(&self, timeout: Duration) -> MutexGuard<'_, Connection> {
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

pub(super) fn is_busy(error: &rusqlite::Error) -> bool {
    matches!(
        error.sqlite_error_code(),
        Some(rusqlite::ErrorCode::DatabaseBusy | rusqlite::ErrorCode::DatabaseLocked)
    )
}

/// Writes a result unless there is one: the first that can be read stands.
fn insert(
    transaction: &Transaction<'_>,
    key: &StoreKey,
    outcome: &Outcome,
) -> Result<(), rusqlite::Error> {
    if row::select_exactly(transaction, key)?.is_some() {
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
