//! One look at a queue and its workers.

use crystalgym_postgresql::{Client, ClientError, Row};
use serde::Serialize;

/// A queue and its workers at a moment.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct QueueStatus {
    /// Jobs by state: waiting, taken, answered, set_aside.
    pub jobs: Vec<(String, u64)>,
    /// Expected time of what waits and runs, in seconds of one worker's thread.
    pub expected_seconds: f64,
    /// Workers that have been seen within the last minute.
    pub workers: Vec<WorkerStatus>,
    /// Results by calculator, property, and status or failure code.
    pub results: Vec<(String, String, String, u64)>,
    /// Wall time of all stored calculations in seconds.
    pub computed_seconds: f64,
    /// Results that were stored in the last minute.
    pub last_minute: u64,
}

/// A worker process.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct WorkerStatus {
    /// Its name.
    pub name: String,
    /// Its machine.
    pub host: String,
    /// Calculations that it can do at a time.
    pub threads: u64,
    /// Calculations that it does.
    pub running: u64,
    /// Calculations that it has done.
    pub finished: u64,
    /// Wall time of these in seconds.
    pub busy_seconds: f64,
    /// Time since its start in seconds.
    pub up_seconds: f64,
    /// Time since it was last seen in seconds.
    pub seen_seconds: f64,
    /// Why it refuses some work, if it does.
    pub refusal: Option<String>,
}

impl QueueStatus {
    /// Number of jobs in a state.
    pub fn count(&self, state: &str) -> u64 {
        let found = self.jobs.iter().find(|(name, _)| name == state);
        found.map_or(0, |(_, count)| *count)
    }

    /// Threads of all workers.
    pub fn threads(&self) -> u64 {
        self.workers.iter().map(|worker| worker.threads).sum()
    }

    /// Wall time in seconds until the queue is empty, if there are workers.
    pub fn forecast_seconds(&self) -> Option<f64> {
        let threads = self.threads();
        (threads > 0).then(|| self.expected_seconds / threads as f64)
    }

    /// Workers that refuse work, and why.
    pub fn refusals(&self) -> impl Iterator<Item = (&str, &str)> {
        let refusing = self.workers.iter();
        refusing.filter_map(|worker| Some((worker.name.as_str(), worker.refusal.as_deref()?)))
    }
}

/// Looks at the queue.
pub(crate) fn snapshot(client: &mut Client) -> Result<QueueStatus, ClientError> {
    let count = |row: &Row, column: usize| row.get::<_, i64>(column) as u64;
    let jobs = client.query(
        "SELECT state, count(*), sum(expected_seconds) FROM crystalgym.jobs GROUP BY 1 ORDER BY 1",
        &[],
    )?;
    let is_open = |state: &str| matches!(state, "waiting" | "taken");
    let expected = jobs.iter().filter(|row| is_open(row.get(0)));
    let expected_seconds = expected.map(|row| row.get::<_, f64>(2)).sum();
    let workers = client.query(
        "SELECT name, host, threads::BIGINT, running::BIGINT, finished, busy_seconds, \
             extract(epoch FROM now() - started)::FLOAT8, extract(epoch FROM now() - seen)::FLOAT8, \
             refusal \
         FROM crystalgym.workers WHERE seen > now() - interval '1 minute' ORDER BY host, name",
        &[],
    )?;
    let workers = workers.iter().map(|row| WorkerStatus {
        name: row.get(0),
        host: row.get(1),
        threads: count(row, 2),
        running: count(row, 3),
        finished: count(row, 4),
        busy_seconds: row.get(5),
        up_seconds: row.get(6),
        seen_seconds: row.get(7),
        refusal: row.get(8),
    });
    let workers = workers.collect();
    let results = client.query(
        "SELECT calculator, property, coalesce(failure, status) COLLATE \"C\", count(*), \
             sum(seconds) FROM crystalgym.results GROUP BY 1, 2, 3 ORDER BY 1, 2, 3",
        &[],
    )?;
    let last = client.query_opt(
        "SELECT count(*) FROM crystalgym.results WHERE created >= \
             to_char(now() AT TIME ZONE 'UTC' - interval '1 minute', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"')",
        &[],
    )?;
    Ok(QueueStatus {
        jobs: jobs.iter().map(|row| (row.get(0), count(row, 1))).collect(),
        expected_seconds,
        workers,
        computed_seconds: results.iter().map(|row| row.get::<_, f64>(4)).sum(),
        results: (results.iter())
            .map(|row| (row.get(0), row.get(1), row.get(2), count(row, 3)))
            .collect(),
        last_minute: last.map_or(0, |row| count(&row, 0)),
    })
}
