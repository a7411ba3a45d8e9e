use std::{
    sync::atomic::{AtomicI64, Ordering},
    thread,
    time::Duration,
};

use rusqlite::{OptionalExtension, TransactionBehavior, params};

use super::{
    ResultStore, StoreError, StoreKey,
    process_identity::{is_alive, this_process},
    select_outcome,
};
use crate::{CancelToken, Outcome};

/// The right, and the duty, to compute one result. Dropping it gives it back.
#[derive(Debug)]
pub struct Claim<'a> {
    store: &'a ResultStore,
    key: StoreKey,
    number: i64,
}

/// What became of the wish to compute a result.
#[derive(Debug)]
pub enum Claimed<'a> {
    /// Somebody has computed it.
    Done(Outcome),
    /// It is the caller's now; [`ResultStore::finish`] stores it.
    Mine(Claim<'a>),
    /// Another worker is computing it and the caller was cancelled while waiting.
    Cancelled,
}

/// First and longest pause between two looks at another worker's claim.
const FIRST_PAUSE: Duration = Duration::from_millis(5);
const LONGEST_PAUSE: Duration = Duration::from_millis(500);

impl ResultStore {
    /// Gives the stored result, or the claim to compute it, waiting while another worker of this
    /// or another process does. The claim of a process that has ended is taken over.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`] or [`StoreError::Locked`].
    pub fn claim(&self, key: StoreKey, cancel: &CancelToken) -> Result<Claimed<'_>, StoreError> {
        let mut pause = FIRST_PAUSE;
        loop {
            if let Some(claimed) = self.try_claim(&key)? {
                return Ok(claimed);
            }
            if cancel.is_cancelled() {
                return Ok(Claimed::Cancelled);
            }
            thread::sleep(pause);
            pause = (2 * pause).min(LONGEST_PAUSE);
        }
    }

    /// `None` while another living worker has the claim.
    fn try_claim(&self, key: &StoreKey) -> Result<Option<Claimed<'_>>, StoreError> {
        static COUNTER: AtomicI64 = AtomicI64::new(0);
        let number = COUNTER.fetch_add(1, Ordering::Relaxed);
        let mut connection = self.connection();
        let result = (|| {
            if let Some(outcome) = select_outcome(&connection, key)? {
                return Ok(Some(Claimed::Done(outcome)));
            }
            let transaction =
                connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            if let Some(outcome) = select_outcome(&transaction, key)? {
                return Ok(Some(Claimed::Done(outcome)));
            }
            let owner: Option<String> = transaction
                .query_row(
                    "SELECT owner FROM claims WHERE key = ?1",
                    [key.hash()],
                    |row| row.get(0),
                )
                .optional()?;
            if owner.is_some_and(|owner| is_alive(&owner)) {
                return Ok(None);
            }
            transaction.execute(
                "INSERT OR REPLACE INTO claims (key, owner, number) VALUES (?1, ?2, ?3)",
                params![key.hash(), this_process(), number],
            )?;
            transaction.commit()?;
            Ok(Some(Claimed::Mine(Claim {
                store: self,
                key: key.clone(),
                number,
            })))
        })();
        result.map_err(|source| self.error(source))
    }
}

impl Claim<'_> {
    /// What is to be computed.
    pub fn key(&self) -> &StoreKey {
        &self.key
    }
}

impl Drop for Claim<'_> {
    fn drop(&mut self) {
        // If this fails, the claim ends with the process.
        let _ = self.store.connection().execute(
            "DELETE FROM claims WHERE key = ?1 AND owner = ?2 AND number = ?3",
            params![self.key.hash(), this_process(), self.number],
        );
    }
}
