//! A worker: takes calculations from the queue, several at a time, until it is told to end.

use std::{
    collections::{HashMap, HashSet},
    num::NonZeroUsize,
    path::PathBuf,
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
        mpsc,
    },
    thread,
    time::{Duration, Instant},
};

use crystalgym_crystal::Skeleton;
use crystalgym_postgresql::{Client, ClientError, Compute, PostgresqlError, ServerUrl, Session};

use super::{
    calculation::QueuedCalculation,
    jobs::{self, TakenJob, Wish},
    makers::CalculatorMaker,
};
use crate::{
    Calculator, CancelToken, Failure, FailureCode, Outcome, ResultStore, StoreError, StoreKey,
    evaluate::evaluate,
    store::process_identity::{has_ended, this_process},
};

/// How long an idle worker waits for a word that work has come before it looks by itself.
const IDLE_LOOK: Duration = Duration::from_secs(1);
/// How often jobs are looked for whose workers are gone.
const SWEEP_EVERY: Duration = Duration::from_secs(2);
/// How long the server is waited for at a time.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long a result that cannot be handed in is tried at the end.
const LAST_PATIENCE: Duration = Duration::from_secs(60);
/// Frames of crystals that are kept.
const MOST_SKELETONS: usize = 256;

const REPORT: &str = "INSERT INTO crystalgym.workers \
         (name, host, threads, running, finished, busy_seconds, refusal) \
     VALUES ($1, $2, $3, $4, $5, $6, $7) \
     ON CONFLICT (name) DO UPDATE SET running = $4, finished = $5, busy_seconds = $6, \
         refusal = $7, seen = now()";
const LEAVE: &str = "DELETE FROM crystalgym.workers WHERE name = $1";

/// What a worker is to do.
pub struct WorkerOptions<'a> {
    /// Calculations at a time.
    pub threads: NonZeroUsize,
    /// Names of the calculators whose work is taken.
    pub calculators: Vec<String>,
    /// End when there has been nothing to do for so long.
    pub until_idle: Option<Duration>,
    /// How long what is under way may go on after the worker was told to end; the rest is handed back.
    pub grace: Duration,
    /// How long the jobs taken hold without being renewed.
    pub lease: Option<Duration>,
    /// Makes calculators.
    pub makers: &'a dyn CalculatorMaker,
    /// Prepares a thread for its calculations, told its number: to bind it to cores.
    pub prepare_thread: &'a (dyn Fn(usize) + Sync),
    /// Whether to end.
    pub stop: &'a (dyn Fn() -> bool + Sync),
    /// Told what a person should know.
    pub report: &'a (dyn Fn(&str) + Sync),
}

/// What a worker did.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct WorkerSummary {
    /// Calculations done.
    pub finished: u64,
    /// Calculations handed back.
    pub handed_back: u64,
    /// Wall time of the calculations done, in seconds.
    pub busy_seconds: f64,
}

/// Works for the queue of a server until it is told to end or idle.
///
/// # Errors
/// [`StoreError`] if the store cannot be opened. A server that is gone later is waited for.
pub fn work(url: &str, options: &WorkerOptions<'_>) -> Result<WorkerSummary, StoreError> {
    let url: ServerUrl = url.parse()?;
    let here = url.computing(Compute::Here);
    let store = ResultStore::open_url(&here)?;
    let worker = Worker {
        name: worker_name(),
        host: host_name(),
        options,
        store,
        handing_in: Mutex::new(jobs::quiet_session(&here)?),
        lease: options.lease.unwrap_or(jobs::LEASE),
        state: Mutex::default(),
        changed: Condvar::new(),
        skeletons: Mutex::default(),
    };
    worker.run(jobs::session(&here, jobs::LISTEN_FOR_WORK)?)
}

struct Worker<'a> {
    name: String,
    host: String,
    options: &'a WorkerOptions<'a>,
    store: ResultStore,
    /// For what ends, and for renewals.
    handing_in: Mutex<Session>,
    lease: Duration,
    state: Mutex<State>,
    /// Signalled when a calculation ends, and at the end.
    changed: Condvar,
    skeletons: Mutex<HashMap<String, Arc<Skeleton>>>,
}

#[derive(Default)]
struct State {
    /// Jobs that are computed: key to what stops it.
    running: HashMap<String, CancelToken>,
    /// Whether one that has cost a worker is among them, which then runs alone.
    is_alone: bool,
    refused: HashSet<String>,
    refusal: Option<String>,
    summary: WorkerSummary,
    ending: bool,
}

impl Worker<'_> {
    fn run(&self, session: Session) -> Result<WorkerSummary, StoreError> {
        let (sender, receiver) = mpsc::channel::<TakenJob>();
        let receiver = Mutex::new(receiver);
        thread::scope(|scope| {
            let renewer = scope.spawn(|| self.keep_up());
            for number in 0..self.options.threads.get() {
                let receiver = &receiver;
                scope.spawn(move || {
                    (self.options.prepare_thread)(number);
                    loop {
                        let next = receiver
                            .lock()
                            .unwrap_or_else(PoisonError::into_inner)
                            .recv();
                        // The sender is gone: the worker ends.
                        let Ok(job) = next else { return };
                        self.compute(&job);
                    }
                });
            }
            self.dispatch(session, &sender);
            self.let_finish();
            drop(sender);
            // Threads end with their calculations; the renewals go on until then.
            let mut state = self.state();
            while !state.running.is_empty() {
                let waited = self.changed.wait(state);
                state = waited.unwrap_or_else(PoisonError::into_inner);
            }
            state.ending = true;
            drop(state);
            self.changed.notify_all();
            // Nothing in it panics.
            let _ = renewer.join();
        });
        self.store.flush()?;
        let _ = self.hand_in(PATIENCE, |client| client.execute(LEAVE, &[&self.name]));
        Ok(self.state().summary)
    }

    /// Takes jobs and gives them to the threads until the worker ends.
    fn dispatch(&self, mut session: Session, sender: &mpsc::Sender<TakenJob>) {
        let mut idle_since = Instant::now();
        let mut last_sweep: Option<Instant> = None;
        let mut is_unreachable = false;
        while !(self.options.stop)() {
            let (free, running, is_alone) = {
                let state = self.state();
                let running = state.running.len();
                (
                    self.options.threads.get() - running,
                    running,
                    state.is_alone,
                )
            };
            if free == 0 || is_alone {
                idle_since = Instant::now();
                self.wait_for_change();
                continue;
            }
            if last_sweep.is_none_or(|last| last.elapsed() >= SWEEP_EVERY) {
                last_sweep = Some(Instant::now());
                // What fails is tried again.
                let _ = session.run(PATIENCE, |client| jobs::sweep(client, has_ended));
            }
            match self.take(&mut session, free, running) {
                Ok(jobs) => {
                    if is_unreachable {
                        (self.options.report)("the server is back");
                    }
                    is_unreachable = false;
                    let has_work = !jobs.is_empty();
                    for job in jobs {
                        self.begin(&job);
                        // The receivers live as long as this loop.
                        let _ = sender.send(job);
                    }
                    if has_work || running > 0 {
                        idle_since = Instant::now();
                    }
                    if has_work {
                        continue;
                    }
                }
                Err(error) => {
                    if !is_unreachable {
                        (self.options.report)(&format!("{error}; it is waited for"));
                    }
                    is_unreachable = true;
                    if !error.is_passing() {
                        thread::sleep(IDLE_LOOK);
                    }
                    continue;
                }
            }
            if (self.options.until_idle).is_some_and(|until| idle_since.elapsed() >= until) {
                return;
            }
            // Not long while something runs, since what ends makes room; and a signal has to be seen.
            let _ = session.run(PATIENCE, |client| client.notification(IDLE_LOOK / 4));
        }
    }

    /// One that has cost a worker is taken by an idle worker and runs alone, so that it cannot take others
    /// with it, and it alone is counted.
    fn take(
        &self,
        session: &mut Session,
        free: usize,
        running: usize,
    ) -> Result<Vec<TakenJob>, PostgresqlError> {
        let refused: Vec<String> = self.state().refused.iter().cloned().collect();
        let wish = |most: usize, most_lost: i32| Wish {
            worker: &self.name,
            calculators: &self.options.calculators,
            refused: &refused,
            most: most as i64,
            most_lost,
        };
        let innocent = wish(free, 0);
        let taken = session.run(PATIENCE, |client| jobs::take(client, &innocent, self.lease))?;
        if !taken.is_empty() || running > 0 {
            return Ok(taken);
        }
        let suspect = wish(1, jobs::MOST_LOST);
        session.run(PATIENCE, |client| jobs::take(client, &suspect, self.lease))
    }

    fn begin(&self, job: &TakenJob) {
        let mut state = self.state();
        state.is_alone |= job.lost > 0;
        state
            .running
            .insert(job.key.clone(), CancelToken::default());
    }

    /// Computes a job and hands its outcome in.
    fn compute(&self, job: &TakenJob) {
        let cancel = self
            .state()
            .running
            .get(&job.key)
            .cloned()
            .unwrap_or_default();
        let (outcome, is_stored) = match self.prepare(job) {
            Ok((calculator, calculation, crystal)) => {
                let property = calculation.property;
                let store = Some(&self.store);
                let evaluation = evaluate(calculator.as_ref(), store, &crystal, property, &cancel);
                if let Some(error) = evaluation.store_error {
                    (self.options.report)(&error);
                }
                let failure = evaluation.outcome.failure().map(|failure| failure.code);
                let is_momentary = failure.is_some_and(FailureCode::depends_on_the_moment);
                (evaluation.outcome, !is_momentary)
            }
            Err(Unfit::Refused(profile, reason)) => {
                self.refuse(job, profile, &reason);
                self.finished(&job.key, None);
                return;
            }
            Err(Unfit::Bad(reason)) => {
                let failure = Failure::new(FailureCode::Internal, reason);
                (Outcome::Failure(failure), false)
            }
        };
        if cancel.is_cancelled()
            && outcome
                .failure()
                .is_some_and(|f| f.code == FailureCode::Cancelled)
        {
            self.hand_back(vec![job.key.clone()]);
            self.finished(&job.key, None);
            return;
        }
        if is_stored {
            // Before anybody is told that it is there.
            let start = Instant::now();
            while self.store.unwritten() > 0 && self.store.flush().is_err() {
                if start.elapsed() > LAST_PATIENCE && (self.options.stop)() {
                    break;
                }
                thread::sleep(IDLE_LOOK);
            }
        }
        let text = serde_json::to_string(&outcome).unwrap_or_default();
        // What cannot be said now is found out by whoever waits, or the job is done again from the store.
        let _ = self.hand_in(LAST_PATIENCE, |client| match is_stored {
            true => jobs::end(client, &job.key),
            false => jobs::answer(client, &job.key, &self.name, &text),
        });
        self.finished(&job.key, Some(outcome.seconds()));
    }

    /// The calculator and the crystal of a job, if they are what the job's key says.
    fn prepare(&self, job: &TakenJob) -> Result<Prepared, Unfit> {
        let bad = |error: &dyn std::fmt::Display| Unfit::Bad(error.to_string());
        let calculation = QueuedCalculation::from_text(&job.payload).map_err(|e| bad(&e))?;
        let refused = |reason: String| Unfit::Refused(calculation.profile(), reason);
        let calculator = (self.options.makers)
            .make(&calculation.calculator)
            .map_err(refused)?;
        let skeleton = self.skeleton(&calculation)?;
        let crystal = calculation.to_crystal(&skeleton).map_err(|e| bad(&e))?;
        let own = calculator.fingerprint(crystal.elements(), calculation.property);
        if own != calculation.fingerprint {
            let reason = difference(&own.0, &calculation.fingerprint.0);
            return Err(Unfit::Refused(calculation.profile(), reason));
        }
        let key = StoreKey::new(&crystal, calculation.property, calculator.as_ref());
        if key.hash() != job.key {
            return Err(Unfit::Bad(
                "a calculation in the queue: its key is another calculation's".to_owned(),
            ));
        }
        Ok((calculator, calculation, crystal))
    }

    fn skeleton(&self, calculation: &QueuedCalculation) -> Result<Arc<Skeleton>, Unfit> {
        let text = serde_json::to_string(&calculation.skeleton).unwrap_or_default();
        let known = |skeletons: &HashMap<_, Arc<_>>| skeletons.get(&text).map(Arc::clone);
        let lock = || {
            self.skeletons
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
        };
        if let Some(skeleton) = known(&lock()) {
            return Ok(skeleton);
        }
        let skeleton = calculation.to_skeleton();
        let skeleton = skeleton.map_err(|error| Unfit::Bad(error.to_string()))?;
        let mut skeletons = lock();
        if skeletons.len() >= MOST_SKELETONS {
            skeletons.clear();
        }
        skeletons.insert(text, Arc::clone(&skeleton));
        Ok(skeleton)
    }

    fn refuse(&self, job: &TakenJob, profile: String, reason: &str) {
        let is_new = {
            let mut state = self.state();
            state.refusal = Some(reason.to_owned());
            state.refused.insert(profile)
        };
        if is_new {
            (self.options.report)(&format!("refused: {reason}"));
        }
        self.hand_back(vec![job.key.clone()]);
    }

    fn hand_back(&self, keys: Vec<String>) {
        // What cannot be handed back is taken over after its lease.
        let _ = self.hand_in(PATIENCE, |client| {
            jobs::hand_back(client, &keys, &self.name)
        });
    }

    fn finished(&self, key: &str, seconds: Option<f64>) {
        let mut state = self.state();
        state.running.remove(key);
        state.is_alone &= !state.running.is_empty();
        match seconds {
            Some(seconds) => {
                state.summary.finished += 1;
                state.summary.busy_seconds += seconds;
            }
            None => state.summary.handed_back += 1,
        }
        self.changed.notify_all();
    }

    /// Waits for what is under way, at most the time of grace; stops the rest, which is handed back.
    fn let_finish(&self) {
        let deadline = Instant::now() + self.options.grace;
        let mut state = self.state();
        while !state.running.is_empty() {
            let Some(left) = deadline.checked_duration_since(Instant::now()) else {
                break;
            };
            let waited = self.changed.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        state.running.values().for_each(CancelToken::cancel);
    }

    /// The thread that renews what was taken and says that the worker is there.
    fn keep_up(&self) {
        let every = self.lease / 6;
        let mut state = self.state();
        loop {
            let (running, refusal) = (state.running.len(), state.refusal.clone());
            let (summary, ending) = (state.summary, state.ending);
            drop(state);
            if ending {
                return;
            }
            let threads = i32::try_from(self.options.threads.get()).unwrap_or(i32::MAX);
            let running = i32::try_from(running).unwrap_or(i32::MAX);
            let finished = summary.finished as i64;
            // What fails now is tried again at the next beat.
            let _ = self.hand_in(every, |client| {
                jobs::renew(client, &self.name, self.lease)?;
                let parameters: [&(dyn crystalgym_postgresql::ToSql + Sync); 7] = [
                    &self.name,
                    &self.host,
                    &threads,
                    &running,
                    &finished,
                    &summary.busy_seconds,
                    &refusal,
                ];
                client.execute(REPORT, &parameters)
            });
            let due = Instant::now() + every;
            state = self.state();
            while !state.ending {
                let Some(left) = due.checked_duration_since(Instant::now()) else {
                    break;
                };
                let waited = self.changed.wait_timeout(state, left);
                state = waited.unwrap_or_else(PoisonError::into_inner).0;
            }
        }
    }

    fn wait_for_change(&self) {
        let state = self.state();
        // Not for ever: a signal has to be seen.
        let waited = self.changed.wait_timeout(state, Duration::from_millis(100));
        drop(waited);
    }

    fn hand_in<T>(
        &self,
        patience: Duration,
        work: impl FnMut(&mut Client) -> Result<T, ClientError>,
    ) -> Result<T, PostgresqlError> {
        let session = self.handing_in.lock();
        session
            .unwrap_or_else(PoisonError::into_inner)
            .run(patience, work)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

type Prepared = (
    Arc<dyn Calculator>,
    QueuedCalculation,
    crystalgym_crystal::Crystal,
);

/// Why a job is not computed here.
enum Unfit {
    /// Another worker may: hash of the settings, and the reason.
    Refused(String, String),
    /// Nobody can.
    Bad(String),
}

/// Which parts of two fingerprints differ, in words.
fn difference(own: &str, wanted: &str) -> String {
    let parsed = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap_or_default();
    let (own, wanted) = (parsed(own), parsed(wanted));
    let mut found = Vec::new();
    collect_differences("", &own, &wanted, &mut found);
    match found.is_empty() {
        true => "the settings here are others than the run's".to_owned(),
        false => found.join("; "),
    }
}

fn collect_differences(
    name: &str,
    own: &serde_json::Value,
    wanted: &serde_json::Value,
    found: &mut Vec<String>,
) {
    match (own.as_object(), wanted.as_object()) {
        (Some(here), Some(there)) => {
            let keys: std::collections::BTreeSet<_> = here.keys().chain(there.keys()).collect();
            for key in keys {
                let null = serde_json::Value::Null;
                let own = here.get(key).unwrap_or(&null);
                let wanted = there.get(key).unwrap_or(&null);
                let dotted = if name.is_empty() {
                    key.clone()
                } else {
                    format!("{name}.{key}")
                };
                collect_differences(&dotted, own, wanted, found);
            }
        }
        _ if own != wanted => found.push(format!("{name} is {own} here, the run has {wanted}")),
        _ => {}
    }
}

/// Begins with the identity of the process, so that its end is seen at once on its machine.
fn worker_name() -> String {
    static WORKERS: AtomicU64 = AtomicU64::new(0);
    format!(
        "{} w{}",
        this_process(),
        WORKERS.fetch_add(1, Ordering::Relaxed)
    )
}

fn host_name() -> String {
    let path = PathBuf::from("/proc/sys/kernel/hostname");
    let name = std::fs::read_to_string(path).unwrap_or_default();
    name.trim().to_owned()
}
