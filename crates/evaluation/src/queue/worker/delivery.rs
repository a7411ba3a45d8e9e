//! How a worker hands in what has ended. The thread that has computed it does so itself while nobody else is
//! at it, since waking another takes longer than the statement. What ends meanwhile waits for a thread that
//! hands in all that there is at the moment together, so that results that come fast share a write to the
//! server's disk, and that has the patience for a server that is away.

use std::{
    mem, slice,
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};

use crystalgym_postgresql::{PostgresqlError, Session};

use super::{jobs_here::JobsHere, options::WorkerOptions};
use crate::{Failure, FailureCode, Outcome, StoreKey, queue::jobs, store::server_rows};

/// How long the server is waited for at a time.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long what cannot be handed in is tried when the worker is to end.
const LAST_PATIENCE: Duration = Duration::from_secs(60);
/// Between two tries of what the server takes ill.
const PAUSE: Duration = Duration::from_secs(1);
/// Ends that are handed in together.
const TOGETHER: usize = 64;

/// How a job has ended here.
#[derive(Debug)]
pub(super) enum Ended {
    /// With what the store keeps.
    Result(Box<(StoreKey, Outcome)>),
    /// The store has had its result.
    There(String),
    /// With what no store keeps.
    Answer(String, Box<Outcome>),
    /// It was not done.
    HandedBack(String),
}

/// Hands in.
pub(super) struct Delivery<'a> {
    worker: &'a str,
    jobs: &'a JobsHere,
    options: &'a WorkerOptions<'a>,
    session: Mutex<Session>,
    waiting: Mutex<Waiting>,
    changed: Condvar,
}

#[derive(Default)]
struct Waiting {
    ended: Vec<Ended>,
    is_closed: bool,
}

impl Ended {
    fn key(&self) -> &str {
        match self {
            Self::Result(result) => result.0.hash(),
            Self::There(key) | Self::Answer(key, _) | Self::HandedBack(key) => key,
        }
    }
}

impl<'a> Delivery<'a> {
    pub(super) fn new(
        worker: &'a str,
        jobs: &'a JobsHere,
        options: &'a WorkerOptions<'a>,
        session: Session,
    ) -> Self {
        Self {
            worker,
            jobs,
            options,
            session: Mutex::new(session),
            waiting: Mutex::default(),
            changed: Condvar::new(),
        }
    }

    /// Hands in, or leaves it to the thread that does.
    pub(super) fn put(&self, ended: Ended) {
        if self.is_handed_in_at_once(&ended) {
            return;
        }
        self.waiting().ended.push(ended);
        self.changed.notify_all();
    }

    /// Nothing more comes.
    pub(super) fn close(&self) {
        self.waiting().is_closed = true;
        self.changed.notify_all();
    }

    /// Whether nobody was handing in and the server took it.
    fn is_handed_in_at_once(&self, ended: &Ended) -> bool {
        let Ok(mut session) = self.session.try_lock() else {
            return false;
        };
        let is_first = session.is_connected() && self.waiting().ended.is_empty();
        let ended = slice::from_ref(ended);
        let is_taken =
            is_first && hand_in(&mut session, self.worker, ended, Duration::ZERO).is_ok();
        if is_taken {
            self.jobs.delivered(ended.iter().map(Ended::key));
        }
        is_taken
    }

    /// Hands in what waits until there is nothing left and nothing more comes.
    pub(super) fn run(&self) {
        let (jobs, options) = (self.jobs, self.options);
        while let Some(ended) = self.next() {
            let mut to_try = vec![ended];
            let mut tried_since = Instant::now();
            let mut is_reported = false;
            while let Some(mut ended) = to_try.pop() {
                let taken = hand_in(&mut self.session(), self.worker, &ended, PATIENCE);
                let error = match taken {
                    Ok(()) => {
                        jobs.delivered(ended.iter().map(Ended::key));
                        tried_since = Instant::now();
                        continue;
                    }
                    Err(error) => error,
                };
                if !mem::replace(&mut is_reported, true) {
                    (options.report)(&format!("results cannot be handed in: {error}"));
                }
                if error.is_passing() {
                    // What is given up is done again by others, after its lease.
                    if (options.stop)() && tried_since.elapsed() > LAST_PATIENCE {
                        jobs.delivered(ended.iter().map(Ended::key));
                        continue;
                    }
                    thread::sleep(PAUSE);
                    to_try.push(ended);
                } else if ended.len() > 1 {
                    // Which it is that the server does not take shows by itself.
                    to_try.extend(ended.drain(..).map(|one| vec![one]));
                } else if let Some(Ended::Result(result)) = ended.pop() {
                    let key = result.0.hash().to_owned();
                    let message = format!("the store did not take the result: {error}");
                    let failure = Failure::new(FailureCode::Internal, message);
                    to_try.push(vec![Ended::Answer(
                        key,
                        Box::new(Outcome::Failure(failure)),
                    )]);
                }
            }
        }
    }

    /// All that waits; `None` at the end.
    fn next(&self) -> Option<Vec<Ended>> {
        let mut waiting = self.waiting();
        while waiting.ended.is_empty() {
            if waiting.is_closed {
                return None;
            }
            let woken = self.changed.wait(waiting);
            waiting = woken.unwrap_or_else(PoisonError::into_inner);
        }
        let most = waiting.ended.len().min(TOGETHER);
        Some(waiting.ended.drain(..most).collect())
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn session(&self) -> MutexGuard<'_, Session> {
        self.session.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Results and the ends of their jobs together, which the server's disk is waited for. Jobs whose results
/// were there before are ended by themselves.
fn hand_in(
    session: &mut Session,
    worker: &str,
    ended: &[Ended],
    patience: Duration,
) -> Result<(), PostgresqlError> {
    let (mut results, mut done, mut handed_back) = (Vec::new(), Vec::new(), Vec::new());
    let (mut answered, mut answers) = (Vec::new(), Vec::new());
    for one in ended {
        match one {
            Ended::Result(result) => results.push((&result.0, &result.1)),
            Ended::There(key) => done.push(key.as_str()),
            Ended::Answer(key, outcome) => {
                answered.push(key.as_str());
                answers.push(serde_json::to_string(outcome).unwrap_or_default());
            }
            Ended::HandedBack(key) => handed_back.push(key.as_str()),
        }
    }
    session.run(patience, |client| {
        let mut done = done.clone();
        if !results.is_empty() {
            done.extend(server_rows::store_and_end(client, &results)?);
        }
        if !done.is_empty() {
            jobs::end(client, &done)?;
        }
        if !answered.is_empty() {
            jobs::answer(client, worker, &answered, &answers)?;
        }
        if !handed_back.is_empty() {
            jobs::hand_back(client, worker, &handed_back)?;
        }
        Ok(())
    })
}
