//! Takes jobs for the threads of a worker until it is told to end or idle.

use std::{
    sync::mpsc::Sender,
    thread,
    time::{Duration, Instant},
};

use crystalgym_postgresql::{PostgresqlError, Session};

use super::{
    delivery::{Delivery, Ended},
    jobs_here::JobsHere,
    options::WorkerOptions,
};
use crate::{
    queue::{
        jobs::{self, TakenJob, Wish},
        sweeper::Sweeper,
    },
    store::server_rows::select_exactly,
};

/// How long a word that work has come is waited for: not long, since a signal has to be seen.
const LISTEN: Duration = Duration::from_millis(250);
/// How long a calculation's end is waited for at a time, for the same reason.
const LOOK_FOR_SIGNAL: Duration = Duration::from_millis(100);
/// How long the server is waited for at a time.
const PATIENCE: Duration = Duration::from_secs(5);
/// Between two tries of what the server refuses.
const PAUSE: Duration = Duration::from_secs(1);

/// Takes jobs.
pub(super) struct Dispatch<'a> {
    pub(super) name: &'a str,
    pub(super) options: &'a WorkerOptions<'a>,
    pub(super) lease: Duration,
    pub(super) jobs: &'a JobsHere,
    pub(super) delivery: &'a Delivery<'a>,
    pub(super) session: Session,
    pub(super) sweeper: Sweeper,
}

impl Dispatch<'_> {
    /// Gives jobs to the threads until the worker is told to end, or has been idle for long enough.
    pub(super) fn run(mut self, threads: &Sender<TakenJob>) {
        let mut idle_since = Instant::now();
        let mut is_unreachable = false;
        while !(self.options.stop)() {
            let (room, is_idle) = self.jobs.room(self.options.threads.get());
            if room == 0 {
                idle_since = Instant::now();
                self.jobs.wait_for_change(LOOK_FOR_SIGNAL);
                continue;
            }
            // What fails is tried again.
            let _ = self.sweeper.sweep_if_due(&mut self.session, PATIENCE);
            let taken = match self.take(room, is_idle) {
                Ok(taken) => taken,
                Err(error) => {
                    if !is_unreachable {
                        (self.options.report)(&format!("{error}; it is waited for"));
                    }
                    is_unreachable = true;
                    if !error.is_passing() {
                        thread::sleep(PAUSE);
                    }
                    continue;
                }
            };
            if is_unreachable {
                (self.options.report)("the server is back");
            }
            is_unreachable = false;
            if !taken.is_empty() || !is_idle {
                idle_since = Instant::now();
            }
            if taken.is_empty() {
                let until = self.options.until_idle;
                if until.is_some_and(|until| idle_since.elapsed() >= until) {
                    return;
                }
                let _ = (self.session).run(PATIENCE, |client| client.notifications(LISTEN));
            }
            for job in taken {
                self.jobs.begin(&job);
                if job.is_there && self.is_readable(&job.key) {
                    self.jobs.ends(&job.key);
                    self.jobs.computed(&job.key, Some(0.0));
                    self.delivery.put(Ended::There(job.key));
                } else {
                    // The receivers live as long as this loop.
                    let _ = threads.send(job);
                }
            }
        }
    }

    /// One that has cost a worker is taken by an idle worker and runs alone, so that it cannot take others
    /// with it, and it alone is counted.
    fn take(&mut self, room: usize, is_idle: bool) -> Result<Vec<TakenJob>, PostgresqlError> {
        let refused = self.jobs.refused();
        let wish = Wish {
            worker: self.name,
            calculators: &self.options.calculators,
            refused: &refused,
            most: room as i64,
            takes_suspects: is_idle,
        };
        (self.session).run(PATIENCE, |client| jobs::take(client, &wish, self.lease))
    }

    /// Whether the result that the store has of a key can be used.
    fn is_readable(&mut self, key: &str) -> bool {
        let found = (self.session).run(PATIENCE, |client| select_exactly(client, key));
        found.is_ok_and(|outcome| outcome.is_some())
    }
}
