//! Looks through a store: its results, their numbers, and what is damaged.

use super::{
    ResultStore, StoreError,
    row::{COLUMNS, DamagedResult, StoredResult, read},
};
use crate::Property;

impl ResultStore {
    /// All results in the order of their skeletons, elements and keys, so that an export does not
    /// depend on chance. Rows that cannot be read are left out; [`Self::results_and_damage`] names
    /// them.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`] or [`StoreError::Locked`].
    pub fn results(&self, property: Option<Property>) -> Result<Vec<StoredResult>, StoreError> {
        Ok(self.results_and_damage(property)?.0)
    }

    /// All results that can be read, by their outcomes, and all rows that are damaged: those that
    /// cannot be read, and those whose columns say something else than their outcome.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`] or [`StoreError::Locked`].
    pub fn results_and_damage(
        &self,
        property: Option<Property>,
    ) -> Result<(Vec<StoredResult>, Vec<DamagedResult>), StoreError> {
        let connection = self.shared.connection();
        let read_all = || -> Result<_, rusqlite::Error> {
            let (mut results, mut damaged) = (Vec::new(), Vec::new());
            let mut statement = connection.prepare(&format!(
                "SELECT {COLUMNS} FROM results WHERE ?1 IS NULL OR property = ?1 \
                 ORDER BY skeleton, elements, key"
            ))?;
            let mut rows = statement.query([property.map(Property::name)])?;
            while let Some(row) = rows.next()? {
                let row = read(row)?;
                damaged.extend(row.damage());
                results.extend(row.result);
            }
            Ok((results, damaged))
        };
        read_all().map_err(|source| self.shared.error(source))
    }

    /// Numbers of results as (calculator, property, status or failure code, count).
    ///
    /// # Errors
    /// [`StoreError::Sqlite`] or [`StoreError::Locked`].
    pub fn statistics(&self) -> Result<Vec<(String, String, String, u64)>, StoreError> {
        let connection = self.shared.connection();
        let count = || {
            connection
                .prepare(
                    "SELECT calculator, property, coalesce(failure, status), count(*) \
                     FROM results GROUP BY 1, 2, 3 ORDER BY 1, 2, 3",
                )?
                .query_map([], |row| {
                    Ok((
                        row.get(0)?,
                        row.get(1)?,
                        row.get(2)?,
                        row.get::<_, i64>(3)? as u64,
                    ))
                })?
                .collect::<Result<Vec<_>, _>>()
        };
        count().map_err(|source| self.shared.error(source))
    }

    /// Looks for damage: SQLite's own verdict on the file, then every row.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] with all that was found.
    pub fn check(&self) -> Result<(), StoreError> {
        let mut problems = self
            .file_damage()
            .map_err(|source| self.shared.error(source))?;
        if problems.is_empty() {
            let (_, damaged) = self.results_and_damage(None)?;
            problems = damaged
                .into_iter()
                .map(|row| format!("result {}: {}", row.key, row.problem))
                .collect();
        }
        if problems.is_empty() {
            return Ok(());
        }
        Err(StoreError::Damaged {
            path: self.shared.path.clone(),
            problems,
        })
    }

    fn file_damage(&self) -> Result<Vec<String>, rusqlite::Error> {
        let connection = self.shared.connection();
        let mut statement = connection.prepare("PRAGMA integrity_check")?;
        let lines = statement
            .query_map([], |row| row.get::<_, String>(0))?
            .collect::<Result<Vec<_>, _>>()?;
        Ok(lines.into_iter().filter(|line| line != "ok").collect())
    }
}
