//! Where an episode stands.

use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

/// What an agent does in a step: an index into the actions of the process, which for filling and
/// substitution are the elements, for improvement the elements of the first site, then those of the
/// second, and so on.
pub type Action = u16;

/// Actions one after the other, in place where they are few.
pub type Actions = SmallVec<[Action; 8]>;

/// The element of each site as an index into the elements, their number where it is empty. In place on
/// all but large skeletons, since taking memory would be a good part of what an episode costs.
pub type NodeTypes = SmallVec<[u8; 16]>;

/// Where an episode stands: which skeleton, which traversal, and what is where.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct State {
    /// Index into [`Board::skeletons`](crate::Board::skeletons).
    pub skeleton: u16,
    /// Site at which the traversal started.
    pub start: u16,
    /// Actions taken so far.
    pub step: u16,
    /// What is on each site.
    pub node_types: NodeTypes,
}

impl Clone for State {
    /// The sites at once, where their list would clone them one by one.
    fn clone(&self) -> Self {
        Self {
            node_types: NodeTypes::from_slice(&self.node_types),
            ..*self
        }
    }
}
