//! What a store and its heartbeat share: the tables, the leases, and what is remembered.

use std::time::Duration;

use super::{
    StoreError,
    lease::LeaseTimes,
    memory::{Memory, SHORT_TIMEOUT},
    table::Table,
};

/// What a store and its heartbeat share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) table: Table,
    pub(super) times: LeaseTimes,
    pub(super) memory: Memory,
}

impl Shared {
    /// Writes all that waits, and renews the claims that are held.
    pub(super) fn beat(&self) -> Result<(), StoreError> {
        let work = self.memory.work();
        let nothing =
            work.results.is_empty() && work.given_up.is_empty() && work.renewed.is_empty();
        if nothing {
            return Ok(());
        }
        if self.memory.has_trouble()
            && let Table::File(file) = &self.table
        {
            file.shrink_log();
        }
        self.table.write(&work, self.times)?;
        self.memory.done(&work);
        Ok(())
    }

    /// How long the tables are waited for: not long once they give trouble.
    pub(super) fn patience(&self) -> Duration {
        match self.memory.has_trouble() {
            true => SHORT_TIMEOUT,
            false => self.table.patience(),
        }
    }
}
