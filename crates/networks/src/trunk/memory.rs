//! A bounded memory that forgets what was not asked for lately.

use std::{collections::HashMap, hash::Hash, mem};

/// Two generations: when the younger has half of the capacity it becomes the older, whose entries are
/// forgotten unless they were asked for again meanwhile.
#[derive(Debug)]
pub(crate) struct Memory<K, V> {
    younger: HashMap<K, V>,
    older: HashMap<K, V>,
}

impl<K, V> Default for Memory<K, V> {
    fn default() -> Self {
        Self {
            younger: HashMap::new(),
            older: HashMap::new(),
        }
    }
}

impl<K: Hash + Eq, V: Clone> Memory<K, V> {
    /// What is remembered of a key; `half` of the capacity is that of one generation.
    pub(crate) fn recall(&mut self, key: &K, half: usize) -> Option<V> {
        if let Some(value) = self.younger.get(key) {
            return Some(value.clone());
        }
        let (key, value) = self.older.remove_entry(key)?;
        self.keep(key, value.clone(), half);
        Some(value)
    }

    /// Remembers a value.
    pub(crate) fn keep(&mut self, key: K, value: V, half: usize) {
        if self.younger.len() >= half {
            self.older = mem::take(&mut self.younger);
        }
        self.younger.insert(key, value);
    }

    /// Entries that are remembered now.
    pub(crate) fn remembered(&self) -> usize {
        self.younger.len() + self.older.len()
    }
}
