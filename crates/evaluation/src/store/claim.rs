//! Claims: who computes a result, and who waits for it.

use std::{
    thread,
    time::{Duration, Instant},
};

use super::{
    ResultStore, StoreError, StoreKey,
    answers::Look,
    lease::{RecordedClaim, Watch},
};
use crate::{CancelToken, Outcome};

/// The right, and the duty, to compute one result. Dropping it gives it back.
///
/// It is a lease in the store's table, renewed while the store is open; where the table cannot be
/// written it holds among the workers of this process alone.
#[derive(Debug)]
pub struct Claim<'a> {
    store: &'a ResultStore,
    key: Box<StoreKey>,
    owner: String,
    /// Whether the table has it.
    recorded: bool,
    /// What went wrong with the table, to be reported with the result.
    problem: Option<StoreError>,
    finished: bool,
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
    /// or another process does. The claim of a process that has ended is taken over, at once or
    /// when its lease is over.
    ///
    /// A table that cannot be read or written is no obstacle: the claim is the caller's, and
    /// [`Self::finish`] reports what was wrong.
    pub fn claim(&self, key: StoreKey, cancel: &CancelToken) -> Claimed<'_> {
        self.start_heartbeat();
        let mut pause = FIRST_PAUSE;
        let mut watch = None;
        loop {
            if let Some(claimed) = self.try_claim(&key, &mut watch) {
                return claimed;
            }
            if cancel.is_cancelled() {
                return Claimed::Cancelled;
            }
            thread::sleep(pause);
            pause = (2 * pause).min(LONGEST_PAUSE);
        }
    }

    /// `None` while another living worker has the claim.
    fn try_claim(&self, key: &StoreKey, watch: &mut Option<Watch>) -> Option<Claimed<'_>> {
        let memory = &self.shared.memory;
        if let Some(outcome) = memory.unwritten(key) {
            return Some(Claimed::Done(outcome));
        }
        let owner = memory.hold(key)?;
        let (recorded, problem) = match self.look(key, &owner, watch) {
            Ok(Look::Done(outcome)) => {
                memory.let_go(key);
                return Some(Claimed::Done(*outcome));
            }
            Ok(Look::Others) => {
                memory.let_go(key);
                return None;
            }
            Ok(Look::Taken) => (true, None),
            Err(error) => (false, memory.note_trouble(error)),
        };
        Some(Claimed::Mine(Claim {
            store: self,
            key: Box::new(key.clone()),
            owner,
            recorded,
            problem,
            finished: false,
        }))
    }

    fn look(
        &self,
        key: &StoreKey,
        owner: &str,
        watch: &mut Option<Watch>,
    ) -> Result<Look, StoreError> {
        let shared = &self.shared;
        let mut is_over = |other: &RecordedClaim, now_ms| {
            // An own one that nobody holds was given up while it could not be deleted.
            shared.memory.is_own(&other.owner)
                || (shared.times).is_over(other, Watch::look(watch, other), now_ms)
        };
        shared
            .table
            .look(key, owner, shared.times, shared.patience(), &mut is_over)
    }

    /// Stores the outcome of a claimed calculation and gives the claim back. An outcome that
    /// depends on the moment is not stored.
    ///
    /// A result that cannot be written now is kept in memory, found there by this process, and
    /// written when the file can be written again, at the latest by [`Self::flush`] or when the
    /// store is closed.
    ///
    /// # Errors
    /// [`StoreError`] once for each time that the file begins to give trouble; the result is
    /// kept all the same.
    pub fn finish(&self, mut claim: Claim<'_>, outcome: &Outcome) -> Result<(), StoreError> {
        claim.finished = true;
        let momentary = outcome
            .failure()
            .is_some_and(|failure| failure.code.depends_on_the_moment());
        let stored = (!momentary).then_some(outcome);
        let problem = claim.end(stored);
        match claim.problem.take().or(problem) {
            Some(error) => Err(error),
            None => Ok(()),
        }
    }

    /// Writes results that could not be written before, waiting for other processes as
    /// [`Self::open`] says.
    ///
    /// # Errors
    /// Why it is still not possible; the results stay in memory.
    pub fn flush(&self) -> Result<(), StoreError> {
        if self.unwritten() == 0 {
            return Ok(());
        }
        let deadline = Instant::now() + self.shared.table.patience();
        loop {
            match self.shared.beat() {
                Ok(()) => return Ok(()),
                Err(error) if error.is_passing() && Instant::now() < deadline => {
                    thread::sleep(FIRST_PAUSE);
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Number of results that could not be written yet.
    pub fn unwritten(&self) -> usize {
        self.shared.memory.unwritten_count()
    }
}

impl Claim<'_> {
    /// What is to be computed.
    pub fn key(&self) -> &StoreKey {
        &self.key
    }

    /// Gives the claim back, with the result if there is one to be stored.
    fn end(&self, outcome: Option<&Outcome>) -> Option<StoreError> {
        let shared = &self.store.shared;
        let row = (self.key.hash().to_owned(), self.owner.clone());
        let result = match outcome {
            None if !self.recorded => Ok(()),
            _ => (shared.table).write_end(&self.key, outcome, &row, shared.patience()),
        };
        if result.is_err() {
            if let Some(outcome) = outcome {
                shared.memory.keep(&self.key, outcome);
            }
            if self.recorded {
                shared.memory.give_up_later(row);
            }
        }
        // After that, so that whoever waits in this process finds the result.
        shared.memory.let_go(&self.key);
        if result.is_ok() && outcome.is_some() {
            shared.memory.note_success();
        }
        shared.memory.note_trouble(result.err()?)
    }
}

impl Drop for Claim<'_> {
    fn drop(&mut self) {
        if !self.finished {
            self.end(None);
        }
    }
}
