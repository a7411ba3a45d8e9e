//! Where an episode stands.

use serde::{Deserialize, Serialize};

/// What an agent does in a step: an index into the actions of the process, which for filling and
/// substitution are the elements, for improvement the elements of the first site, then those of the
/// second, and so on.
pub type Action = u16;

/// Where an episode stands: which skeleton, which traversal, and what is where.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct State {
    /// Index into [`Board::skeletons`](crate::Board::skeletons).
    pub skeleton: u16,
    /// Site at which the traversal started.
    pub start: u16,
    /// Actions taken so far.
    pub step: u16,
    /// Element of each site as an index into the elements, their number where it is empty.
    pub node_types: Box<[u8]>,
}
