//! Looks through a store: its results, their numbers, and what is damaged.

use super::{
    ResultStore, StoreError,
    row::{DamagedResult, StoredResult, read},
};
use crate::Property;

impl ResultStore {
    /// All results in the order of their skeletons, elements and keys, so that an export does not
    /// depend on chance. Rows that cannot be read are left out; [`Self::results_and_damage`] names
    /// them.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`], [`StoreError::Locked`] or [`StoreError::Server`].
    pub fn results(&self, property: Option<Property>) -> Result<Vec<StoredResult>, StoreError> {
        Ok(self.results_and_damage(property)?.0)
    }

    /// All results that can be read, by their outcomes, and all rows that are damaged: those that
    /// cannot be read, and those whose columns say something else than their outcome.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`], [`StoreError::Locked`] or [`StoreError::Server`].
    pub fn results_and_damage(
        &self,
        property: Option<Property>,
    ) -> Result<(Vec<StoredResult>, Vec<DamagedResult>), StoreError> {
        let (mut results, mut damaged) = (Vec::new(), Vec::new());
        let shared = &self.shared;
        (shared.table).rows(property, shared.patience(), &mut |row| {
            let row = read(row);
            damaged.extend(row.damage());
            results.extend(row.result);
        })?;
        Ok((results, damaged))
    }

    /// Numbers of results as (calculator, property, status or failure code, count).
    ///
    /// # Errors
    /// [`StoreError::Sqlite`], [`StoreError::Locked`] or [`StoreError::Server`].
    pub fn statistics(&self) -> Result<Vec<(String, String, String, u64)>, StoreError> {
        self.shared.table.statistics(self.shared.patience())
    }

    /// Looks for damage: SQLite's own verdict on a file, then every row.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] with all that was found.
    pub fn check(&self) -> Result<(), StoreError> {
        let mut problems = self.shared.table.damage(self.shared.patience())?;
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
            path: self.path().to_owned(),
            problems,
        })
    }
}
