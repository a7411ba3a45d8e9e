//! The tables of a store on a PostgreSQL server, with their version, and how older ones are brought up
//! to date.

use std::{path::PathBuf, time::Duration};

use crystalgym_postgresql::{Client, PostgresqlError, Session};

use super::StoreError;

/// What makes each layout of the one before, in order. Layout n is made by the first n of them. All
/// is in a schema of its own, so that a database may hold other things.
const STEPS: [&str; 1] = ["
CREATE TABLE crystalgym.results (
    key TEXT COLLATE \"C\" PRIMARY KEY,
    skeleton TEXT COLLATE \"C\" NOT NULL,
    elements TEXT COLLATE \"C\" NOT NULL,
    formula TEXT COLLATE \"C\" NOT NULL,
    property TEXT COLLATE \"C\" NOT NULL,
    calculator TEXT COLLATE \"C\" NOT NULL,
    fingerprint TEXT COLLATE \"C\" NOT NULL,
    status TEXT COLLATE \"C\" NOT NULL,
    failure TEXT COLLATE \"C\",
    value DOUBLE PRECISION,
    seconds DOUBLE PRECISION NOT NULL,
    outcome TEXT NOT NULL,
    structure TEXT NOT NULL,
    created TEXT NOT NULL
        DEFAULT to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"'),
    version TEXT NOT NULL
);
CREATE INDEX results_of_formula ON crystalgym.results (formula, property, calculator);
CREATE TABLE crystalgym.claims (
    key TEXT COLLATE \"C\" PRIMARY KEY,
    owner TEXT NOT NULL,
    expires BIGINT NOT NULL
);
CREATE TABLE crystalgym.jobs (
    key TEXT COLLATE \"C\" PRIMARY KEY,
    state TEXT NOT NULL DEFAULT 'waiting'
        CHECK (state IN ('waiting', 'taken', 'answered', 'set_aside')),
    calculator TEXT COLLATE \"C\" NOT NULL,
    profile TEXT COLLATE \"C\" NOT NULL,
    expected_seconds DOUBLE PRECISION NOT NULL,
    payload TEXT NOT NULL,
    worker TEXT,
    expires BIGINT NOT NULL DEFAULT 0,
    lost INTEGER NOT NULL DEFAULT 0,
    answer TEXT,
    submitted TIMESTAMPTZ NOT NULL DEFAULT now()
) WITH (toast_tuple_target = 128, fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02);
CREATE INDEX jobs_to_take ON crystalgym.jobs (expected_seconds DESC, submitted)
    WHERE state = 'waiting';
CREATE INDEX jobs_taken ON crystalgym.jobs (expires) WHERE state <> 'waiting';
CREATE TABLE crystalgym.workers (
    name TEXT PRIMARY KEY,
    host TEXT NOT NULL,
    threads INTEGER NOT NULL,
    running INTEGER NOT NULL DEFAULT 0,
    finished BIGINT NOT NULL DEFAULT 0,
    busy_seconds DOUBLE PRECISION NOT NULL DEFAULT 0,
    refusal TEXT,
    started TIMESTAMPTZ NOT NULL DEFAULT now(),
    seen TIMESTAMPTZ NOT NULL DEFAULT now()
);
"];
/// The layout that this program writes.
pub(super) const LAYOUT: i64 = STEPS.len() as i64;

/// A number of our own among PostgreSQL's advisory locks: one process at a time changes the tables. It is
/// taken before the transaction, which then sees what the one before has made.
const LOCK: &str = "SELECT pg_advisory_lock(4886718345)";
const UNLOCK: &str = "SELECT pg_advisory_unlock(4886718345)";

/// Looks at the tables, and creates or updates them if need be and allowed.
pub(super) fn bring_up_to_date(
    session: &mut Session,
    patience: Duration,
    is_writable: bool,
) -> Result<(), StoreError> {
    let layout = session.run(patience, found)?;
    let path = || PathBuf::from(session.url().to_string());
    match layout {
        Some(LAYOUT) => return Ok(()),
        Some(layout) if layout > LAYOUT => {
            return Err(StoreError::NewerLayout {
                path: path(),
                found: layout,
                supported: LAYOUT,
            });
        }
        None if !is_writable => {
            return Err(StoreError::NotAStore {
                path: path(),
                found: "the database has no results of CrystalGym".to_owned(),
            });
        }
        _ if !is_writable => return Ok(()),
        _ => {}
    }
    let update = |client: &mut Client| {
        client.query(LOCK, &[])?;
        client.transaction(|client| {
            // Another process may have been quicker.
            let found = found(client)?;
            if found.is_none() {
                client.batch(
                    "CREATE SCHEMA IF NOT EXISTS crystalgym; \
                     CREATE TABLE crystalgym.layout (version BIGINT NOT NULL); \
                     INSERT INTO crystalgym.layout VALUES (0)",
                )?;
            }
            let done = usize::try_from(found.unwrap_or(0)).unwrap_or(usize::MAX);
            for step in STEPS.iter().skip(done) {
                client.batch(step)?;
            }
            client.execute(
                "UPDATE crystalgym.layout SET version = greatest(version, $1)",
                &[&LAYOUT],
            )?;
            Ok(())
        })?;
        // One that is not given back ends with its connection.
        client.query(UNLOCK, &[]).map(|_| ())
    };
    Ok(session.run(patience, update)?)
}

type ClientResult<T> = Result<T, crystalgym_postgresql::ClientError>;

fn found(client: &mut Client) -> ClientResult<Option<i64>> {
    let there = client.query_opt("SELECT to_regclass('crystalgym.layout')::TEXT", &[])?;
    if there
        .and_then(|row| row.get::<_, Option<String>>(0))
        .is_none()
    {
        return Ok(None);
    }
    let row = client.query_opt("SELECT version FROM crystalgym.layout", &[])?;
    Ok(row.map(|row| row.get(0)))
}

/// What a server says that a user may not do.
pub(super) fn is_forbidden(error: &PostgresqlError) -> bool {
    // insufficient_privilege, read_only_sql_transaction
    matches!(error.code(), Some("42501" | "25006"))
}
