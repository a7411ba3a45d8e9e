//! The thread of a desk that hears of ends and delivers outcomes.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use crystalgym_postgresql::{PostgresqlError, Session};

use super::requests::Requests;
use crate::{
    Failure, FailureCode, Outcome, Source, StoreKey,
    queue::{
        jobs::{LEASE, MOST_LOST},
        orders::{self, Standing},
        status,
        sweeper::Sweeper,
    },
};

/// Jobs that are looked for together.
const TOGETHER: usize = 256;
/// How long a word is waited for at a time.
const LISTEN: Duration = Duration::from_millis(200);
/// How often what is under way is looked for without a word, and how much longer that may wait for each
/// that is.
const LOOK_EVERY: Duration = Duration::from_secs(2);
const LOOK_EACH: Duration = Duration::from_millis(2);
/// How long nothing may come before the user is told why.
const QUIET: Duration = Duration::from_secs(30);

/// Hears of ends.
pub(super) struct Hearing {
    requests: Arc<Requests>,
    session: Session,
    patience: Duration,
    sweeper: Sweeper,
}

impl Hearing {
    pub(super) fn new(requests: Arc<Requests>, session: Session, patience: Duration) -> Self {
        Self {
            requests,
            session,
            patience,
            sweeper: Sweeper::new(LEASE),
        }
    }

    /// Until the desk is closed.
    pub(super) fn run(mut self) {
        let mut last_look = Instant::now();
        let mut last_news = Instant::now();
        let mut connections = 0;
        while !self.requests.is_ending() {
            let heard = (self.session).run(self.patience, |client| client.notifications(LISTEN));
            let is_lost = heard.is_err();
            let heard = heard.unwrap_or_default();
            let mut keys = match heard.is_empty() {
                true => Vec::new(),
                false => self.requests.in_queue_of(&heard),
            };
            // What was said while there was no connection was not heard.
            let is_new = self.session.connections() != connections;
            if is_new || last_look.elapsed() >= LOOK_EVERY {
                // Whoever looks lets what is lost wait again, should no worker do so.
                let _ = (self.sweeper).sweep_if_due(&mut self.session, self.patience);
                let in_queue = self.requests.in_queue();
                let each = LOOK_EACH * u32::try_from(in_queue.len()).unwrap_or(u32::MAX);
                if is_new || last_look.elapsed() >= LOOK_EVERY + each {
                    last_look = Instant::now();
                    keys = in_queue;
                    connections = self.session.connections();
                }
            }
            let before = self.requests.waiting();
            for together in keys.chunks(TOGETHER) {
                // What cannot be looked for now is looked for later.
                let _ = self.look_for(together);
            }
            let waiting = self.requests.waiting();
            if waiting != before || waiting == 0 {
                last_news = Instant::now();
            } else if last_news.elapsed() >= QUIET {
                last_news = Instant::now();
                self.tell(waiting, is_lost);
            }
        }
    }

    /// Delivers what has ended of these, and asks again for what stands nowhere.
    fn look_for(&mut self, keys: &[StoreKey]) -> Result<(), PostgresqlError> {
        let standings = (self.session).run(self.patience, |client| orders::look(client, keys))?;
        for (key, standing) in keys.iter().zip(standings) {
            let failure = |code, message: String| Outcome::Failure(Failure::new(code, message));
            let outcome = match standing {
                Standing::UnderWay => continue,
                Standing::Nowhere => {
                    self.requests.ask_again(std::iter::once(key.hash()));
                    continue;
                }
                Standing::Stored(outcome) => *outcome,
                Standing::Answered(text) => serde_json::from_str(&text).unwrap_or_else(|_| {
                    let message = "a worker's answer could not be read".to_owned();
                    failure(FailureCode::Internal, message)
                }),
                Standing::SetAside => failure(
                    FailureCode::LostWorkers,
                    format!("{MOST_LOST} workers were lost while they computed it"),
                ),
            };
            self.requests
                .deliver(key.hash(), &(outcome, Source::Computed));
        }
        Ok(())
    }

    /// Says why nothing comes.
    #[expect(
        clippy::print_stderr,
        reason = "a run that waits in silence seems to hang"
    )]
    fn tell(&mut self, waiting: usize, is_lost: bool) {
        let status = self.session.run(Duration::ZERO, status::snapshot);
        match status {
            Ok(status) if status.workers.is_empty() => {
                let url = self.session.url();
                eprintln!(
                    "{waiting} calculations wait and there is no worker: start some with \
                     `crystalgym worker --store '{url}'`, or compute here with compute=here in the URL"
                );
            }
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
