//! Moves results from one store to another, whatever they are.

use super::{DamagedResult, ResultStore, StoreError, row::read};

/// Rows that are written together.
const TOGETHER: usize = 500;

/// What was copied.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Copied {
    /// Results that the target had not.
    pub added: u64,
    /// Results that it had, and kept.
    pub known: u64,
    /// Rows of the source that are damaged, and were left out.
    pub damaged: Vec<DamagedResult>,
}

impl ResultStore {
    /// Copies every result to another store, with its time and version; what that has already stands.
    /// A copy that was broken off is simply made again.
    ///
    /// # Errors
    /// Those of both stores; what was copied until then stays.
    pub fn copy_to(&self, target: &Self) -> Result<Copied, StoreError> {
        let (mut rows, mut copied) = (Vec::new(), Copied::default());
        let shared = &self.shared;
        (shared.table).rows(
            None,
            shared.patience(),
            &mut |row| match read(row.clone()).damage() {
                Some(damage) => copied.damaged.push(damage),
                None => rows.push(row),
            },
        )?;
        for together in rows.chunks(TOGETHER) {
            let added = target.shared.table.add_rows(together)?;
            copied.added += added;
            copied.known += together.len() as u64 - added;
        }
        Ok(copied)
    }
}
