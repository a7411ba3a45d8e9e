//! The thread of a worker that renews what was taken and says that the worker is there.

use std::time::Duration;

use crystalgym_postgresql::{Session, ToSql};

use super::jobs_here::JobsHere;
use crate::{queue::jobs, store::process_identity::host_name};

const REPORT: &str = "INSERT INTO crystalgym.workers \
         (name, host, threads, running, finished, busy_seconds, refusal) \
     VALUES ($1, $2, $3, $4, $5, $6, $7) \
     ON CONFLICT (name) DO UPDATE SET running = $4, finished = $5, busy_seconds = $6, \
         refusal = $7, seen = now()";
const LEAVE: &str = "DELETE FROM crystalgym.workers WHERE name = $1";
/// How long the server is waited for when the worker leaves.
const PATIENCE: Duration = Duration::from_secs(5);

/// Until the worker has nothing left.
pub(super) fn keep_up(
    mut session: Session,
    name: &str,
    threads: usize,
    lease: Duration,
    jobs: &JobsHere,
) {
    let every = lease / 6;
    let host = host_name();
    let threads = i32::try_from(threads).unwrap_or(i32::MAX);
    while let Some(report) = jobs.report() {
        let computing = i32::try_from(report.computing).unwrap_or(i32::MAX);
        let finished = report.summary.finished as i64;
        let parameters: [&(dyn ToSql + Sync); 7] = [
            &name,
            &host,
            &threads,
            &computing,
            &finished,
            &report.summary.busy_seconds,
            &report.refusal,
        ];
        // What fails now is tried again at the next beat.
        let _ = session.run(every, |client| {
            jobs::renew(client, name, &report.held, lease)?;
            client.execute(REPORT, &parameters)
        });
        jobs.wait_for_end(every);
    }
    let _ = session.run(PATIENCE, |client| client.execute(LEAVE, &[&name]));
}
