//! Where a run hands in calculations and gets their outcomes, however many are under way: two threads and
//! two connections in all.
//!
//! One thread looks into the store and hands in what it lacks, in bulk and never more at a time than the
//! queue should hold of one run; the other waits for the word that a job has ended. What nobody says,
//! since a connection was lost or a server began anew, is looked for now and then, and handed in again
//! if it stands nowhere.

use std::{
    collections::{HashMap, VecDeque},
    fmt,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use crystalgym_postgresql::{Client, ClientError, PostgresqlError, ServerUrl, Session};

use super::{
    calculation::QueuedCalculation,
    jobs::{self, JobState, Submission},
    status,
};
use crate::{
    Failure, FailureCode, Outcome, Source, StoreKey,
    store::{process_identity::has_ended, server_table::select_outcome},
};

/// Most jobs of one run in the queue; others wait in the run.
const MOST_IN_QUEUE: usize = 4096;
/// Jobs that are handed in together.
const TOGETHER: usize = 256;
/// How often what is under way is looked for without a word.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// How long the server is waited for at a time; what waits goes on waiting.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long nothing may come before the user is told why.
const QUIET: Duration = Duration::from_secs(30);
/// Time of a calculation of which none like it is known.
const UNKNOWN_SECONDS: f64 = 60.0;

/// What comes of a request: the outcome as the store has it, and where it came from.
pub(crate) type Answer = (Outcome, Source);
type Receiver = Box<dyn FnOnce(Answer) + Send>;

/// Hands in calculations and delivers their outcomes.
pub(crate) struct Desk {
    shared: Arc<Shared>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

struct Shared {
    url: ServerUrl,
    state: Mutex<State>,
    /// Signalled when something was asked for, when there is room in the queue, and at the end.
    changed: Condvar,
}

#[derive(Default)]
struct State {
    /// Keys to hand in, in order.
    asked: VecDeque<String>,
    /// All that has not been answered.
    requests: HashMap<String, Request>,
    /// Jobs withdrawn by those who asked.
    withdrawn: Vec<String>,
    in_queue: usize,
    next_receipt: u64,
    ending: bool,
}

struct Request {
    key: StoreKey,
    payload: String,
    profile: String,
    is_in_queue: bool,
    receivers: Vec<(Receipt, Receiver)>,
}

/// Number of a request, by which it is withdrawn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Receipt {
    key: String,
    number: u64,
}

impl Desk {
    /// A desk at the queue of a server.
    ///
    /// # Errors
    /// [`PostgresqlError`] if a session cannot be set up.
    pub(crate) fn open(url: &ServerUrl) -> Result<Self, PostgresqlError> {
        let shared = Arc::new(Shared {
            url: url.clone(),
            state: Mutex::default(),
            changed: Condvar::new(),
        });
        let asking = jobs::quiet_session(url)?;
        let hearing = jobs::session(url, jobs::LISTEN_FOR_ENDS)?;
        let (asker, hearer) = (Arc::clone(&shared), Arc::clone(&shared));
        let threads = vec![
            thread::spawn(move || asker.hand_in(asking)),
            thread::spawn(move || hearer.hear(hearing)),
        ];
        Ok(Self {
            shared,
            threads: Mutex::new(threads),
        })
    }

    /// Asks for a result; `receiver` is called once, on a thread of the desk, unless the request is
    /// withdrawn before.
    pub(crate) fn ask(
        &self,
        key: StoreKey,
        calculation: &QueuedCalculation,
        receiver: Receiver,
    ) -> Receipt {
        let mut state = self.shared.state();
        state.next_receipt += 1;
        let hash = key.hash().to_owned();
        let receipt = Receipt {
            key: hash.clone(),
            number: state.next_receipt,
        };
        if let Some(request) = state.requests.get_mut(&hash) {
            request.receivers.push((receipt.clone(), receiver));
            return receipt;
        }
        let request = Request {
            key,
            payload: calculation.to_text(),
            profile: calculation.profile(),
            is_in_queue: false,
            receivers: vec![(receipt.clone(), receiver)],
        };
        state.requests.insert(hash.clone(), request);
        state.asked.push_back(hash);
        self.shared.changed.notify_all();
        receipt
    }

    /// Gives a request up. What a worker has begun goes on.
    pub(crate) fn withdraw(&self, receipt: &Receipt) {
        let mut state = self.shared.state();
        let key = receipt.key.as_str();
        let Some(request) = state.requests.get_mut(key) else {
            return;
        };
        request.receivers.retain(|(other, _)| other != receipt);
        if request.receivers.is_empty() {
            state.remove(key);
            state.withdrawn.push(key.to_owned());
            self.shared.changed.notify_all();
        }
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        {
            let mut state = self.shared.state();
            state.ending = true;
            let keys: Vec<_> = state.requests.drain().map(|(key, _)| key).collect();
            state.withdrawn.extend(keys);
            self.shared.changed.notify_all();
        }
        let threads = self
            .threads
            .get_mut()
            .unwrap_or_else(PoisonError::into_inner);
        for thread in threads.drain(..) {
            // A receiver may have held the last share of the store.
            if thread.thread().id() != thread::current().id() {
                let _ = thread.join();
            }
        }
    }
}

impl State {
    fn remove(&mut self, key: &str) -> Option<Request> {
        let request = self.requests.remove(key)?;
        self.in_queue -= usize::from(request.is_in_queue);
        Some(request)
    }

    /// Keys to look for now: none while the queue is full of this run's.
    fn next(&mut self) -> Vec<String> {
        let room = MOST_IN_QUEUE.saturating_sub(self.in_queue).min(TOGETHER);
        let most = room.min(self.asked.len());
        self.asked.drain(..most).collect()
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The thread that hands in.
    fn hand_in(&self, mut session: Session) {
        let mut expected = ExpectedSeconds::default();
        loop {
            let (keys, withdrawn, ending) = {
                let mut state = self.state();
                loop {
                    let keys = state.next();
                    let withdrawn = std::mem::take(&mut state.withdrawn);
                    if !keys.is_empty() || !withdrawn.is_empty() || state.ending {
                        break (keys, withdrawn, state.ending);
                    }
                    let waited = self.changed.wait(state);
                    state = waited.unwrap_or_else(PoisonError::into_inner);
                }
            };
            if !withdrawn.is_empty() {
                // One that stays is computed for nobody, and its result kept.
                let _ = session.run(PATIENCE, |client| jobs::withdraw(client, &withdrawn));
            }
            if ending {
                return;
            }
            match self.hand_in_these(&mut session, &mut expected, &keys) {
                Ok(()) => {}
                // Asked again: the server will be back, or the user ends the run.
                Err(error) if error.is_passing() => {
                    let mut state = self.state();
                    for key in keys.into_iter().rev() {
                        if state.requests.contains_key(&key) {
                            state.asked.push_front(key);
                        }
                    }
                }
                Err(error) => {
                    let failure = Failure::new(FailureCode::Internal, error.to_string());
                    let answer = (Outcome::Failure(failure), Source::Computed);
                    keys.iter().for_each(|key| self.deliver(key, &answer));
                }
            }
        }
    }

    fn hand_in_these(
        &self,
        session: &mut Session,
        expected: &mut ExpectedSeconds,
        keys: &[String],
    ) -> Result<(), PostgresqlError> {
        let mut submissions = Vec::new();
        for hash in keys {
            let request = {
                let state = self.state();
                let request = state.requests.get(hash);
                request.map(|r| (r.key.clone(), r.payload.clone(), r.profile.clone()))
            };
            let Some((key, payload, profile)) = request else {
                continue;
            };
            let found = session.run(PATIENCE, |client| select_outcome(client, &key))?;
            if let Some(outcome) = found {
                self.deliver(hash, &(outcome, Source::Store));
                continue;
            }
            submissions.push(Submission {
                key: hash.clone(),
                calculator: key.calculator.clone(),
                profile,
                expected_seconds: expected.of(session, &key)?,
                payload,
            });
        }
        if submissions.is_empty() {
            return Ok(());
        }
        // Before they can end.
        {
            let mut state = self.state();
            for submission in &submissions {
                let state = &mut *state;
                if let Some(request) = state.requests.get_mut(&submission.key)
                    && !request.is_in_queue
                {
                    request.is_in_queue = true;
                    state.in_queue += 1;
                }
            }
        }
        session.run(PATIENCE, |client| jobs::submit(client, &submissions))
    }

    /// The thread that hears of ends.
    fn hear(&self, mut session: Session) {
        let mut last_look = Instant::now();
        let mut last_news = Instant::now();
        while !self.state().ending {
            let heard = session.run(PATIENCE, |client| {
                let mut keys = Vec::new();
                let mut wait = LOOK_EVERY / 10;
                while let Some(key) = client.notification(wait)? {
                    keys.push(key);
                    wait = Duration::ZERO;
                }
                Ok(keys)
            });
            let is_lost = heard.is_err();
            let mut keys: Vec<String> = heard.unwrap_or_default();
            if last_look.elapsed() >= LOOK_EVERY {
                last_look = Instant::now();
                // Whoever looks lets what is lost wait again, should no worker do so.
                let _ = session.run(PATIENCE, |client| jobs::sweep(client, has_ended));
                keys = self.in_queue();
            }
            keys.sort();
            keys.dedup();
            let before = self.state().requests.len();
            for together in keys.chunks(TOGETHER) {
                // What cannot be looked for now is looked for later.
                let _ = self.look_for(&mut session, together);
            }
            let state = self.state();
            if state.requests.len() != before || state.requests.is_empty() {
                last_news = Instant::now();
            } else if last_news.elapsed() >= QUIET {
                drop(state);
                last_news = Instant::now();
                self.tell(&mut session, is_lost);
            }
        }
    }

    fn in_queue(&self) -> Vec<String> {
        let state = self.state();
        let in_queue = state
            .requests
            .iter()
            .filter(|(_, request)| request.is_in_queue);
        in_queue.map(|(key, _)| key.clone()).collect()
    }

    /// Delivers what has ended of these, and asks again for what stands nowhere.
    fn look_for(&self, session: &mut Session, keys: &[String]) -> Result<(), PostgresqlError> {
        let asked: Vec<(String, StoreKey)> = {
            let state = self.state();
            let known = keys.iter().filter_map(|hash| {
                let request = state.requests.get(hash).filter(|r| r.is_in_queue)?;
                Some((hash.clone(), request.key.clone()))
            });
            known.collect()
        };
        if asked.is_empty() {
            return Ok(());
        }
        let hashes: Vec<String> = asked.iter().map(|(hash, _)| hash.clone()).collect();
        let states = session.run(PATIENCE, |client| jobs::look(client, &hashes))?;
        let states: HashMap<String, JobState> = states.into_iter().collect();
        for (hash, key) in &asked {
            match states.get(hash) {
                Some(JobState::UnderWay) => {}
                Some(JobState::Answered(text)) => {
                    let outcome = serde_json::from_str(text).unwrap_or_else(|_| {
                        Outcome::Failure(Failure::new(
                            FailureCode::Internal,
                            "a worker's answer could not be read",
                        ))
                    });
                    self.deliver(hash, &(outcome, Source::Computed));
                }
                Some(JobState::SetAside) => {
                    let failure = Failure::new(
                        FailureCode::LostWorkers,
                        format!(
                            "{} workers were lost while they computed it",
                            jobs::MOST_LOST
                        ),
                    );
                    self.deliver(hash, &(Outcome::Failure(failure), Source::Computed));
                }
                None => match session.run(PATIENCE, |client| select_outcome(client, key))? {
                    Some(outcome) => self.deliver(hash, &(outcome, Source::Computed)),
                    None => {
                        let mut state = self.state();
                        let state = &mut *state;
                        if let Some(request) = state.requests.get_mut(hash)
                            && request.is_in_queue
                        {
                            request.is_in_queue = false;
                            state.in_queue -= 1;
                            state.asked.push_back(hash.clone());
                            self.changed.notify_all();
                        }
                    }
                },
            }
        }
        Ok(())
    }

    fn deliver(&self, key: &str, answer: &Answer) {
        let request = self.state().remove(key);
        // There is room in the queue again.
        self.changed.notify_all();
        let receivers = request.into_iter().flat_map(|request| request.receivers);
        for (index, (_, receiver)) in receivers.enumerate() {
            let (outcome, source) = answer.clone();
            let source = match (index, source) {
                (0, source) | (_, source @ Source::Store) => source,
                _ => Source::Coalesced,
            };
            receiver((outcome, source));
        }
    }

    /// Says why nothing comes.
    #[expect(
        clippy::print_stderr,
        reason = "a run that waits in silence seems to hang"
    )]
    fn tell(&self, session: &mut Session, is_lost: bool) {
        let waiting = self.state().requests.len();
        let url = &self.url;
        let status = session.run(Duration::ZERO, status::snapshot);
        match status {
            Ok(status) if status.workers.is_empty() => eprintln!(
                "{waiting} calculations wait and there is no worker: start some with \
                 `crystalgym worker --store '{url}'`, or compute here with compute=here in the URL"
            ),
            Ok(status) => {
                for (worker, refusal) in status.refusals() {
                    eprintln!(
                        "{waiting} calculations wait; the worker {worker} refuses some: {refusal}"
                    );
                }
            }
            Err(error) if is_lost => eprintln!("{waiting} calculations wait: {error}"),
            Err(_) => {}
        }
    }
}

/// How long calculations take, by what is in the store.
#[derive(Default)]
struct ExpectedSeconds {
    known: HashMap<(String, String, String), f64>,
    forget_at: Option<Instant>,
}

impl ExpectedSeconds {
    fn of(&mut self, session: &mut Session, key: &StoreKey) -> Result<f64, PostgresqlError> {
        if self.forget_at.is_none_or(|at| Instant::now() >= at) {
            self.known.clear();
            self.forget_at = Some(Instant::now() + Duration::from_secs(60));
        }
        let kind = (
            key.calculator.clone(),
            key.property.name().to_owned(),
            key.skeleton.clone(),
        );
        if let Some(&seconds) = self.known.get(&kind) {
            return Ok(seconds);
        }
        let ask = |client: &mut Client| -> Result<Option<f64>, ClientError> {
            jobs::expected_seconds(client, &kind.0, &kind.1, &kind.2)
        };
        let seconds = session.run(PATIENCE, ask)?.unwrap_or(UNKNOWN_SECONDS);
        self.known.insert(kind, seconds);
        Ok(seconds)
    }
}

impl fmt::Debug for Desk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Desk").field(&self.shared.url).finish()
    }
}
