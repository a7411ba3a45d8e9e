//! The tables of results and claims on a PostgreSQL server.
//!
//! Every statement may be sent twice, since an answer that was lost with its connection is asked for
//! again. Claims are written without waiting for the server's disk: what a crash of the server takes
//! of them is at worst computed twice. Results are waited for.

use std::{
    collections::BTreeSet,
    env,
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use crystalgym_postgresql::{Client, ClientError, Compute, PostgresqlError, ServerUrl, Session};

use super::{
    StoreError, StoreKey,
    answers::{Count, Look},
    lease::{LeaseTimes, RecordedClaim},
    memory::{ClaimRow, Work},
    row::Row,
    server_layout::{bring_up_to_date, is_forbidden},
    server_rows::{
        Found, neutral, result_columns, select_exactly, select_or_claim, select_outcome, store,
    },
};
use crate::{Outcome, Property};

/// How long a server is waited for before work goes on without it.
pub(super) const PATIENCE: Duration = Duration::from_secs(20);
/// How long one is waited for when a store is opened, unless `PGCONNECT_TIMEOUT` says so.
const OPENING: Duration = Duration::from_secs(10);
/// How long one is waited for that this process has reached before: it will be back.
const REOPENING: Duration = Duration::from_secs(3600);

/// Results are waited for one by one (`set_config` in the statements).
const SETUP: &str = "SET synchronous_commit = off; SET client_min_messages = error; \
     SET plan_cache_mode = force_generic_plan";
const SETUP_READ_ONLY: &str = "SET default_transaction_read_only = on";

/// Milliseconds since 1970 by the server's clock, which is one for all machines.
const SELECT_CLAIM: &str = "SELECT owner, expires, \
     (extract(epoch FROM clock_timestamp()) * 1000)::BIGINT \
     FROM crystalgym.claims WHERE key = $1 FOR UPDATE SKIP LOCKED";
const INSERT_CLAIM: &str = "INSERT INTO crystalgym.claims (key, owner, expires) \
     SELECT $1, $2, (extract(epoch FROM clock_timestamp()) * 1000)::BIGINT + $3 \
     WHERE NOT EXISTS (SELECT FROM crystalgym.jobs WHERE jobs.key = $1 AND state = 'taken' \
         AND jobs.expires > (extract(epoch FROM clock_timestamp()) * 1000)::BIGINT) \
     ON CONFLICT (key) DO NOTHING";
const TAKE_CLAIM_OVER: &str = "UPDATE crystalgym.claims SET owner = $2, \
     expires = (extract(epoch FROM clock_timestamp()) * 1000)::BIGINT + $3 \
     WHERE key = $1 AND owner = $4";
const RENEW_CLAIMS: &str = "UPDATE crystalgym.claims SET \
     expires = (extract(epoch FROM clock_timestamp()) * 1000)::BIGINT + $3 \
     FROM unnest($1::TEXT[], $2::TEXT[]) AS held(key, owner) \
     WHERE claims.key = held.key AND claims.owner = held.owner";
const DELETE_CLAIM: &str = "DELETE FROM crystalgym.claims WHERE key = $1 AND owner = $2";
const SELECT_ALL: &str = concat!(
    "SELECT ",
    result_columns!(),
    " FROM crystalgym.results WHERE $1::TEXT IS NULL OR property = $1 \
       ORDER BY skeleton, elements, key"
);
const INSERT_ROW: &str = "INSERT INTO crystalgym.results (key, skeleton, elements, formula, \
     property, calculator, fingerprint, created, version, outcome, structure, status, failure, \
     value, seconds) \
     SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15 \
     FROM (SELECT set_config('synchronous_commit', 'on', true)) AS careful \
     ON CONFLICT (key) DO NOTHING";

/// A server with the session there.
#[derive(Debug)]
pub(super) struct ServerTable {
    /// The URL, without a password.
    pub(super) path: PathBuf,
    session: Mutex<Session>,
    pub(super) patience: Duration,
    url: ServerUrl,
}

impl ServerTable {
    pub(super) fn open(
        url: &ServerUrl,
        is_writable: bool,
        patience: Duration,
    ) -> Result<Self, StoreError> {
        let setup = match is_writable {
            true => SETUP,
            false => SETUP_READ_ONLY,
        };
        let path = PathBuf::from(url.to_string());
        let mut session = Session::new(url, setup)?;
        let mut opened = bring_up_to_date(&mut session, patience.min(OPENING), is_writable);
        if let Err(error) = &opened
            && error.is_passing()
            && patience >= OPENING
            && let Some(longer) = longer_opening(&path)
        {
            tell_of_waiting(error);
            opened = bring_up_to_date(&mut session, longer, is_writable);
        }
        opened.map_err(|error| match error {
            StoreError::Server(error) => read_only_or(error, &path),
            other => other,
        })?;
        reached().insert(path.clone());
        Ok(Self {
            path,
            session: Mutex::new(session),
            patience,
            url: url.clone(),
        })
    }

    pub(super) fn url(&self) -> &ServerUrl {
        &self.url
    }

    pub(super) fn computes_here(&self) -> bool {
        self.url.compute() == Compute::Here
    }

    pub(super) fn find(
        &self,
        key: &StoreKey,
        patience: Duration,
    ) -> Result<Option<Outcome>, StoreError> {
        self.run(patience, |client| select_outcome(client, key))
    }

    pub(super) fn look(
        &self,
        key: &StoreKey,
        owner: &str,
        times: LeaseTimes,
        patience: Duration,
        is_over: &mut dyn FnMut(&RecordedClaim, i64) -> bool,
    ) -> Result<Look, StoreError> {
        let lease = times.lease_ms();
        let looked = self.run(patience, |client| {
            let is_taken = match select_or_claim(client, key, owner, lease)? {
                Found::Outcome(outcome) => return Ok(Look::Done(outcome)),
                Found::Claimed => true,
                // Rows of other crystals of this formula are no reason to leave it.
                Found::Neither => {
                    client.execute(INSERT_CLAIM, &[&key.hash(), &owner, &lease])? > 0
                        || take_over(client, key, owner, lease, is_over)?
                }
            };
            if !is_taken {
                return Ok(Look::Others);
            }
            // Whoever had the claim may have stored the result since the first look.
            let Some(outcome) = select_exactly(client, key.hash())? else {
                return Ok(Look::Taken);
            };
            client.execute(DELETE_CLAIM, &[&key.hash(), &owner])?;
            Ok(Look::Done(outcome.into()))
        });
        match looked {
            // Who may only read finds what is there.
            Err(error @ StoreError::ReadOnly { .. }) => match self.find(key, patience)? {
                Some(outcome) => Ok(Look::Done(outcome.into())),
                None => Err(error),
            },
            looked => looked,
        }
    }

    pub(super) fn write(&self, work: &Work, times: LeaseTimes) -> Result<(), StoreError> {
        let lease = times.lease_ms();
        let (keys, owners): (Vec<_>, Vec<_>) = (work.renewed.iter())
            .map(|(key, owner)| (key.as_str(), owner.as_str()))
            .unzip();
        // The heartbeat comes again; it must not keep others from the session.
        self.run(Duration::ZERO, |client| {
            client.transaction(|client| {
                let results: Vec<_> = (work.results.iter())
                    .map(|(key, outcome)| (key, outcome))
                    .collect();
                store(client, &results, &work.given_up)?;
                client.execute(RENEW_CLAIMS, &[&keys, &owners, &lease])?;
                Ok(())
            })
        })
    }

    pub(super) fn write_end(
        &self,
        key: &StoreKey,
        outcome: Option<&Outcome>,
        claim: &ClaimRow,
        patience: Duration,
    ) -> Result<(), StoreError> {
        self.run(patience, |client| match outcome {
            None => (client.execute(DELETE_CLAIM, &[&claim.0, &claim.1])).map(drop),
            // Together: by itself the end of a claim is not forced to the disk, and a server that crashes
            // would bring the claim of a stored result back.
            Some(outcome) => store(client, &[(key, outcome)], std::slice::from_ref(claim)),
        })
    }

    pub(super) fn rows(
        &self,
        property: Option<Property>,
        patience: Duration,
        take: &mut dyn FnMut(Row),
    ) -> Result<(), StoreError> {
        let name = property.map(Property::name);
        let rows = self.run(patience, |client| client.query(SELECT_ALL, &[&name]))?;
        rows.iter().map(|row| neutral(row, 0)).for_each(take);
        Ok(())
    }

    pub(super) fn add_rows(&self, rows: &[Row]) -> Result<u64, StoreError> {
        self.run(self.patience, |client| {
            client.transaction(|client| {
                let mut added = 0;
                for row in rows {
                    let texts: Vec<_> = row.texts.iter().map(|text| text.as_deref()).collect();
                    let seconds = row.seconds();
                    let mut parameters: Vec<&(dyn crystalgym_postgresql::ToSql + Sync)> =
                        texts.iter().map(|text| text as _).collect();
                    parameters.push(&row.value);
                    parameters.push(&seconds);
                    added += client.execute(INSERT_ROW, &parameters)?;
                }
                Ok(added)
            })
        })
    }

    pub(super) fn statistics(&self, patience: Duration) -> Result<Vec<Count>, StoreError> {
        const COUNT: &str = "SELECT calculator, property, \
             coalesce(failure, status) COLLATE \"C\", count(*) \
             FROM crystalgym.results GROUP BY 1, 2, 3 ORDER BY 1, 2, 3";
        let rows = self.run(patience, |client| client.query(COUNT, &[]))?;
        let count = |row: &crystalgym_postgresql::Row| {
            let number: i64 = row.get(3);
            (row.get(0), row.get(1), row.get(2), number as u64)
        };
        Ok(rows.iter().map(count).collect())
    }

    fn session(&self) -> MutexGuard<'_, Session> {
        // A panic while the session was held left a connection that the next use looks at.
        self.session.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does something there, which must bear to be done twice.
    pub(super) fn run<T>(
        &self,
        patience: Duration,
        work: impl FnMut(&mut Client) -> Result<T, ClientError>,
    ) -> Result<T, StoreError> {
        // Who has waited for others that wait for the server has waited for the server.
        let start = Instant::now();
        let mut session = self.session();
        let left = patience.saturating_sub(start.elapsed());
        (session.run(left, work)).map_err(|error| read_only_or(error, &self.path))
    }
}

/// Servers that this process has reached.
fn reached() -> MutexGuard<'static, BTreeSet<PathBuf>> {
    static REACHED: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());
    REACHED.lock().unwrap_or_else(PoisonError::into_inner)
}

/// How much longer a server is waited for when a store is opened, if it is.
fn longer_opening(path: &Path) -> Option<Duration> {
    if reached().contains(path) {
        return Some(REOPENING);
    }
    let given = env::var("PGCONNECT_TIMEOUT").ok()?.parse().ok()?;
    Duration::from_secs(given).checked_sub(OPENING)
}

#[expect(
    clippy::print_stderr,
    reason = "a program that waits in silence seems to hang"
)]
fn tell_of_waiting(error: &StoreError) {
    eprintln!("{error}; it is waited for");
}

fn read_only_or(error: PostgresqlError, path: &Path) -> StoreError {
    match is_forbidden(&error) {
        true => StoreError::ReadOnly {
            path: path.to_owned(),
        },
        false => error.into(),
    }
}

/// Takes a claim that is over from whoever had it.
fn take_over(
    client: &mut Client,
    key: &StoreKey,
    owner: &str,
    lease: i64,
    is_over: &mut dyn FnMut(&RecordedClaim, i64) -> bool,
) -> Result<bool, ClientError> {
    // Locked or gone: somebody is at it this very moment.
    let Some(row) = client.query_opt(SELECT_CLAIM, &[&key.hash()])? else {
        return Ok(false);
    };
    let other = RecordedClaim {
        owner: row.get(0),
        expires_ms: row.get(1),
    };
    if !is_over(&other, row.get(2)) {
        return Ok(false);
    }
    let taken = client.execute(
        TAKE_CLAIM_OVER,
        &[&key.hash(), &owner, &lease, &other.owner],
    )?;
    Ok(taken > 0)
}
