//! Results on a PostgreSQL server: found by key or by crystal, and written, one round trip for any number.
//!
//! Every statement may be sent twice, since an answer that was lost with its connection is asked for
//! again.

use crystalgym_postgresql::{Client, ClientError, Row as ServerRow, ToSql};

use super::{
    StoreKey,
    memory::ClaimRow,
    row::{self, Row, StoredResult, TEXTS},
};
use crate::Outcome;

/// The columns of `row::COLUMNS` for a statement.
macro_rules! result_columns {
    () => {
        "results.key, results.skeleton, results.elements, results.formula, results.property, \
         results.calculator, results.fingerprint, results.created, results.version, \
         results.outcome, results.structure, results.status, results.failure, results.value"
    };
}
pub(crate) use result_columns;

const SELECT_BY_KEY: &str = concat!(
    "SELECT ",
    result_columns!(),
    " FROM crystalgym.results WHERE key = $1"
);
/// By key, or of the same formula and settings; a crystal that has another key is among the latter.
macro_rules! select_candidates {
    () => {
        concat!(
            "SELECT ",
            result_columns!(),
            " FROM crystalgym.results WHERE key = $1 UNION ALL SELECT ",
            result_columns!(),
            " FROM crystalgym.results WHERE formula = $2 AND property = $3 AND calculator = $4 \
               AND fingerprint = $5 AND key <> $1"
        )
    };
}
const SELECT: &str = select_candidates!();
/// What there is, or else the claim, unless it is another's or a worker of the queue is at it.
const SELECT_OR_CLAIM: &str = concat!(
    "WITH found AS (",
    select_candidates!(),
    "), \
     claimed AS (INSERT INTO crystalgym.claims (key, owner, expires) \
         SELECT $1, $6, (extract(epoch FROM clock_timestamp()) * 1000)::BIGINT + $7 \
         WHERE NOT EXISTS (SELECT FROM found) AND NOT EXISTS (SELECT FROM crystalgym.jobs \
             WHERE jobs.key = $1 AND state = 'taken' \
             AND jobs.expires > (extract(epoch FROM clock_timestamp()) * 1000)::BIGINT) \
         ON CONFLICT (key) DO NOTHING RETURNING key) \
     SELECT (SELECT count(*) FROM claimed), results.* \
     FROM (VALUES (1)) AS one LEFT JOIN found AS results ON true"
);
/// Writes results, ends claims and jobs, and says so. The commit waits for the server's disk.
const STORE: &str = "WITH stored AS (INSERT INTO crystalgym.results (key, skeleton, elements, formula, \
         property, calculator, fingerprint, status, failure, value, seconds, outcome, structure, \
         version) \
     SELECT given.*, $14 FROM (SELECT set_config('synchronous_commit', 'on', true)) AS careful, \
         unnest($1::TEXT[], $2::TEXT[], $3::TEXT[], $4::TEXT[], $5::TEXT[], $6::TEXT[], \
             $7::TEXT[], $8::TEXT[], $9::TEXT[], $10::FLOAT8[], $11::FLOAT8[], $12::TEXT[], \
             $13::TEXT[]) AS given \
     ON CONFLICT (key) DO NOTHING RETURNING key), \
     ended AS (DELETE FROM crystalgym.claims \
         USING unnest($15::TEXT[], $16::TEXT[]) AS held(key, owner) \
         WHERE claims.key = held.key AND claims.owner = held.owner), \
     done AS (DELETE FROM crystalgym.jobs WHERE $17 AND key IN (SELECT key FROM stored)) \
     SELECT key, CASE WHEN $17 THEN pg_notify('crystalgym_ends', key)::TEXT END FROM stored";
const REPLACE: &str = "UPDATE crystalgym.results SET skeleton = $2, elements = $3, formula = $4, \
     property = $5, calculator = $6, fingerprint = $7, status = $8, failure = $9, value = $10, \
     seconds = $11, outcome = $12, structure = $13, version = $14, created = DEFAULT \
     WHERE key = $1 AND set_config('synchronous_commit', 'on', true) = 'on'";

/// What a look for a result, or else its claim, found.
pub(super) enum Found {
    Outcome(Box<Outcome>),
    Claimed,
    /// Neither: another has it, or rows are there that need a closer look.
    Neither,
}

/// A row as its columns stand from `first` on.
pub(super) fn neutral(row: &ServerRow, first: usize) -> Row {
    Row {
        texts: std::array::from_fn(|index| row.get(first + index)),
        value: row.get(first + TEXTS),
    }
}

/// The outcome under a key's hash, if its row can be read.
pub(crate) fn select_exactly(
    client: &mut Client,
    hash: &str,
) -> Result<Option<Outcome>, ClientError> {
    let row = client.query_opt(SELECT_BY_KEY, &[&hash])?;
    let result = row.and_then(|row| row::read(neutral(&row, 0)).whole());
    Ok(result.map(|result| result.outcome))
}

/// The outcome of this crystal, under whatever key.
pub(super) fn select_outcome(
    client: &mut Client,
    key: &StoreKey,
) -> Result<Option<Outcome>, ClientError> {
    let parameters: [&(dyn ToSql + Sync); 5] = [
        &key.hash(),
        &key.formula_of_crystal(),
        &key.property.name(),
        &key.calculator,
        &key.fingerprint.0,
    ];
    let rows = client.query(SELECT, &parameters)?;
    Ok(outcome_among(rows.iter(), 0, key))
}

/// The outcome of this crystal, or its claim for `owner` for `lease` milliseconds.
pub(super) fn select_or_claim(
    client: &mut Client,
    key: &StoreKey,
    owner: &str,
    lease: i64,
) -> Result<Found, ClientError> {
    let parameters: [&(dyn ToSql + Sync); 7] = [
        &key.hash(),
        &key.formula_of_crystal(),
        &key.property.name(),
        &key.calculator,
        &key.fingerprint.0,
        &owner,
        &lease,
    ];
    let rows = client.query(SELECT_OR_CLAIM, &parameters)?;
    if let Some(outcome) = outcome_among(rows.iter(), 1, key) {
        return Ok(Found::Outcome(outcome.into()));
    }
    let is_claimed = rows.first().is_some_and(|row| row.get::<_, i64>(0) > 0);
    Ok(match is_claimed {
        true => Found::Claimed,
        false => Found::Neither,
    })
}

/// The outcome of a key among rows of results, whose columns begin with the one numbered `first`: its own,
/// or else the first one of the same crystal.
pub(crate) fn outcome_among<'a>(
    rows: impl Iterator<Item = &'a ServerRow>,
    first: usize,
    key: &StoreKey,
) -> Option<Outcome> {
    let is_there = |row: &&ServerRow| row.get::<_, Option<&str>>(first).is_some();
    let read = |row| row::read(neutral(row, first)).whole();
    let mut results: Vec<StoredResult> = rows.filter(is_there).filter_map(read).collect();
    results.sort_by(|a, b| (a.key != key.hash(), &a.key).cmp(&(b.key != key.hash(), &b.key)));
    let fits =
        |result: &StoredResult| result.key == key.hash() || key.is_crystal_of(&result.structure);
    let found = results.into_iter().find(fits);
    found.map(|result| result.outcome)
}

/// Writes results, each unless there is one under its key that can be read (the first stands), and ends
/// claims.
pub(super) fn store(
    client: &mut Client,
    results: &[(&StoreKey, &Outcome)],
    claims: &[ClaimRow],
) -> Result<(), ClientError> {
    write(client, results, claims, false).map(drop)
}

/// Writes results of jobs in the same way and ends the jobs, in one transaction; the keys of those that
/// had results before, whose jobs are left.
pub(crate) fn store_and_end<'a>(
    client: &mut Client,
    results: &[(&'a StoreKey, &Outcome)],
) -> Result<Vec<&'a str>, ClientError> {
    write(client, results, &[], true)
}

fn write<'k>(
    client: &mut Client,
    results: &[(&'k StoreKey, &Outcome)],
    claims: &[ClaimRow],
    ends_jobs: bool,
) -> Result<Vec<&'k str>, ClientError> {
    // Values are finite and texts are texts: there is nothing that could not be written.
    let columns = results
        .iter()
        .map(|(key, outcome)| Columns::of(key, outcome));
    let columns: Vec<Columns<'_>> = columns.collect();
    let text = |get: for<'a> fn(&'a Columns<'_>) -> &'a str| -> Vec<&str> {
        columns.iter().map(get).collect()
    };
    let number = |get: fn(&Columns<'_>) -> f64| -> Vec<f64> { columns.iter().map(get).collect() };
    let failures: Vec<Option<&str>> = columns.iter().map(|row| row.failure).collect();
    let values: Vec<Option<f64>> = columns.iter().map(|row| row.value).collect();
    let (claimed, owners): (Vec<&str>, Vec<&str>) = (claims.iter())
        .map(|(key, owner)| (key.as_str(), owner.as_str()))
        .unzip();
    let parameters: [&(dyn ToSql + Sync); 17] = [
        &text(|row| row.key.hash()),
        &text(|row| &row.skeleton),
        &text(|row| &row.key.elements),
        &text(|row| &row.key.formula),
        &text(|row| row.key.property.name()),
        &text(|row| &row.key.calculator),
        &text(|row| &row.key.fingerprint.0),
        &text(|row| row.status),
        &failures,
        &values,
        &number(|row| row.seconds),
        &text(|row| &row.outcome),
        &text(|row| &row.key.structure),
        &env!("CARGO_PKG_VERSION"),
        &claimed,
        &owners,
        &ends_jobs,
    ];
    let stored = client.query(STORE, &parameters)?;
    let mut known = Vec::new();
    if stored.len() < columns.len() {
        for row in &columns {
            let hash = row.key.hash();
            if (stored.iter()).any(|new| new.get::<_, &str>(0) == hash) {
                continue;
            }
            known.push(hash);
            if select_exactly(client, hash)?.is_none() {
                row.replace(client)?;
            }
        }
    }
    Ok(known)
}

/// A result as the columns have it.
struct Columns<'a> {
    key: &'a StoreKey,
    skeleton: String,
    status: &'static str,
    failure: Option<&'static str>,
    value: Option<f64>,
    seconds: f64,
    outcome: String,
}

impl<'a> Columns<'a> {
    fn of(key: &'a StoreKey, outcome: &Outcome) -> Self {
        Self {
            key,
            // A server holds no character 0.
            skeleton: key.skeleton.replace('\0', "\u{fffd}"),
            status: row::status(outcome),
            failure: outcome.failure().map(|failure| failure.code.name()),
            value: outcome.value(),
            seconds: outcome.seconds(),
            outcome: serde_json::to_string(outcome).unwrap_or_default(),
        }
    }

    /// Takes the place of a damaged row.
    fn replace(&self, client: &mut Client) -> Result<(), ClientError> {
        let parameters: [&(dyn ToSql + Sync); 14] = [
            &self.key.hash(),
            &self.skeleton,
            &self.key.elements,
            &self.key.formula,
            &self.key.property.name(),
            &self.key.calculator,
            &self.key.fingerprint.0,
            &self.status,
            &self.failure,
            &self.value,
            &self.seconds,
            &self.outcome,
            &self.key.structure,
            &env!("CARGO_PKG_VERSION"),
        ];
        client.execute(REPLACE, &parameters).map(drop)
    }
}
