//! How long calculations take, by what is in the store.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use crystalgym_postgresql::{PostgresqlError, Session};

use crate::{StoreKey, queue::orders};

/// Time of a calculation of which none like it is known.
const UNKNOWN_SECONDS: f64 = 60.0;
/// How long a mean is believed.
const BELIEVED: Duration = Duration::from_secs(60);

/// Mean times by calculator, property and skeleton.
#[derive(Default)]
pub(super) struct ExpectedSeconds {
    known: HashMap<(String, &'static str, String), f64>,
    forget_at: Option<Instant>,
}

impl ExpectedSeconds {
    pub(super) fn of(
        &mut self,
        session: &mut Session,
        patience: Duration,
        key: &StoreKey,
    ) -> Result<f64, PostgresqlError> {
        if self.forget_at.is_none_or(|at| Instant::now() >= at) {
            self.known.clear();
            self.forget_at = Some(Instant::now() + BELIEVED);
        }
        let kind = (
            key.calculator.clone(),
            key.property.name(),
            key.skeleton.clone(),
        );
        if let Some(&seconds) = self.known.get(&kind) {
            return Ok(seconds);
        }
        let seconds = session.run(patience, |client| {
            orders::expected_seconds(client, &kind.0, kind.1, &kind.2)
        })?;
        let seconds = seconds.unwrap_or(UNKNOWN_SECONDS);
        self.known.insert(kind, seconds);
        Ok(seconds)
    }
}
