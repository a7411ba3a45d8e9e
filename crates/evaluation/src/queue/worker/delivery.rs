//! The thread of a worker that hands in what has ended: all that there is at the moment together, so that
//! results that come fast share a write to the server's disk.

use std::{
    mem,
    sync::{Condvar, Mutex, PoisonError},
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

/// What waits to be handed in.
#[derive(Default)]
pub(super) struct Delivery {
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

impl Delivery {
    pub(super) fn put(&self, ended: Ended) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.ended.push(ended);
        self.changed.notify_all();
    }

    /// Nothing more comes.
    pub(super) fn close(&self) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.is_closed = true;
        self.changed.notify_all();
    }

    /// Hands in until there is nothing left and nothing more comes.
    pub(super) fn run(
        &self,
        mut session: Session,
        worker: &str,
        jobs: &JobsHere,
        options: &WorkerOptions<'_>,
    ) {
        while let Some(ended) = self.next() {
            let mut to_try = vec![ended];
            let mut tried_since = Instant::now();
            let mut is_reported = false;
            while let Some(mut ended) = to_try.pop() {
                let error = match hand_in(&mut session, worker, &ended) {
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
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
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
}

/// Results and the ends of their jobs together, which the server's disk is waited for. Jobs whose results
/// were there before are ended by themselves.
fn hand_in(session: &mut Session, worker: &str, ended: &[Ended]) -> Result<(), PostgresqlError> {
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
    session.run(PATIENCE, |client| {
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
