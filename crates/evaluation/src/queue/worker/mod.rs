//! A worker: takes calculations from the queue, several at a time, until it is told to end. One thread
//! takes, one hands in, one renews what was taken, all others compute.

mod delivery;
mod difference;
mod dispatch;
mod jobs_here;
mod options;
mod preparation;
mod upkeep;

use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
        mpsc,
    },
    thread,
};

use crystalgym_postgresql::{Compute, ServerUrl};

pub use options::{WorkerOptions, WorkerSummary};

use super::{
    jobs::{LEASE, TakenJob},
    sessions::{Hears, session},
    sweeper::Sweeper,
};
use crate::{
    CancelToken, Failure, FailureCode, Outcome, ResultStore, StoreError,
    evaluate::compute_to_store, store::process_identity::this_process,
};
use delivery::{Delivery, Ended};
use dispatch::Dispatch;
use jobs_here::JobsHere;
use preparation::{Preparation, Unfit};
use upkeep::keep_up;

/// Works for the queue of a server until it is told to end or idle.
///
/// # Errors
/// [`StoreError`] if the store cannot be opened. A server that is gone later is waited for.
pub fn work(url: &str, options: &WorkerOptions<'_>) -> Result<WorkerSummary, StoreError> {
    let url: ServerUrl = url.parse()?;
    let url = url.computing(Compute::Here);
    // Makes the tables, and says what is wrong with them.
    drop(ResultStore::open_url(&url)?);
    let sessions = [Hears::Work, Hears::Nothing, Hears::Nothing].map(|hears| session(&url, hears));
    let [taking, handing_in, keeping_up] = sessions;
    let (name, lease) = (worker_name(), options.lease.unwrap_or(LEASE));
    let jobs = JobsHere::default();
    let delivery = Delivery::new(&name, &jobs, options, handing_in?);
    let keeping_up = keeping_up?;
    let dispatch = Dispatch {
        name: &name,
        options,
        lease,
        jobs: &jobs,
        delivery: &delivery,
        session: taking?,
        sweeper: Sweeper::new(lease),
    };
    let computing = Computing {
        preparation: Preparation::new(options.makers),
        options,
        jobs: &jobs,
        delivery: &delivery,
    };
    let (sender, receiver) = mpsc::channel();
    let receiver = Mutex::new(receiver);
    thread::scope(|scope| {
        let (jobs, name, delivery) = (&jobs, name.as_str(), &delivery);
        let threads = options.threads.get();
        scope.spawn(move || keep_up(keeping_up, name, threads, lease, jobs));
        let deliverer = scope.spawn(move || delivery.run());
        for number in 0..threads {
            let (computing, receiver) = (&computing, &receiver);
            scope.spawn(move || {
                (options.prepare_thread)(number);
                computing.run(receiver);
            });
        }
        dispatch.run(&sender);
        jobs.let_finish(options.grace);
        drop(sender);
        delivery.close();
        // Nothing in it panics.
        let _ = deliverer.join();
        jobs.end();
    });
    Ok(jobs.summary())
}

/// What the threads that compute share.
struct Computing<'a> {
    preparation: Preparation<'a>,
    options: &'a WorkerOptions<'a>,
    jobs: &'a JobsHere,
    delivery: &'a Delivery<'a>,
}

impl Computing<'_> {
    /// Computes what comes until nothing more can.
    fn run(&self, receiver: &Mutex<mpsc::Receiver<TakenJob>>) {
        loop {
            let next = receiver
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .recv();
            // The sender is gone: the worker ends.
            let Ok(job) = next else { return };
            let ended = self.compute(&job);
            let seconds = match &ended {
                Ended::Result(result) => Some(result.1.seconds()),
                Ended::Answer(_, outcome) => Some(outcome.seconds()),
                Ended::There(_) | Ended::HandedBack(_) => None,
            };
            // Whoever waits until nothing is computed any more finds it among what is to be handed in.
            self.jobs.ends(&job.key);
            self.delivery.put(ended);
            self.jobs.computed(&job.key, seconds);
        }
    }

    fn compute(&self, job: &TakenJob) -> Ended {
        let cancel: CancelToken = self.jobs.cancel_token(&job.key);
        let prepared = match self.preparation.prepare(job) {
            Ok(prepared) => prepared,
            Err(Unfit::Refused(profile, reason)) => {
                if self.jobs.refuse(profile, &reason) {
                    (self.options.report)(&format!("refused: {reason}"));
                }
                return Ended::HandedBack(job.key.clone());
            }
            Err(Unfit::Bad(reason)) => {
                let failure = Failure::new(FailureCode::Internal, reason);
                return Ended::Answer(job.key.clone(), Box::new(Outcome::Failure(failure)));
            }
        };
        let outcome = compute_to_store(
            prepared.calculator.as_ref(),
            &prepared.identity,
            &prepared.crystal,
            prepared.property,
            &cancel,
        );
        match outcome.failure().map(|failure| failure.code) {
            Some(FailureCode::Cancelled) if cancel.is_cancelled() => {
                Ended::HandedBack(job.key.clone())
            }
            Some(code) if code.depends_on_the_moment() => {
                Ended::Answer(job.key.clone(), Box::new(outcome))
            }
            _ => Ended::Result(Box::new((prepared.key, outcome))),
        }
    }
}

/// Begins with the identity of the process, so that its end is seen at once on its machine.
fn worker_name() -> String {
    static WORKERS: AtomicU64 = AtomicU64::new(0);
    let number = WORKERS.fetch_add(1, Ordering::Relaxed);
    format!("{} w{number}", this_process())
}
