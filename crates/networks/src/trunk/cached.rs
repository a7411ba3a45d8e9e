//! Features that are kept, for trunks that cost.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crystalgym_crystal::Skeleton;

use super::{PartialCrystal, Trunk, memory::Memory};
use crate::NetworkError;

/// A trunk that is asked once for each partly filled crystal, as long as that is remembered.
///
/// Up to `capacity` crystals are remembered; those that were not asked for lately are forgotten
/// first. One memory serves all networks and threads that share the trunk.
#[derive(Debug)]
pub struct Cached<T> {
    trunk: T,
    capacity: usize,
    memory: Mutex<Memory<Key, Arc<[f32]>>>,
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Key {
    skeleton: usize,
    focus: usize,
    node_types: Box<[u8]>,
}

impl<T: Trunk> Cached<T> {
    /// A memory of up to `capacity` crystals, at least 2, in front of a trunk.
    pub fn new(trunk: T, capacity: usize) -> Self {
        Self {
            trunk,
            capacity: capacity.max(2),
            memory: Mutex::default(),
        }
    }

    /// The trunk behind.
    pub fn trunk(&self) -> &T {
        &self.trunk
    }

    /// Crystals that are remembered now.
    pub fn remembered(&self) -> usize {
        self.memory().remembered()
    }

    /// Every entry is written whole, so that what a panic elsewhere left behind is sound.
    fn memory(&self) -> MutexGuard<'_, Memory<Key, Arc<[f32]>>> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T: Trunk> Trunk for Cached<T> {
    fn width(&self) -> usize {
        self.trunk.width()
    }

    fn features(&self, crystal: PartialCrystal<'_>, out: &mut [f32]) {
        let key = Key {
            skeleton: crystal.skeleton,
            focus: crystal.focus,
            node_types: crystal.node_types.into(),
        };
        let half = self.capacity / 2;
        let known = self.memory().recall(&key, half);
        if let Some(features) = known {
            out.copy_from_slice(&features);
            return;
        }
        // Without the lock: other threads go on meanwhile, and two that ask for the same crystal
        // at once get the same numbers.
        self.trunk.features(crystal, out);
        self.memory().keep(key, Arc::from(&*out), half);
    }

    fn for_skeletons(&self, skeletons: &[Arc<Skeleton>]) -> Result<Self, NetworkError> {
        Ok(Self::new(
            self.trunk.for_skeletons(skeletons)?,
            self.capacity,
        ))
    }
}
