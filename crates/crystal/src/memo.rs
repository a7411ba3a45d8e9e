//! What was found of a geometry before: fillings of one skeleton share their cells, and the search for a
//! cell's symmetry takes milliseconds.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use crate::{CrystalError, Lattice};

/// Most results that are kept; beyond it all are forgotten.
const MOST: usize = 512;

/// Results of a function of a geometry, which depend on nothing but its key.
pub(crate) struct Memo<T>(Mutex<BTreeMap<Vec<u64>, Arc<T>>>);

impl<T> Memo<T> {
    pub(crate) const fn new() -> Self {
        Self(Mutex::new(BTreeMap::new()))
    }

    /// The result of a key, found by `find` if it is not known. It is kept if it `is_small`; errors
    /// are not.
    pub(crate) fn of(
        &self,
        key: Vec<u64>,
        find: impl FnOnce() -> Result<T, CrystalError>,
        is_small: impl FnOnce(&T) -> bool,
    ) -> Result<Arc<T>, CrystalError> {
        let lock = || self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let known = lock().get(&key).map(Arc::clone);
        if let Some(known) = known {
            return Ok(known);
        }
        // Not under the lock: others look for theirs meanwhile.
        let found = Arc::new(find()?);
        if is_small(&found) {
            let mut known = lock();
            if known.len() >= MOST {
                known.clear();
            }
            known.insert(key, Arc::clone(&found));
        }
        Ok(found)
    }
}

/// The bits of a geometry, and of what else a result depends on.
pub(crate) fn geometry_key(
    lattice: &Lattice,
    frac_coords: &[[f64; 3]],
    others: impl IntoIterator<Item = u64>,
) -> Vec<u64> {
    let vectors = lattice.vectors();
    let numbers = vectors.iter().chain(frac_coords).flatten();
    numbers.map(|x| x.to_bits()).chain(others).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    /// Counted: what is known is not found again, errors and large results are.
    #[test]
    fn found_once_and_forgotten_when_there_are_too_many() {
        let memo = Memo::new();
        let calls = AtomicUsize::new(0);
        let ask = |key: u64, is_small: bool| {
            let find = || {
                calls.fetch_add(1, Ordering::Relaxed);
                match key {
                    7 => Err(CrystalError::Symmetry("none".to_owned())),
                    key => Ok(2 * key),
                }
            };
            let found = memo.of(vec![key], find, |_| is_small);
            found.ok().map(|found| *found)
        };
        assert_eq!((ask(1, true), ask(1, true)), (Some(2), Some(2)));
        assert_eq!(calls.load(Ordering::Relaxed), 1);
        assert_eq!((ask(2, false), ask(2, false)), (Some(4), Some(4)));
        assert_eq!(calls.load(Ordering::Relaxed), 3);
        assert!(ask(7, true).is_none() && ask(7, true).is_none());
        assert_eq!(calls.load(Ordering::Relaxed), 5);
        for key in 100..100 + MOST as u64 {
            assert_eq!(ask(key, true), Some(2 * key));
        }
        assert_eq!(ask(1, true), Some(2));
        assert_eq!(calls.load(Ordering::Relaxed), 5 + MOST + 1);
    }

    /// Identity: other bits, another key.
    #[test]
    fn keys_tell_geometries_apart() {
        let lattice = Lattice::new([[4.0, 0.0, 0.0], [0.0, 4.0, 0.0], [0.0, 0.0, 4.0]]);
        let lattice = lattice.unwrap();
        let key = |x: f64, kind| geometry_key(&lattice, &[[x, 0.0, 0.0]], [kind]);
        assert_eq!(key(0.5, 1), key(0.5, 1));
        assert_ne!(key(0.5, 1), key(0.5 + f64::EPSILON, 1));
        assert_ne!(key(0.5, 1), key(0.5, 2));
    }
}
