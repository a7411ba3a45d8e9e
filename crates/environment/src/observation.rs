//! What every policy and every network sees.

use crystalgym_crystal::Element;

use crate::State;

/// The order in which sites have their turn.
///
/// Where actions say on which site they act, it is that of
/// [`Process::history`](crate::process::Process::history), and says nothing of what is to come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Traversal<'a> {
    /// Site that it was drawn to start from.
    pub start: usize,
    /// The sites, begun anew when all had their turn; those from `step` on are to come.
    pub order: &'a [u16],
}

/// What is seen of a state, target and allowed actions included.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Observation<'a> {
    /// Index into [`Board::skeletons`](crate::Board::skeletons).
    pub skeleton: usize,
    /// Element of each site as an index into `elements`, their number where it is empty.
    pub node_types: &'a [u8],
    /// The elements to choose from.
    pub elements: &'a [Element],
    /// Site that the next action is about; after the last step, the site of that. 0 where actions say
    /// on which site they act.
    pub focus: usize,
    /// Which sites are to come; `None` if whoever asks does not know it.
    pub traversal: Option<Traversal<'a>>,
    /// Actions taken so far.
    pub step: usize,
    /// Actions of the whole episode.
    pub steps: usize,
    /// Target of the property, in its unit.
    pub target: f64,
    /// Which actions are allowed.
    pub allowed: &'a [bool],
}

impl Observation<'_> {
    /// The state that it is of; `None` if it does not say in which order sites have their turn.
    pub fn state(&self) -> Option<State> {
        Some(State {
            skeleton: self.skeleton as u16,
            start: self.traversal?.start as u16,
            step: self.step as u16,
            node_types: self.node_types.into(),
        })
    }
}
