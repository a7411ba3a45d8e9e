//! Where an outcome came from.

use serde::{Deserialize, Serialize};

/// Where an outcome came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// Computed for this request.
    Computed,
    /// Found in the store, or in a table.
    Store,
    /// Shared with an earlier request of this process that was still under way.
    Coalesced,
}

impl Source {
    /// The name used in tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::Computed => "computed",
            Self::Store => "store",
            Self::Coalesced => "coalesced",
        }
    }
}
