//! What a store remembers while its file cannot be written.
//!
//! The file can become full, locked or read-only at any moment. Then nothing waits for it: a claim
//! holds in memory, a result is delivered, kept here and written when that is possible again, and a
//! claim that is given up counts as given up at once, though its row may stay until then.

use std::{
    collections::HashMap,
    sync::{
        Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use super::{StoreError, StoreKey, process_identity::this_process};
use crate::Outcome;

/// How long the heartbeat, and every access while the file gives trouble, waits for a lock: a run
/// must not lose its pace to a file that somebody else keeps.
pub(super) const SHORT_TIMEOUT: Duration = Duration::from_millis(50);

/// A row of the table of claims by key and owner.
pub(super) type ClaimRow = (String, String);

#[derive(Debug)]
pub(super) struct Memory {
    /// Begins the owner of each claim of this open store.
    owner: String,
    claims: AtomicU64,
    state: Mutex<State>,
    /// Signalled at the end of the store.
    pub(super) ended: Condvar,
    /// Whether the last try to write failed.
    trouble: AtomicBool,
    /// Whether somebody has been told of it.
    reported: AtomicBool,
}

#[derive(Debug, Default)]
pub(super) struct State {
    /// Claims of this store's workers: key to owner.
    held: HashMap<String, String>,
    /// Claims given up whose rows are still there.
    given_up: Vec<ClaimRow>,
    /// Results that could not be written, by key.
    unwritten: HashMap<String, (StoreKey, Outcome)>,
    pub(super) ending: bool,
}

/// What is to be written at a beat.
#[derive(Debug, Default)]
pub(super) struct Work {
    pub(super) results: Vec<(StoreKey, Outcome)>,
    pub(super) given_up: Vec<ClaimRow>,
    pub(super) renewed: Vec<ClaimRow>,
}

impl Memory {
    pub(super) fn new() -> Self {
        // Several stores of one process are told apart.
        static INSTANCES: AtomicU64 = AtomicU64::new(0);
        let instance = INSTANCES.fetch_add(1, Ordering::Relaxed);
        Self {
            owner: format!("{} {instance}.", this_process()),
            claims: AtomicU64::new(0),
            state: Mutex::default(),
            ended: Condvar::new(),
            trouble: AtomicBool::new(false),
            reported: AtomicBool::new(false),
        }
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a claim in memory; `None` if another worker of this store has it.
    pub(super) fn hold(&self, key: &StoreKey) -> Option<String> {
        let mut state = self.state();
        if state.held.contains_key(key.hash()) {
            return None;
        }
        let number = self.claims.fetch_add(1, Ordering::Relaxed);
        let owner = format!("{}{number}", self.owner);
        state.held.insert(key.hash().to_owned(), owner.clone());
        Some(owner)
    }

    pub(super) fn let_go(&self, key: &StoreKey) {
        self.state().held.remove(key.hash());
    }

    /// Whether a recorded claim is one of this store's. Such a one is over unless it is held.
    pub(super) fn is_own(&self, owner: &str) -> bool {
        owner.starts_with(&self.owner)
    }

    /// Remembers a claim whose row could not be deleted.
    pub(super) fn give_up_later(&self, row: ClaimRow) {
        self.state().given_up.push(row);
    }

    /// Keeps a result that could not be written.
    pub(super) fn keep(&self, key: &StoreKey, outcome: &Outcome) {
        let entry = (key.clone(), outcome.clone());
        self.state().unwritten.insert(key.hash().to_owned(), entry);
    }

    /// A result that waits to be written.
    pub(super) fn unwritten(&self, key: &StoreKey) -> Option<Outcome> {
        let state = self.state();
        let exact = state.unwritten.get(key.hash());
        exact
            .or_else(|| (state.unwritten.values()).find(|(other, _)| key.is_same_crystal(other)))
            .map(|(_, outcome)| outcome.clone())
    }

    pub(super) fn unwritten_count(&self) -> usize {
        self.state().unwritten.len()
    }

    /// Whether the file gave trouble when it was last written.
    pub(super) fn has_trouble(&self) -> bool {
        self.trouble.load(Ordering::Relaxed)
    }

    /// Notes trouble with the file; gives it back to be reported once until it is over.
    pub(super) fn note_trouble(&self, error: StoreError) -> Option<StoreError> {
        self.trouble.store(true, Ordering::Relaxed);
        (!self.reported.swap(true, Ordering::Relaxed)).then_some(error)
    }

    pub(super) fn work(&self) -> Work {
        let state = self.state();
        let row = |(key, owner): (&String, &String)| (key.clone(), owner.clone());
        Work {
            results: state.unwritten.values().cloned().collect(),
            given_up: state.given_up.clone(),
            renewed: state.held.iter().map(row).collect(),
        }
    }

    /// Forgets what has been written.
    pub(super) fn done(&self, work: &Work) {
        let mut state = self.state();
        for (key, _) in &work.results {
            state.unwritten.remove(key.hash());
        }
        state.given_up.retain(|row| !work.given_up.contains(row));
        drop(state);
        if !work.results.is_empty() {
            self.note_success();
        }
    }

    /// Notes that a result has been written. Nothing less shows that there is room again: to renew
    /// or delete a claim takes none.
    pub(super) fn note_success(&self) {
        if self.state().unwritten.is_empty() {
            self.trouble.store(false, Ordering::Relaxed);
            self.reported.store(false, Ordering::Relaxed);
        }
    }
}
