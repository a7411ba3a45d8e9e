//! Where a run hands in calculations and gets their outcomes, however many are under way: two threads and
//! two connections in all.
//!
//! One thread looks into the store and hands in what it lacks, in bulk and never more at a time than the
//! queue should hold of one run; the other waits for the word that a job has ended. What nobody says,
//! since a connection was lost or a server began anew, is looked for now and then, and handed in again
//! if it stands nowhere.

mod expected_seconds;
mod handing_in;
mod hearing;
mod requests;

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
    thread::{self, JoinHandle},
    time::Duration,
};

use crystalgym_postgresql::{PostgresqlError, ServerUrl};

pub(crate) use requests::{Answer, Receipt};

use super::{
    calculation::QueuedCalculation,
    sessions::{Hears, session},
};
use crate::StoreKey;
use handing_in::HandingIn;
use hearing::Hearing;
use requests::{Receiver, Requests};

/// How long the server is waited for at a time; what waits goes on waiting.
const PATIENCE: Duration = Duration::from_secs(5);

/// Hands in calculations and delivers their outcomes.
pub(crate) struct Desk {
    url: ServerUrl,
    requests: Arc<Requests>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

impl Desk {
    /// A desk at the queue of a server.
    ///
    /// # Errors
    /// [`PostgresqlError`] if a session cannot be set up.
    pub(crate) fn open(url: &ServerUrl) -> Result<Self, PostgresqlError> {
        let requests = Arc::new(Requests::default());
        let handing_in = HandingIn::new(
            Arc::clone(&requests),
            session(url, Hears::Nothing)?,
            PATIENCE,
        );
        let hearing = Hearing::new(Arc::clone(&requests), session(url, Hears::Ends)?, PATIENCE);
        let threads = vec![
            thread::spawn(move || handing_in.run()),
            thread::spawn(move || hearing.run()),
        ];
        Ok(Self {
            url: url.clone(),
            requests,
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
        let (payload, profile) = (calculation.to_text(), calculation.profile());
        self.requests.ask(key, payload, profile, receiver)
    }

    /// Gives a request up. What a worker has begun goes on.
    pub(crate) fn withdraw(&self, receipt: &Receipt) {
        self.requests.withdraw(receipt);
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        self.requests.end();
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

impl fmt::Debug for Desk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Desk").field(&self.url).finish()
    }
}
