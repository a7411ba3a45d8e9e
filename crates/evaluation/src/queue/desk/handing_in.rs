//! The thread of a desk that hands in what the store lacks.

use std::{sync::Arc, time::Duration};

use crystalgym_postgresql::{PostgresqlError, Session};

use super::{expected_seconds::ExpectedSeconds, requests::Requests};
use crate::{
    Failure, FailureCode, Outcome, Source,
    queue::orders::{self, Order},
};

/// Hands in.
pub(super) struct HandingIn {
    requests: Arc<Requests>,
    session: Session,
    patience: Duration,
    expected: ExpectedSeconds,
}

impl HandingIn {
    pub(super) fn new(requests: Arc<Requests>, session: Session, patience: Duration) -> Self {
        Self {
            requests,
            session,
            patience,
            expected: ExpectedSeconds::default(),
        }
    }

    /// Until the desk is closed.
    pub(super) fn run(mut self) {
        loop {
            let errand = self.requests.next();
            if !errand.withdrawn.is_empty() {
                let withdrawn = &errand.withdrawn;
                // One that stays is computed for nobody, and its result kept.
                let _ =
                    (self.session).run(self.patience, |client| orders::withdraw(client, withdrawn));
            }
            if errand.ending {
                return;
            }
            match self.hand_in(&errand.keys) {
                Ok(()) => {}
                // Asked again: the server will be back, or the user ends the run.
                Err(error) if error.is_passing() => {
                    (self.requests).ask_again(errand.keys.iter().map(String::as_str));
                }
                Err(error) => {
                    let failure = Failure::new(FailureCode::Internal, error.to_string());
                    let answer = (Outcome::Failure(failure), Source::Computed);
                    for key in &errand.keys {
                        self.requests.deliver(key, &answer);
                    }
                }
            }
        }
    }

    fn hand_in(&mut self, keys: &[String]) -> Result<(), PostgresqlError> {
        let mut orders = Vec::new();
        for (key, payload, profile) in self.requests.wanted(keys) {
            let expected = &mut self.expected;
            orders.push(Order {
                expected_seconds: expected.of(&mut self.session, self.patience, &key)?,
                key,
                profile,
                payload,
            });
        }
        if orders.is_empty() {
            return Ok(());
        }
        // Before they can end.
        (self.requests).goes_into_queue(orders.iter().map(|order| order.key.hash()));
        let found = (self.session).run(self.patience, |client| orders::order(client, &orders))?;
        for (place, outcome) in found {
            let key = orders[place].key.hash();
            self.requests.deliver(key, &(outcome, Source::Store));
        }
        Ok(())
    }
}
