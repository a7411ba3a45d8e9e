//! The table of waiting calculations, from the side of those who ask: many at a time, one round trip.

use crystalgym_postgresql::{Client, ClientError, Row, ToSql};

use crate::{
    Outcome, StoreKey,
    store::server_rows::{outcome_among, result_columns},
};

/// Hands in what the store lacks, and gives the rows that may be what it has: of the key, or of the same
/// formula and settings. Who has rows that turn out to be of other crystals hands in by [`SUBMIT`].
const ORDER: &str = concat!(
    "WITH asked AS (SELECT * FROM unnest($1::TEXT[], $2::TEXT[], $3::TEXT[], $4::FLOAT8[], \
         $5::TEXT[], $6::TEXT[], $7::TEXT[], $8::TEXT[]) AS given(key, calculator, profile, \
         expected_seconds, payload, formula, property, fingerprint)), \
     found AS (SELECT asked.key AS asked, ",
    result_columns!(),
    " FROM asked JOIN crystalgym.results ON results.key = asked.key \
       UNION ALL SELECT asked.key, ",
    result_columns!(),
    " FROM asked JOIN crystalgym.results ON results.formula = asked.formula \
         AND results.property = asked.property AND results.calculator = asked.calculator \
         AND results.fingerprint = asked.fingerprint AND results.key <> asked.key), \
     submitted AS (\
         INSERT INTO crystalgym.jobs (key, calculator, profile, expected_seconds, payload) \
         SELECT key, calculator, profile, expected_seconds, payload FROM asked \
         WHERE NOT EXISTS (SELECT FROM found WHERE found.asked = asked.key) \
         ON CONFLICT (key) DO UPDATE SET state = 'waiting', answer = NULL, worker = NULL \
         WHERE jobs.state = 'answered' RETURNING key) \
     SELECT told.*, results.* FROM (SELECT CASE WHEN count(*) > 0 \
             THEN pg_notify('crystalgym_work', '')::TEXT END FROM submitted) AS told \
     LEFT JOIN found AS results ON true"
);
const SUBMIT: &str = "WITH submitted AS (\
         INSERT INTO crystalgym.jobs (key, calculator, profile, expected_seconds, payload) \
         SELECT * FROM unnest($1::TEXT[], $2::TEXT[], $3::TEXT[], $4::FLOAT8[], $5::TEXT[]) \
         ON CONFLICT (key) DO UPDATE SET state = 'waiting', answer = NULL, worker = NULL \
         WHERE jobs.state = 'answered' RETURNING key) \
     SELECT pg_notify('crystalgym_work', '') FROM (SELECT count(*) FROM submitted) AS done";
const LOOK: &str = concat!(
    "SELECT asked.key, jobs.state, jobs.answer, ",
    result_columns!(),
    " FROM unnest($1::TEXT[]) AS asked(key) \
       LEFT JOIN crystalgym.jobs ON jobs.key = asked.key \
       LEFT JOIN crystalgym.results ON results.key = asked.key"
);
const WITHDRAW: &str = "DELETE FROM crystalgym.jobs WHERE key = ANY($1) AND state = 'waiting'";
const EXPECTED: &str = "SELECT avg(seconds) FROM (SELECT seconds FROM crystalgym.results \
     WHERE calculator = $1 AND property = $2 AND skeleton = $3 LIMIT 200) AS sample";

/// A calculation that is asked for.
#[derive(Debug, Clone)]
pub(crate) struct Order {
    pub(crate) key: StoreKey,
    /// Hash of its settings.
    pub(crate) profile: String,
    /// How long it is likely to take; those that take longest are begun first.
    pub(crate) expected_seconds: f64,
    pub(crate) payload: String,
}

/// What stands in queue and store of a key.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Standing {
    /// It waits, or is computed.
    UnderWay,
    /// An answer that no store keeps.
    Answered(String),
    /// It has cost too many workers.
    SetAside,
    /// It is in the store.
    Stored(Box<Outcome>),
    /// Neither waits nor is stored.
    Nowhere,
}

/// Hands in what the store lacks; the outcomes of what it has, by their place among the orders.
pub(crate) fn order(
    client: &mut Client,
    orders: &[Order],
) -> Result<Vec<(usize, Outcome)>, ClientError> {
    let columns = Columns::of(orders);
    let formulas: Vec<_> = orders.iter().map(|o| o.key.formula_of_crystal()).collect();
    let properties: Vec<_> = orders.iter().map(|o| o.key.property.name()).collect();
    let fingerprints: Vec<_> = orders
        .iter()
        .map(|o| o.key.fingerprint.0.as_str())
        .collect();
    let mut parameters = columns.parameters();
    parameters.extend([&formulas as &(dyn ToSql + Sync), &properties, &fingerprints]);
    let rows = client.query(ORDER, &parameters)?;
    let mut found = Vec::new();
    let mut others = Vec::new();
    for (place, order) in orders.iter().enumerate() {
        let is_its = |row: &&Row| row.get::<_, Option<&str>>(1) == Some(order.key.hash());
        if !rows.iter().any(|row| is_its(&row)) {
            continue;
        }
        match outcome_among(rows.iter().filter(is_its), 2, &order.key) {
            Some(outcome) => found.push((place, outcome)),
            None => others.push(order.clone()),
        }
    }
    if !others.is_empty() {
        client.query(SUBMIT, &Columns::of(&others).parameters())?;
    }
    Ok(found)
}

/// What stands of these keys.
pub(crate) fn look(client: &mut Client, keys: &[StoreKey]) -> Result<Vec<Standing>, ClientError> {
    let hashes: Vec<&str> = keys.iter().map(StoreKey::hash).collect();
    let rows = client.query(LOOK, &[&hashes])?;
    let standing = |key: &StoreKey| {
        let Some(row) = rows.iter().find(|row| row.get::<_, &str>(0) == key.hash()) else {
            return Standing::Nowhere;
        };
        // A job that a crash of the server has brought back may have its result.
        if let Some(outcome) = outcome_among(std::iter::once(row), 3, key) {
            return Standing::Stored(outcome.into());
        }
        match (row.get(1), row.get::<_, Option<String>>(2)) {
            (None, _) => Standing::Nowhere,
            (Some("set_aside"), _) => Standing::SetAside,
            (Some("answered"), Some(answer)) => Standing::Answered(answer),
            (Some(_), _) => Standing::UnderWay,
        }
    };
    Ok(keys.iter().map(standing).collect())
}

/// Takes back jobs that nobody has begun.
pub(crate) fn withdraw(client: &mut Client, keys: &[String]) -> Result<(), ClientError> {
    client.execute(WITHDRAW, &[&keys]).map(drop)
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

/// Orders as the columns of jobs.
struct Columns<'a> {
    keys: Vec<&'a str>,
    calculators: Vec<&'a str>,
    profiles: Vec<&'a str>,
    seconds: Vec<f64>,
    payloads: Vec<&'a str>,
}

impl<'a> Columns<'a> {
    fn of(orders: &'a [Order]) -> Self {
        Self {
            keys: orders.iter().map(|o| o.key.hash()).collect(),
            calculators: orders.iter().map(|o| o.key.calculator.as_str()).collect(),
            profiles: orders.iter().map(|o| o.profile.as_str()).collect(),
            seconds: orders.iter().map(|o| o.expected_seconds).collect(),
            payloads: orders.iter().map(|o| o.payload.as_str()).collect(),
        }
    }

    fn parameters(&self) -> Vec<&(dyn ToSql + Sync)> {
        vec![
            &self.keys,
            &self.calculators,
            &self.profiles,
            &self.seconds,
            &self.payloads,
        ]
    }
}
