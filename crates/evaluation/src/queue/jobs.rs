//! The table of waiting calculations, from the side of those who compute.
//!
//! A job waits, is taken, and is deleted when its result is in the store; an answer that no store keeps
//! (a failure of the moment) stays in its row for a while. A worker renews what it has taken; what is
//! not renewed has lost its worker and waits again, until that has happened too often.

use std::time::Duration;

use crystalgym_postgresql::{Client, ClientError, Row, ToSql};

/// How long what a worker has taken holds that nobody renews.
pub(crate) const LEASE: Duration = Duration::from_secs(30);
/// Workers that a calculation may cost.
pub(crate) const MOST_LOST: i32 = 3;
/// How long an answer that no store keeps lies in the queue.
const ANSWER_KEPT_MS: i64 = 600_000;

pub(crate) const ANNOUNCE_WORK: &str = "SELECT pg_notify('crystalgym_work', '')";
/// Dear ones first. One that has cost a worker is taken by an idle worker alone, when there is nothing
/// else. What a process without a queue computes is left to it.
const TAKE: &str = "WITH innocent AS (\
         SELECT key FROM crystalgym.jobs \
         WHERE state = 'waiting' AND lost = 0 AND calculator = ANY($3) AND NOT profile = ANY($6) \
             AND NOT EXISTS (SELECT FROM crystalgym.claims WHERE claims.key = jobs.key AND \
                 claims.expires > (extract(epoch FROM clock_timestamp()) * 1000)::BIGINT) \
         ORDER BY expected_seconds DESC, submitted LIMIT $4 FOR UPDATE SKIP LOCKED), \
     suspect AS (\
         SELECT key FROM crystalgym.jobs \
         WHERE $5 AND NOT EXISTS (SELECT FROM innocent) \
             AND state = 'waiting' AND lost > 0 AND calculator = ANY($3) AND NOT profile = ANY($6) \
         ORDER BY expected_seconds DESC, submitted LIMIT 1 FOR UPDATE SKIP LOCKED) \
     UPDATE crystalgym.jobs SET state = 'taken', worker = $1, \
         expires = (extract(epoch FROM clock_timestamp()) * 1000)::BIGINT + $2 \
     FROM (SELECT key FROM innocent UNION ALL SELECT key FROM suspect) AS next \
     WHERE jobs.key = next.key \
     RETURNING jobs.key, jobs.payload, jobs.lost, \
         EXISTS (SELECT FROM crystalgym.results WHERE results.key = jobs.key)";
const RENEW: &str = "UPDATE crystalgym.jobs SET \
     expires = (extract(epoch FROM clock_timestamp()) * 1000)::BIGINT + $2 \
     WHERE key = ANY($3) AND worker = $1 AND state = 'taken'";
const END: &str = "WITH ended AS (DELETE FROM crystalgym.jobs WHERE key = ANY($1)) \
     SELECT pg_notify('crystalgym_ends', key) FROM unnest($1::TEXT[]) AS given(key)";
const ANSWER: &str = "WITH answered AS (\
         UPDATE crystalgym.jobs SET state = 'answered', answer = given.answer, \
             expires = (extract(epoch FROM clock_timestamp()) * 1000)::BIGINT + $4 \
         FROM unnest($1::TEXT[], $3::TEXT[]) AS given(key, answer) \
         WHERE jobs.key = given.key AND worker = $2 AND state = 'taken') \
     SELECT pg_notify('crystalgym_ends', key) FROM unnest($1::TEXT[]) AS given(key)";
const HAND_BACK: &str = "UPDATE crystalgym.jobs SET state = 'waiting', worker = NULL \
     WHERE key = ANY($1) AND worker = $2 AND state = 'taken'";
const RELEASE: &str = "UPDATE crystalgym.jobs SET state = 'waiting', lost = 0 \
     WHERE state = 'set_aside'";

/// A calculation that a worker has taken.
#[derive(Debug, Clone)]
pub(crate) struct TakenJob {
    pub(crate) key: String,
    pub(crate) payload: String,
    /// Workers that it has cost.
    pub(crate) lost: i32,
    /// Whether the store has a row of its key.
    pub(crate) is_there: bool,
}

/// What a worker looks for.
pub(crate) struct Wish<'a> {
    pub(crate) worker: &'a str,
    pub(crate) calculators: &'a [String],
    /// Hashes of settings that it cannot compute with.
    pub(crate) refused: &'a [String],
    pub(crate) most: i64,
    /// Whether it would take one that has cost a worker.
    pub(crate) takes_suspects: bool,
}

pub(crate) fn take(
    client: &mut Client,
    wish: &Wish<'_>,
    lease: Duration,
) -> Result<Vec<TakenJob>, ClientError> {
    let parameters: [&(dyn ToSql + Sync); 6] = [
        &wish.worker,
        &milliseconds(lease),
        &wish.calculators,
        &wish.most,
        &wish.takes_suspects,
        &wish.refused,
    ];
    let rows = client.query(TAKE, &parameters)?;
    let job = |row: &Row| TakenJob {
        key: row.get(0),
        payload: row.get(1),
        lost: row.get(2),
        is_there: row.get(3),
    };
    Ok(rows.iter().map(job).collect())
}

/// Renews what the worker knows that it has: a job that a crash of the server has brought back is nobody's.
pub(crate) fn renew(
    client: &mut Client,
    worker: &str,
    keys: &[String],
    lease: Duration,
) -> Result<u64, ClientError> {
    client.execute(RENEW, &[&worker, &milliseconds(lease), &keys])
}

/// Results of jobs are in the store.
pub(crate) fn end(client: &mut Client, keys: &[&str]) -> Result<(), ClientError> {
    client.query(END, &[&keys]).map(drop)
}

/// Jobs gave what no store keeps.
pub(crate) fn answer(
    client: &mut Client,
    worker: &str,
    keys: &[&str],
    answers: &[String],
) -> Result<(), ClientError> {
    let parameters: [&(dyn ToSql + Sync); 4] = [&keys, &worker, &answers, &ANSWER_KEPT_MS];
    client.query(ANSWER, &parameters).map(drop)
}

/// Jobs that a worker has taken and does not do after all.
pub(crate) fn hand_back(
    client: &mut Client,
    worker: &str,
    keys: &[&str],
) -> Result<(), ClientError> {
    client.execute(HAND_BACK, &[&keys, &worker])?;
    client.query(ANNOUNCE_WORK, &[]).map(drop)
}

/// Lets jobs that were set aside be tried again; how many there were.
pub(crate) fn release(client: &mut Client) -> Result<u64, ClientError> {
    let released = client.execute(RELEASE, &[])?;
    client.query(ANNOUNCE_WORK, &[])?;
    Ok(released)
}

fn milliseconds(time: Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX / 4)
}
