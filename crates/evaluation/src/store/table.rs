//! The tables of results and claims: in a file, or on a server.

use std::{path::Path, time::Duration};

use super::{
    StoreError, StoreKey,
    answers::{Count, Look},
    file_table::FileTable,
    lease::{LeaseTimes, RecordedClaim},
    memory::{ClaimRow, Work},
    row::Row,
    server_table::ServerTable,
};
use crate::{Outcome, Property};

/// Where results and claims are.
#[derive(Debug)]
pub(super) enum Table {
    File(FileTable),
    Server(Box<ServerTable>),
}

/// Calls the method of whichever it is.
macro_rules! either {
    ($table:expr, $it:ident => $call:expr) => {
        match $table {
            Table::File($it) => $call,
            Table::Server($it) => $call,
        }
    };
}

impl Table {
    /// The file, or the URL of the server.
    pub(super) fn path(&self) -> &Path {
        either!(self, table => &table.path)
    }

    /// How long it is waited for before something is done without it.
    pub(super) fn patience(&self) -> Duration {
        match self {
            Self::File(file) => file.lock_timeout,
            Self::Server(server) => server.patience,
        }
    }

    /// The outcome of this crystal, under whatever key.
    pub(super) fn find(
        &self,
        key: &StoreKey,
        patience: Duration,
    ) -> Result<Option<Outcome>, StoreError> {
        either!(self, table => table.find(key, patience))
    }

    /// Takes the claim of a key for `owner`, unless there is a result, or another's claim of which
    /// `is_over`, told the time of the table, says that it holds.
    pub(super) fn look(
        &self,
        key: &StoreKey,
        owner: &str,
        times: LeaseTimes,
        patience: Duration,
        is_over: &mut dyn FnMut(&RecordedClaim, i64) -> bool,
    ) -> Result<Look, StoreError> {
        either!(self, table => table.look(key, owner, times, patience, is_over))
    }

    /// Writes results, renews claims and deletes those that were given up, all or nothing.
    pub(super) fn write(&self, work: &Work, times: LeaseTimes) -> Result<(), StoreError> {
        either!(self, table => table.write(work, times))
    }

    /// Ends a claim, with its result if there is one.
    pub(super) fn write_end(
        &self,
        key: &StoreKey,
        outcome: Option<&Outcome>,
        row: &ClaimRow,
        patience: Duration,
    ) -> Result<(), StoreError> {
        either!(self, table => table.write_end(key, outcome, row, patience))
    }

    /// Gives every row in the order of skeletons, elements and keys to `take`.
    pub(super) fn rows(
        &self,
        property: Option<Property>,
        patience: Duration,
        take: &mut dyn FnMut(Row),
    ) -> Result<(), StoreError> {
        either!(self, table => table.rows(property, patience, take))
    }

    /// Writes rows as they are, each unless there is one under its key; how many were new.
    pub(super) fn add_rows(&self, rows: &[Row]) -> Result<u64, StoreError> {
        either!(self, table => table.add_rows(rows))
    }

    /// Numbers of results.
    pub(super) fn statistics(&self, patience: Duration) -> Result<Vec<Count>, StoreError> {
        either!(self, table => table.statistics(patience))
    }

    /// Damage that is not that of a row.
    pub(super) fn damage(&self, patience: Duration) -> Result<Vec<String>, StoreError> {
        match self {
            Self::File(file) => file.damage(patience),
            // A server looks after its files by itself.
            Self::Server(_) => Ok(Vec::new()),
        }
    }
}
