//! Features that are kept, for trunks that cost.

use std::{
    collections::HashMap,
    mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use crystalgym_crystal::Skeleton;

use super::{PartialCrystal, Trunk};
use crate::NetworkError;

/// A trunk that is asked once for each partly filled crystal, as long as that is remembered.
///
/// Up to `capacity` crystals are remembered; those that were not asked for lately are forgotten
/// first. One memory serves all networks and threads that share the trunk.
#[derive(Debug)]
pub struct Cached<T> {
    trunk: T,
    capacity: usize,
    memory: Mutex<Memory>,
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Key {
    skeleton: usize,
    focus: usize,
    node_types: Box<[u8]>,
}

/// Two generations: when the younger has half of the capacity it becomes the older, whose crystals
/// are forgotten unless they were asked for again meanwhile.
#[derive(Debug, Default)]
struct Memory {
    younger: HashMap<Key, Arc<[f32]>>,
    older: HashMap<Key, Arc<[f32]>>,
}

impl Memory {
    fn recall(&mut self, key: &Key, half: usize) -> Option<Arc<[f32]>> {
        if let Some(features) = self.younger.get(key) {
            return Some(Arc::clone(features));
        }
        let (key, features) = self.older.remove_entry(key)?;
        self.keep(key, Arc::clone(&features), half);
        Some(features)
    }

    fn keep(&mut self, key: Key, features: Arc<[f32]>, half: usize) {
        if self.younger.len() >= half {
            self.older = mem::take(&mut self.younger);
        }
        self.younger.insert(key, features);
    }
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
        let memory = self.memory();
        memory.younger.len() + memory.older.len()
    }

    /// Every entry is written whole, so that what a panic elsewhere left behind is sound.
    fn memory(&self) -> MutexGuard<'_, Memory> {
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
