//! The table of waiting calculations, from both sides.
//!
//! A job waits, is taken, and is deleted when its result is in the store; an answer that no store keeps
//! (a failure of the moment) stays in its row for a while. A worker renews what it has taken; what is
//! not renewed has lost its worker and waits again, until that has happened too often.

use std::time::Duration;

use crystalgym_postgresql::{Client, ClientError, PostgresqlError, ServerUrl, Session};

/// How long what a worker has taken holds that nobody renews.
pub(crate) const LEASE: Duration = Duration::from_secs(30);
/// Workers that a calculation may cost.
pub(crate) const MOST_LOST: i32 = 3;
/// How long an answer that no store keeps lies in the queue.
const ANSWER_KEPT_MS: i64 = 600_000;

/// Channels of notifications: work has come, a job has ended (with its key).
pub(crate) const LISTEN_FOR_WORK: &str = "SET synchronous_commit = off; SET enable_seqscan = off; \
     SET enable_bitmapscan = off; SET enable_sort = off; LISTEN crystalgym_work";
pub(crate) const LISTEN_FOR_ENDS: &str = "SET synchronous_commit = off; SET enable_seqscan = off; \
     SET enable_bitmapscan = off; SET enable_sort = off; LISTEN crystalgym_ends";
/// The table of jobs changes faster than its statistics: its indices are what to go by.
const QUIET: &str = "SET synchronous_commit = off; SET enable_seqscan = off; \
     SET enable_bitmapscan = off; SET enable_sort = off";

const SUBMIT: &str = "WITH submitted AS (\
         INSERT INTO crystalgym.jobs (key, calculator, profile, expected_seconds, payload) \
         SELECT * FROM unnest($1::TEXT[], $2::TEXT[], $3::TEXT[], $4::FLOAT8[], $5::TEXT[]) \
         ON CONFLICT (key) DO UPDATE SET state = 'waiting', answer = NULL, worker = NULL \
         WHERE jobs.state = 'answered' RETURNING key) \
     SELECT pg_notify('crystalgym_work', '') FROM (SELECT count(*) FROM submitted) AS done";
const ANNOUNCE_WORK: &str = "SELECT pg_notify('crystalgym_work', '')";
const TAKE: &str = "WITH next AS (\
         SELECT key FROM crystalgym.jobs \
         WHERE state = 'waiting' AND calculator = ANY($3) AND lost <= $5 \
             AND NOT profile = ANY($6) \
         ORDER BY expected_seconds DESC, submitted LIMIT $4 FOR UPDATE SKIP LOCKED) \
     UPDATE crystalgym.jobs SET state = 'taken', worker = $1, \
         expires = (extract(epoch FROM clock_timestamp()) * 1000)::BIGINT + $2 \
     FROM next WHERE jobs.key = next.key RETURNING jobs.key, jobs.payload, jobs.lost";
const RENEW: &str = "UPDATE crystalgym.jobs SET \
     expires = (extract(epoch FROM clock_timestamp()) * 1000)::BIGINT + $2 \
     WHERE worker = $1 AND state = 'taken'";
const END: &str = "WITH ended AS (\
         DELETE FROM crystalgym.jobs WHERE key = $1 RETURNING key) \
     SELECT pg_notify('crystalgym_ends', $1) FROM (SELECT count(*) FROM ended) AS done";
const ANSWER: &str = "WITH answered AS (\
         UPDATE crystalgym.jobs SET state = 'answered', answer = $3, \
             expires = (extract(epoch FROM clock_timestamp()) * 1000)::BIGINT + $4 \
         WHERE key = $1 AND worker = $2 AND state = 'taken' RETURNING key) \
     SELECT pg_notify('crystalgym_ends', $1) FROM (SELECT count(*) FROM answered) AS done";
const HAND_BACK: &str = "UPDATE crystalgym.jobs SET state = 'waiting', worker = NULL \
     WHERE key = ANY($1) AND worker = $2 AND state = 'taken'";
const LOSE: &str = "UPDATE crystalgym.jobs SET lost = lost + 1, worker = NULL, \
     state = CASE WHEN lost + 1 >= $1 THEN 'set_aside' ELSE 'waiting' END \
     WHERE key IN (SELECT key FROM crystalgym.jobs WHERE state = 'taken' AND \
         (expires < (extract(epoch FROM clock_timestamp()) * 1000)::BIGINT OR worker = ANY($2)) \
         FOR UPDATE SKIP LOCKED) \
     RETURNING key, state";
const TAKERS: &str = "SELECT DISTINCT worker FROM crystalgym.jobs \
     WHERE state = 'taken' AND worker IS NOT NULL";
const FORGET: &str = "DELETE FROM crystalgym.jobs WHERE state = 'answered' \
     AND expires < (extract(epoch FROM clock_timestamp()) * 1000)::BIGINT";
const LOOK: &str = "SELECT key, state, answer FROM crystalgym.jobs WHERE key = ANY($1)";
const WITHDRAW: &str = "DELETE FROM crystalgym.jobs WHERE key = ANY($1) AND state = 'waiting'";
const RELEASE: &str = "UPDATE crystalgym.jobs SET state = 'waiting', lost = 0 \
     WHERE state = 'set_aside'";
const EXPECTED: &str = "SELECT avg(seconds) FROM (SELECT seconds FROM crystalgym.results \
     WHERE calculator = $1 AND property = $2 AND skeleton = $3 LIMIT 200) AS sample";

/// A calculation that is handed in.
#[derive(Debug, Clone)]
pub(crate) struct Submission {
    pub(crate) key: String,
    pub(crate) calculator: String,
    /// Hash of its settings.
    pub(crate) profile: String,
    /// How long it is likely to take; those that take longest are begun first.
    pub(crate) expected_seconds: f64,
    pub(crate) payload: String,
}

/// A calculation that a worker has taken.
#[derive(Debug, Clone)]
pub(crate) struct TakenJob {
    pub(crate) key: String,
    pub(crate) payload: String,
    /// Workers that it has cost.
    pub(crate) lost: i32,
}

/// What stands in the queue of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum JobState {
    /// It waits, or is computed.
    UnderWay,
    /// An answer that no store keeps.
    Answered(String),
    /// It has cost too many workers.
    SetAside,
}

/// What a worker looks for.
pub(crate) struct Wish<'a> {
    pub(crate) worker: &'a str,
    pub(crate) calculators: &'a [String],
    /// Hashes of settings that it cannot compute with.
    pub(crate) refused: &'a [String],
    pub(crate) most: i64,
    /// Workers that a job may have cost.
    pub(crate) most_lost: i32,
}

/// A session for the queue.
pub(crate) fn session(url: &ServerUrl, setup: &'static str) -> Result<Session, PostgresqlError> {
    Session::new(url, setup)
}

/// A session that listens to nothing.
pub(crate) fn quiet_session(url: &ServerUrl) -> Result<Session, PostgresqlError> {
    session(url, QUIET)
}

pub(crate) fn submit(client: &mut Client, jobs: &[Submission]) -> Result<(), ClientError> {
    let keys: Vec<_> = jobs.iter().map(|job| job.key.as_str()).collect();
    let calculators: Vec<_> = jobs.iter().map(|job| job.calculator.as_str()).collect();
    let profiles: Vec<_> = jobs.iter().map(|job| job.profile.as_str()).collect();
    let seconds: Vec<_> = jobs.iter().map(|job| job.expected_seconds).collect();
    let payloads: Vec<_> = jobs.iter().map(|job| job.payload.as_str()).collect();
    let parameters: [&(dyn crystalgym_postgresql::ToSql + Sync); 5] =
        [&keys, &calculators, &profiles, &seconds, &payloads];
    client.query(SUBMIT, &parameters).map(|_| ())
}

pub(crate) fn take(
    client: &mut Client,
    wish: &Wish<'_>,
    lease: Duration,
) -> Result<Vec<TakenJob>, ClientError> {
    let lease = milliseconds(lease);
    let rows = client.query(
        TAKE,
        &[
            &wish.worker,
            &lease,
            &wish.calculators,
            &wish.most,
            &wish.most_lost,
            &wish.refused,
        ],
    )?;
    let job = |row: &crystalgym_postgresql::Row| TakenJob {
        key: row.get(0),
        payload: row.get(1),
        lost: row.get(2),
    };
    Ok(rows.iter().map(job).collect())
}

pub(crate) fn renew(
    client: &mut Client,
    worker: &str,
    lease: Duration,
) -> Result<u64, ClientError> {
    client.execute(RENEW, &[&worker, &milliseconds(lease)])
}

/// The result of a job is in the store.
pub(crate) fn end(client: &mut Client, key: &str) -> Result<(), ClientError> {
    client.query(END, &[&key]).map(|_| ())
}

/// The job gave what no store keeps.
pub(crate) fn answer(
    client: &mut Client,
    key: &str,
    worker: &str,
    answer: &str,
) -> Result<(), ClientError> {
    let parameters: [&(dyn crystalgym_postgresql::ToSql + Sync); 4] =
        [&key, &worker, &answer, &ANSWER_KEPT_MS];
    client.query(ANSWER, &parameters).map(|_| ())
}

/// Jobs that a worker has taken and does not do after all.
pub(crate) fn hand_back(
    client: &mut Client,
    keys: &[String],
    worker: &str,
) -> Result<(), ClientError> {
    client.execute(HAND_BACK, &[&keys, &worker])?;
    client.query(ANNOUNCE_WORK, &[]).map(|_| ())
}

/// Lets jobs wait again whose worker is gone; those that have cost too many are set aside. Workers that
/// are known `ended` are not waited for.
pub(crate) fn sweep(client: &mut Client, ended: impl Fn(&str) -> bool) -> Result<(), ClientError> {
    let takers = client.query(TAKERS, &[])?;
    let takers = takers.iter().map(|row| row.get::<_, String>(0));
    let gone: Vec<String> = takers.filter(|worker| ended(worker)).collect();
    let lost = client.query(LOSE, &[&MOST_LOST, &gone])?;
    for row in &lost {
        let (key, state): (&str, &str) = (row.get(0), row.get(1));
        if state == "set_aside" {
            client.query("SELECT pg_notify('crystalgym_ends', $1)", &[&key])?;
        }
    }
    if !lost.is_empty() {
        client.query(ANNOUNCE_WORK, &[])?;
    }
    client.execute(FORGET, &[]).map(|_| ())
}

/// What stands in the queue of these keys; those of which nothing does are left out.
pub(crate) fn look(
    client: &mut Client,
    keys: &[String],
) -> Result<Vec<(String, JobState)>, ClientError> {
    let rows = client.query(LOOK, &[&keys])?;
    let state = |row: &crystalgym_postgresql::Row| {
        let (key, name): (String, &str) = (row.get(0), row.get(1));
        let answer: Option<String> = row.get(2);
        let state = match (name, answer) {
            ("set_aside", _) => JobState::SetAside,
            ("answered", Some(answer)) => JobState::Answered(answer),
            _ => JobState::UnderWay,
        };
        (key, state)
    };
    Ok(rows.iter().map(state).collect())
}

/// Takes back jobs that nobody has begun.
pub(crate) fn withdraw(client: &mut Client, keys: &[String]) -> Result<(), ClientError> {
    client.execute(WITHDRAW, &[&keys]).map(|_| ())
}

/// Lets jobs that were set aside be tried again; how many there were.
pub(crate) fn release(client: &mut Client) -> Result<u64, ClientError> {
    let released = client.execute(RELEASE, &[])?;
    client.query(ANNOUNCE_WORK, &[])?;
    Ok(released)
}

/// Mean time of such calculations in the store, in seconds.
pub(crate) fn expected_seconds(
    client: &mut Client,
    calculator: &str,
    property: &str,
    skeleton: &str,
) -> Result<Option<f64>, ClientError> {
    let row = client.query_opt(EXPECTED, &[&calculator, &property, &skeleton])?;
    Ok(row.and_then(|row| row.get(0)))
}

fn milliseconds(time: Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX / 4)
}
