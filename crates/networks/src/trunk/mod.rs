//! Networks whose trunk is not trained: fixed features of what is seen, with a trainable head.

mod cached;
mod hidden;
mod memory;
mod network;

use std::{fmt::Debug, sync::Arc};

use crystalgym_crystal::Skeleton;
use crystalgym_environment::Observation;

pub use self::{
    cached::Cached,
    network::{Head, TrunkNetwork, TrunkWorkspace},
};
pub(crate) use self::{hidden::hidden_widths, memory::Memory};

use crate::NetworkError;

/// The part of an observation that a trunk sees: the crystal so far and the site in focus.
///
/// Target and progress go to the head, so that features stay the same when an agent aims elsewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct PartialCrystal<'a> {
    /// Index into the skeletons of the trunk.
    pub skeleton: usize,
    /// Element of each site as an index into the elements of the task, their number where it is
    /// empty.
    pub node_types: &'a [u8],
    /// Site that the next action is about.
    pub focus: usize,
}

impl<'a> From<&Observation<'a>> for PartialCrystal<'a> {
    fn from(seen: &Observation<'a>) -> Self {
        Self {
            skeleton: seen.skeleton,
            node_types: seen.node_types,
            focus: seen.focus,
        }
    }
}

/// Fixed features of a partly filled crystal: descriptors, or a pretrained network.
///
/// A trunk has no trainable numbers. Clones of a [`TrunkNetwork`] share it, and so do all networks
/// that are built on one `Arc`.
pub trait Trunk: Debug + Send + Sync + Sized + 'static {
    /// Number of features.
    fn width(&self) -> usize;

    /// Writes the features, [`Self::width`] of them; the same for the same crystal each time.
    fn features(&self, crystal: PartialCrystal<'_>, out: &mut [f32]);

    /// The same trunk, with as many features, for other skeletons.
    ///
    /// # Errors
    /// [`NetworkError::Config`] for skeletons that it cannot see.
    fn for_skeletons(&self, skeletons: &[Arc<Skeleton>]) -> Result<Self, NetworkError>;
}
