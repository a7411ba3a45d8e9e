//! Memory of forward and backward passes.

use super::{backward::BackwardScratch, forward::Activations};
use crate::{NetworkError, sharded::Sharded};

/// Memory of a network's forward and backward pass, and the threads that run it.
///
/// The memory grows to what the largest batch needs and is then reused.
#[derive(Debug)]
pub struct Workspace(pub(super) Sharded<Shard>);

/// A part of the batch.
#[derive(Debug, Default)]
pub(super) struct Shard {
    pub(super) activations: Activations,
    pub(super) scratch: BackwardScratch,
}

impl Workspace {
    pub(super) fn new(threads: usize) -> Result<Self, NetworkError> {
        Sharded::new(threads).map(Self)
    }

    /// Outputs of the last forward pass.
    pub fn outputs(&self) -> &[f32] {
        self.0.outputs()
    }
}
