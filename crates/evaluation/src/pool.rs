//! A pool of threads that evaluate while the caller goes on.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use crystalgym_crystal::{Crystal, Element};

use crate::{
    Calculator, CancelToken, Evaluation, Failure, FailureCode, Outcome, Property, ResultStore,
    Source, StoreError,
    evaluate::{Delegation, evaluate},
    queue::desk::Receipt,
};

/// The number of a request, unique in its pool and ascending.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Ticket(pub u64);

/// Threads that compute properties while the caller goes on.
///
/// Every request is answered exactly once, in any order: by [`Self::wait`] for its ticket or by
/// [`Self::receive`] for whichever comes first. Equal requests under way at the same time are
/// computed once. A calculation that crashes is an outcome; the pool goes on.
///
/// If the store has a queue, the workers there compute, and the pool has no threads of its own: as many
/// requests may be under way as there is memory for.
pub struct EvaluationPool {
    shared: Arc<Shared>,
    workers: Vec<JoinHandle<()>>,
}

struct Shared {
    calculator: Arc<dyn Calculator>,
    store: Option<Arc<ResultStore>>,
    capacity: usize,
    state: Mutex<State>,
    /// Signalled whenever the state changes: a job queued, one finished, the end.
    changed: Condvar,
}

#[derive(Default)]
struct State {
    next_ticket: u64,
    queue: VecDeque<Arc<Job>>,
    /// Jobs queued or running, by what they compute.
    jobs: HashMap<JobKey, (Arc<Job>, Vec<Ticket>)>,
    finished: HashMap<Ticket, Evaluation>,
    /// Order of arrival of what lies in `finished`; may hold tickets already taken.
    arrivals: VecDeque<Ticket>,
    closing: bool,
}

#[derive(Clone, PartialEq, Eq, Hash)]
struct JobKey {
    /// Address of the shared skeleton, which the job keeps alive: an identity, never followed.
    skeleton: usize,
    elements: Vec<Element>,
    property: Property,
}

struct Job {
    key: JobKey,
    crystal: Crystal,
    cancel: CancelToken,
    /// The request at the queue of the store, if workers elsewhere do it.
    receipt: OnceLock<Receipt>,
}

impl EvaluationPool {
    /// Starts `workers` threads (at least one). At most `capacity` requests wait or run at a time;
    /// [`Self::submit`] blocks beyond that.
    pub fn new(
        calculator: Arc<dyn Calculator>,
        store: Option<Arc<ResultStore>>,
        workers: usize,
        capacity: usize,
    ) -> Self {
        let shared = Arc::new(Shared {
            calculator,
            store,
            capacity: capacity.max(1),
            state: Mutex::default(),
            changed: Condvar::new(),
        });
        let has_queue = shared.store.as_ref().is_some_and(|store| store.has_queue());
        let travels = shared.calculator.travelling_settings().is_some();
        let workers = match shared.calculator.is_instant() || (has_queue && travels) {
            true => 0,
            false => workers.max(1),
        };
        let workers = (0..workers)
            .map(|_| {
                let shared = Arc::clone(&shared);
                thread::spawn(move || shared.work())
            })
            .collect();
        Self { shared, workers }
    }

    /// The calculator behind the pool.
    pub fn calculator(&self) -> &dyn Calculator {
        self.shared.calculator.as_ref()
    }

    /// Asks for a property; blocks while the pool is full.
    pub fn submit(&self, crystal: &Crystal, property: Property) -> Ticket {
        if self.calculator().is_instant() {
            let evaluation = evaluate(
                self.calculator(),
                None,
                crystal,
                property,
                &CancelToken::default(),
            );
            let mut state = self.shared.lock();
            let ticket = state.new_ticket();
            state.deliver(ticket, evaluation);
            return ticket;
        }
        let crystal = crystal.canonical();
        let key = JobKey {
            skeleton: Arc::as_ptr(crystal.skeleton()).addr(),
            elements: crystal.elements().to_vec(),
            property,
        };
        let mut state = self.shared.lock();
        while state.jobs.len() >= self.shared.capacity && !state.jobs.contains_key(&key) {
            state = self.shared.wait_for_change(state);
        }
        let ticket = state.new_ticket();
        if let Some((_, tickets)) = state.jobs.get_mut(&key) {
            tickets.push(ticket);
            return ticket;
        }
        let job = Arc::new(Job {
            key: key.clone(),
            crystal,
            cancel: CancelToken::default(),
            receipt: OnceLock::new(),
        });
        state.jobs.insert(key, (Arc::clone(&job), vec![ticket]));
        if self.workers.is_empty() {
            drop(state);
            self.hand_in(&job);
        } else {
            state.queue.push_back(job);
            self.shared.changed.notify_all();
        }
        ticket
    }

    /// Gives a job to the workers of the store's queue.
    fn hand_in(&self, job: &Arc<Job>) {
        let (Some(store), calculator) = (&self.shared.store, &self.shared.calculator) else {
            return;
        };
        let property = job.key.property;
        let delegation = Delegation::of(calculator.as_ref(), store, &job.crystal, property);
        let handed_in = match delegation {
            Some(delegation) => {
                let (shared, for_job) = (Arc::clone(&self.shared), Arc::clone(job));
                let finish = move |evaluation| shared.finish(&for_job, &evaluation);
                let calculator = Arc::clone(calculator);
                delegation.hand_in(store, calculator, &job.crystal, finish)
            }
            None => Err(StoreError::NoQueue),
        };
        match handed_in {
            Ok(receipt) => {
                let _ = job.receipt.set(receipt);
            }
            Err(error) => {
                let failure = Failure::new(FailureCode::Internal, error.to_string());
                let evaluation = Evaluation {
                    outcome: Outcome::Failure(failure),
                    source: Source::Computed,
                    store_error: None,
                };
                self.shared.finish(job, &evaluation);
            }
        }
    }

    /// Requests that have not been answered or whose answer has not been taken.
    pub fn outstanding(&self) -> usize {
        let state = self.shared.lock();
        let waiting: usize = state.jobs.values().map(|(_, tickets)| tickets.len()).sum();
        waiting + state.finished.len()
    }

    /// Waits for the answer to one request, at most `timeout` (`None`: as long as it takes).
    /// `None` if the time ran out, or the ticket is unknown or already answered.
    pub fn wait(&self, ticket: Ticket, timeout: Option<Duration>) -> Option<Evaluation> {
        self.wait_until(timeout, |state| match state.finished.remove(&ticket) {
            Some(evaluation) => Some(Some(evaluation)),
            None if state.is_under_way(ticket) => None,
            None => Some(None),
        })?
    }

    /// Waits for the next answer in order of arrival, at most `timeout` (zero: only looks).
    /// `None` if the time ran out or nothing is under way.
    pub fn receive(&self, timeout: Option<Duration>) -> Option<(Ticket, Evaluation)> {
        self.wait_until(timeout, |state| {
            while let Some(ticket) = state.arrivals.pop_front() {
                if let Some(evaluation) = state.finished.remove(&ticket) {
                    return Some(Some((ticket, evaluation)));
                }
            }
            state.jobs.is_empty().then_some(None)
        })?
    }

    /// Gives up a request: its answer is [`FailureCode::Cancelled`], and the calculation stops if
    /// nobody else waits for it.
    pub fn cancel(&self, ticket: Ticket) {
        let mut state = self.shared.lock();
        let key = state
            .jobs
            .iter()
            .find_map(|(key, (_, tickets))| tickets.contains(&ticket).then(|| key.clone()));
        let Some(key) = key else { return };
        if let Some((job, tickets)) = state.jobs.get_mut(&key) {
            tickets.retain(|other| *other != ticket);
            if tickets.is_empty() {
                job.cancel.cancel();
                self.shared.withdraw(job);
                state.jobs.remove(&key);
                state.queue.retain(|queued| queued.key != key);
            }
        }
        state.deliver(ticket, cancelled());
        self.shared.changed.notify_all();
    }

    fn wait_until<T>(
        &self,
        timeout: Option<Duration>,
        mut ready: impl FnMut(&mut State) -> Option<T>,
    ) -> Option<T> {
        let deadline = timeout.map(|timeout| Instant::now() + timeout);
        let mut state = self.shared.lock();
        loop {
            if let Some(answer) = ready(&mut state) {
                return Some(answer);
            }
            state = match deadline {
                None => self.shared.wait_for_change(state),
                Some(deadline) => {
                    let left = deadline.checked_duration_since(Instant::now())?;
                    let waited = self.shared.changed.wait_timeout(state, left);
                    waited.unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
    }
}

impl Drop for EvaluationPool {
    fn drop(&mut self) {
        {
            let mut state = self.shared.lock();
            state.closing = true;
            state.queue.clear();
            for (job, _) in state.jobs.values() {
                job.cancel.cancel();
                self.shared.withdraw(job);
            }
            self.shared.changed.notify_all();
        }
        for worker in self.workers.drain(..) {
            // A worker catches the panics of calculators; nothing else in it can.
            let _ = worker.join();
        }
    }
}

impl Shared {
    fn work(&self) {
        while let Some(job) = self.next_job() {
            let evaluation = evaluate(
                self.calculator.as_ref(),
                self.store.as_deref(),
                &job.crystal,
                job.key.property,
                &job.cancel,
            );
            self.finish(&job, &evaluation);
        }
    }

    /// Delivers the evaluation of a job to all who asked for it.
    fn finish(&self, job: &Arc<Job>, evaluation: &Evaluation) {
        let mut state = self.lock();
        // The entry may by now belong to a later request for the same crystal.
        let current = state
            .jobs
            .get(&job.key)
            .is_some_and(|(entry, _)| Arc::ptr_eq(entry, job));
        if current && let Some((_, tickets)) = state.jobs.remove(&job.key) {
            for (index, ticket) in tickets.into_iter().enumerate() {
                let mut evaluation = evaluation.clone();
                if index > 0 {
                    evaluation.source = Source::Coalesced;
                }
                state.deliver(ticket, evaluation);
            }
        }
        self.changed.notify_all();
    }

    /// Takes a job back from the queue of the store, if it lies there.
    fn withdraw(&self, job: &Job) {
        if let (Some(receipt), Some(store)) = (job.receipt.get(), &self.store)
            && let Ok(desk) = store.desk()
        {
            desk.withdraw(receipt);
        }
    }

    fn next_job(&self) -> Option<Arc<Job>> {
        let mut state = self.lock();
        loop {
            if state.closing {
                return None;
            }
            if let Some(job) = state.queue.pop_front() {
                return Some(job);
            }
            state = self.wait_for_change(state);
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait_for_change<'a>(&self, state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        self.changed
            .wait(state)
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn new_ticket(&mut self) -> Ticket {
        self.next_ticket += 1;
        Ticket(self.next_ticket)
    }

    fn deliver(&mut self, ticket: Ticket, evaluation: Evaluation) {
        self.finished.insert(ticket, evaluation);
        self.arrivals.push_back(ticket);
    }

    fn is_under_way(&self, ticket: Ticket) -> bool {
        self.jobs
            .values()
            .any(|(_, tickets)| tickets.contains(&ticket))
    }
}

fn cancelled() -> Evaluation {
    Evaluation {
        outcome: Outcome::Failure(Failure::new(FailureCode::Cancelled, "cancelled")),
        source: Source::Computed,
        store_error: None,
    }
}
