//! What every policy and every network sees.

use crystalgym_crystal::Element;

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
    /// Actions taken so far.
    pub step: usize,
    /// Actions of the whole episode.
    pub steps: usize,
    /// Target of the property, in its unit.
    pub target: f64,
    /// Which actions are allowed.
    pub allowed: &'a [bool],
}
