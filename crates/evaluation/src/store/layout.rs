//! The tables of a store, how a store is told from other databases, and how older ones are brought
//! up to date.

use std::path::Path;

use rusqlite::{Connection, TransactionBehavior};

use super::StoreError;

/// "CrGy": says in the file's header whose database it is.
pub(super) const APPLICATION_ID: i32 = 0x4372_4779;
/// Layout of the tables; raised when they change.
pub(super) const LAYOUT: i64 = 2;

const RESULTS: &str = "
CREATE TABLE results (
    key TEXT PRIMARY KEY NOT NULL,
    skeleton TEXT NOT NULL,
    elements TEXT NOT NULL,
    formula TEXT NOT NULL,
    property TEXT NOT NULL,
    calculator TEXT NOT NULL,
    fingerprint TEXT NOT NULL,
    status TEXT NOT NULL,
    failure TEXT,
    value REAL,
    seconds REAL NOT NULL,
    outcome TEXT NOT NULL,
    structure TEXT NOT NULL,
    created TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%SZ', 'now')),
    version TEXT NOT NULL
) STRICT;
";

/// Claims with the time until which they hold, and what finds a crystal by its composition.
const SINCE_LAYOUT_2: &str = "
CREATE TABLE claims (
    key TEXT PRIMARY KEY NOT NULL,
    owner TEXT NOT NULL,
    expires INTEGER NOT NULL
) STRICT;
CREATE INDEX results_of_formula ON results (formula, property, calculator);
";

const RESULT_COLUMNS: [&str; 15] = [
    "key TEXT",
    "skeleton TEXT",
    "elements TEXT",
    "formula TEXT",
    "property TEXT",
    "calculator TEXT",
    "fingerprint TEXT",
    "status TEXT",
    "failure TEXT",
    "value REAL",
    "seconds REAL",
    "outcome TEXT",
    "structure TEXT",
    "created TEXT",
    "version TEXT",
];

/// What a database turns out to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Layout {
    /// Nothing in it.
    Empty,
    /// A store of this layout.
    Store(i64),
    /// No store, and why not.
    Foreign(String),
}

impl Layout {
    /// Looks at the tables themselves: an older store says nowhere that it is one.
    pub(super) fn of(connection: &Connection) -> Result<Self, rusqlite::Error> {
        // One view of the file: another process may be creating the tables right now.
        let _view = match connection.is_autocommit() {
            true => Some(connection.unchecked_transaction()?),
            false => None,
        };
        let id: i32 = connection.query_row("PRAGMA application_id", [], |row| row.get(0))?;
        let version: i64 = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
        let objects = connection
            .prepare("SELECT type, name FROM sqlite_schema WHERE name NOT LIKE 'sqlite_%'")?
            .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
            .collect::<Result<Vec<(String, String)>, _>>()?;
        if objects.is_empty() && id == 0 && version == 0 {
            return Ok(Self::Empty);
        }
        if id != 0 && id != APPLICATION_ID {
            return Ok(Self::Foreign("it is another program's database".to_owned()));
        }
        if id == APPLICATION_ID && version > LAYOUT {
            return Ok(Self::Store(version));
        }
        // What others put there could change what is read or written.
        let active = objects
            .iter()
            .find(|(kind, _)| kind == "view" || kind == "trigger");
        if let Some((kind, name)) = active {
            let found = format!("it has a {kind} '{name}', which no store has");
            return Ok(Self::Foreign(found));
        }
        let results = columns(connection, "results")?;
        let claims = columns(connection, "claims")?;
        let layout = match claims.last().map(String::as_str) {
            Some("number INTEGER") if id == 0 => 1,
            Some("expires INTEGER") => 2,
            _ => 0,
        };
        let is_store = results == RESULT_COLUMNS
            && claims.len() == 3
            && claims[..2] == ["key TEXT", "owner TEXT"]
            && layout == version;
        Ok(if is_store {
            Self::Store(layout)
        } else if id == APPLICATION_ID {
            Self::Foreign("its tables are not those of a store".to_owned())
        } else {
            Self::Foreign("it is another program's database".to_owned())
        })
    }

    /// The layout of a store that this program can read, `None` for an empty file.
    pub(super) fn check(self, path: &Path) -> Result<Option<i64>, StoreError> {
        let path = path.to_owned();
        match self {
            Self::Empty => Ok(None),
            Self::Store(found) if found > LAYOUT => Err(StoreError::NewerLayout {
                path,
                found,
                supported: LAYOUT,
            }),
            Self::Store(layout) => Ok(Some(layout)),
            Self::Foreign(found) => Err(StoreError::NotAStore { path, found }),
        }
    }
}

/// Creates or updates the tables, if that is needed, in one step. Results stay as they are.
pub(super) fn bring_up_to_date(
    connection: &mut Connection,
    path: &Path,
    error: impl Fn(rusqlite::Error) -> StoreError,
) -> Result<(), StoreError> {
    let found = Layout::of(connection).map_err(&error)?.check(path)?;
    if found == Some(LAYOUT) {
        return Ok(());
    }
    let transaction = connection
        .transaction_with_behavior(TransactionBehavior::Immediate)
        .map_err(&error)?;
    // Another process may have been quicker.
    let found = Layout::of(&transaction).map_err(&error)?.check(path)?;
    let statements = match found {
        None => format!("{RESULTS} {SINCE_LAYOUT_2}"),
        // A claim without an end is worth nothing: whoever had it computes on, and stores.
        Some(1) => format!("DROP TABLE claims; {SINCE_LAYOUT_2}"),
        Some(_) => return Ok(()),
    };
    transaction
        .execute_batch(&format!(
            "{statements} PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {LAYOUT};"
        ))
        .and_then(|()| transaction.commit())
        .map_err(&error)
}

/// Names and types in order; a computed column is none that a store has.
fn columns(connection: &Connection, table: &str) -> Result<Vec<String>, rusqlite::Error> {
    connection
        .prepare("SELECT name, type, hidden FROM pragma_table_xinfo(?1)")?
        .query_map([table], |row| {
            let (name, kind, hidden): (String, String, i64) =
                (row.get(0)?, row.get(1)?, row.get(2)?);
            Ok(if hidden == 0 {
                format!("{name} {kind}")
            } else {
                format!("{name} computed")
            })
        })?
        .collect()
}
