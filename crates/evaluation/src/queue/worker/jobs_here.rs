//! The jobs that a worker has, from their taking to the word that they have ended.

use std::{
    collections::{HashMap, HashSet},
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use super::options::WorkerSummary;
use crate::{CancelToken, queue::jobs::TakenJob};

/// Outcomes that may wait for the server before nothing more is taken, beside one a thread.
const MOST_UNDELIVERED: usize = 64;

/// The jobs of a worker, shared by its threads.
#[derive(Default)]
pub(super) struct JobsHere {
    state: Mutex<State>,
    /// Signalled when a calculation ends, and at the end.
    changed: Condvar,
}

#[derive(Default)]
struct State {
    /// Jobs that are computed: key to what stops it.
    computing: HashMap<String, CancelToken>,
    /// Jobs that are done and whose end has not been said on the server.
    delivering: HashSet<String>,
    /// Whether one that has cost a worker is among them, which then runs alone.
    is_alone: bool,
    refused: HashSet<String>,
    refusal: Option<String>,
    summary: WorkerSummary,
    ending: bool,
}

/// What a worker says of itself.
pub(super) struct Report {
    /// Jobs whose leases are to be renewed.
    pub(super) held: Vec<String>,
    pub(super) computing: usize,
    pub(super) summary: WorkerSummary,
    pub(super) refusal: Option<String>,
}

impl JobsHere {
    /// How many more can be computed, and whether nothing is.
    pub(super) fn room(&self, threads: usize) -> (usize, bool) {
        let state = self.state();
        let computing = state.computing.len();
        let is_clogged = state.delivering.len() >= threads + MOST_UNDELIVERED;
        let room = match state.is_alone || is_clogged {
            true => 0,
            false => threads - computing,
        };
        (room, computing == 0)
    }

    pub(super) fn begin(&self, job: &TakenJob) {
        let mut state = self.state();
        state.is_alone |= job.lost > 0;
        let key = job.key.clone();
        state.computing.insert(key, CancelToken::default());
    }

    /// What stops a job.
    pub(super) fn cancel_token(&self, key: &str) -> CancelToken {
        let token = self.state().computing.get(key).cloned();
        token.unwrap_or_default()
    }

    /// The end of a job is about to be handed in.
    pub(super) fn ends(&self, key: &str) {
        self.state().delivering.insert(key.to_owned());
    }

    /// A job is over here: done in so many seconds, or not done after all.
    pub(super) fn computed(&self, key: &str, seconds: Option<f64>) {
        let mut state = self.state();
        state.computing.remove(key);
        state.is_alone &= !state.computing.is_empty();
        match seconds {
            Some(seconds) => {
                state.summary.finished += 1;
                state.summary.busy_seconds += seconds;
            }
            None => state.summary.handed_back += 1,
        }
        self.changed.notify_all();
    }

    /// The server knows of its end.
    pub(super) fn delivered<'a>(&self, keys: impl Iterator<Item = &'a str>) {
        let mut state = self.state();
        for key in keys {
            state.delivering.remove(key);
        }
    }

    /// Notes settings that this worker cannot compute with; whether that is new.
    pub(super) fn refuse(&self, profile: String, reason: &str) -> bool {
        let mut state = self.state();
        state.refusal = Some(reason.to_owned());
        state.refused.insert(profile)
    }

    pub(super) fn refused(&self) -> Vec<String> {
        self.state().refused.iter().cloned().collect()
    }

    pub(super) fn summary(&self) -> WorkerSummary {
        self.state().summary
    }

    /// Waits for a calculation to end, at most so long.
    pub(super) fn wait_for_change(&self, most: Duration) {
        drop(self.changed.wait_timeout(self.state(), most));
    }

    /// Waits for what is under way, at most the time of grace; stops the rest and waits for that.
    pub(super) fn let_finish(&self, grace: Duration) {
        let deadline = Instant::now() + grace;
        let mut state = self.state();
        while !state.computing.is_empty() {
            let Some(left) = deadline.checked_duration_since(Instant::now()) else {
                break;
            };
            let waited = self.changed.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        state.computing.values().for_each(CancelToken::cancel);
        while !state.computing.is_empty() {
            let waited = self.changed.wait(state);
            state = waited.unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Nothing more comes: the upkeep may end.
    pub(super) fn end(&self) {
        self.state().ending = true;
        self.changed.notify_all();
    }

    /// What is to be said now; `None` at the end.
    pub(super) fn report(&self) -> Option<Report> {
        let state = self.state();
        (!state.ending).then(|| Report {
            held: (state.computing.keys())
                .chain(&state.delivering)
                .cloned()
                .collect(),
            computing: state.computing.len(),
            summary: state.summary,
            refusal: state.refusal.clone(),
        })
    }

    /// Waits so long, or until the end.
    pub(super) fn wait_for_end(&self, most: Duration) {
        let due = Instant::now() + most;
        let mut state = self.state();
        while !state.ending {
            let Some(left) = due.checked_duration_since(Instant::now()) else {
                return;
            };
            let waited = self.changed.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
