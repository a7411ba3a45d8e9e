//! Finds jobs whose workers are gone, and lets them wait again.
//!
//! A worker that has ended on this machine is known by its process. Any other is gone when its job's
//! lease is over *and* has stayed so for two of its beats, as this process saw: after a time without a
//! server all leases are over, and those who live renew them first.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use crystalgym_postgresql::{Client, ClientError, PostgresqlError, Session};

use super::jobs::{ANNOUNCE_WORK, MOST_LOST};
use crate::store::process_identity::{has_ended, host_name};

/// How often jobs are looked for whose workers are gone.
const EVERY: Duration = Duration::from_secs(2);
/// How often old answers are thrown away.
const FORGET_EVERY: Duration = Duration::from_secs(60);

const NEIGHBOURS: &str = "SELECT name FROM crystalgym.workers \
     WHERE host = $1 AND seen > now() - interval '2 minutes'";
const OVER: &str = "SELECT key, expires FROM crystalgym.jobs WHERE state <> 'waiting' \
     AND expires < (extract(epoch FROM clock_timestamp()) * 1000)::BIGINT AND state = 'taken'";
const LOSE: &str = "UPDATE crystalgym.jobs SET lost = lost + 1, worker = NULL, \
     state = CASE WHEN lost + 1 >= $4 THEN 'set_aside' ELSE 'waiting' END \
     WHERE key IN (SELECT key FROM crystalgym.jobs WHERE state <> 'waiting' AND state = 'taken' \
         AND (worker = ANY($1) OR (key, expires) IN (SELECT * FROM unnest($2::TEXT[], $3::BIGINT[]))) \
         FOR UPDATE SKIP LOCKED) \
     RETURNING key, state";
const TELL_END: &str = "SELECT pg_notify('crystalgym_ends', $1)";
const FORGET: &str = "DELETE FROM crystalgym.jobs WHERE state = 'answered' \
     AND expires < (extract(epoch FROM clock_timestamp()) * 1000)::BIGINT";

/// Looks now and then for jobs whose workers are gone.
pub(crate) struct Sweeper {
    /// Two beats of a worker.
    two_beats: Duration,
    host: String,
    /// Jobs whose lease is over: until when it was, and since when this is known.
    over: HashMap<String, (i64, Instant)>,
    swept: Option<Instant>,
    forgot: Option<Instant>,
}

impl Sweeper {
    /// One for workers whose jobs have leases of this length.
    pub(crate) fn new(lease: Duration) -> Self {
        Self {
            two_beats: lease / 3,
            host: host_name(),
            over: HashMap::new(),
            swept: None,
            forgot: None,
        }
    }

    /// Looks, if it is time to.
    pub(crate) fn sweep_if_due(
        &mut self,
        session: &mut Session,
        patience: Duration,
    ) -> Result<(), PostgresqlError> {
        match self.swept {
            Some(swept) if swept.elapsed() < EVERY => Ok(()),
            _ => {
                self.swept = Some(Instant::now());
                session.run(patience, |client| self.sweep(client))
            }
        }
    }

    /// Looks.
    pub(crate) fn sweep(&mut self, client: &mut Client) -> Result<(), ClientError> {
        let neighbours = client.query(NEIGHBOURS, &[&self.host])?;
        let neighbours = neighbours.iter().map(|row| row.get::<_, String>(0));
        let gone: Vec<String> = neighbours.filter(|worker| has_ended(worker)).collect();
        let over = client.query(OVER, &[])?;
        let over = over.iter().map(|row| (row.get(0), row.get(1)));
        let over: HashMap<String, i64> = over.collect();
        self.over
            .retain(|key, (expires, _)| over.get(key) == Some(expires));
        for (key, expires) in over {
            let now = Instant::now();
            self.over.entry(key).or_insert((expires, now));
        }
        let is_lost = |(_, since): &&(i64, Instant)| since.elapsed() >= self.two_beats;
        let lost = self.over.iter().filter(|(_, entry)| is_lost(entry));
        let (keys, expired): (Vec<&str>, Vec<i64>) = lost
            .map(|(key, (expires, _))| (key.as_str(), *expires))
            .unzip();
        if !gone.is_empty() || !keys.is_empty() {
            let lost = client.query(LOSE, &[&gone, &keys, &expired, &MOST_LOST])?;
            for row in &lost {
                let (key, state): (&str, &str) = (row.get(0), row.get(1));
                if state == "set_aside" {
                    client.query(TELL_END, &[&key])?;
                }
            }
            if !lost.is_empty() {
                client.query(ANNOUNCE_WORK, &[])?;
            }
        }
        if self
            .forgot
            .is_none_or(|forgot| forgot.elapsed() >= FORGET_EVERY)
        {
            client.execute(FORGET, &[])?;
            self.forgot = Some(Instant::now());
        }
        Ok(())
    }
}
