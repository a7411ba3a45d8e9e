//! Tables of one pseudopotential that are made once and kept.

use std::sync::{Arc, Mutex, PoisonError};

use super::radial_table::RadialTable;

/// The tables of the functions that meet wavefunctions.
///
/// Projectors, orbitals and augmentation charges are tabulated, as in `pw.x`; the other form factors
/// are needed once per shell of the reciprocal lattice and are integrated directly.
#[derive(Debug, Clone, PartialEq)]
pub struct WaveTables {
    /// β_i(q) for each projector.
    pub projectors: Vec<RadialTable>,
    /// χ_i(q) for each atomic orbital.
    pub orbitals: Vec<RadialTable>,
}

/// Tables that are made when they are first needed, and again when they must reach further.
#[derive(Debug, Default)]
pub(super) struct TableCache {
    pub(super) wave: Mutex<Option<(f64, Arc<WaveTables>)>>,
    pub(super) augmentation: Mutex<Option<(f64, Arc<Vec<RadialTable>>)>>,
}

/// Tables reach to the next whole bohr⁻¹, so that nearly the same cutoffs share them; what could not
/// be made is not kept.
pub(super) fn found_or_made<T, E>(
    cached: &Mutex<Option<(f64, Arc<T>)>>,
    q_max: f64,
    make: impl FnOnce(f64) -> Result<T, E>,
) -> Result<Arc<T>, E> {
    let mut cached = cached.lock().unwrap_or_else(PoisonError::into_inner);
    match &*cached {
        Some((reach, tables)) if *reach >= q_max => Ok(Arc::clone(tables)),
        _ => {
            let reach = q_max.ceil();
            let tables = Arc::new(make(reach)?);
            *cached = Some((reach, Arc::clone(&tables)));
            Ok(tables)
        }
    }
}

impl Clone for TableCache {
    fn clone(&self) -> Self {
        Self {
            wave: Mutex::new(copy_of(&self.wave)),
            augmentation: Mutex::new(copy_of(&self.augmentation)),
        }
    }
}

fn copy_of<T: Clone>(cached: &Mutex<T>) -> T {
    cached
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .clone()
}

/// What is cached follows from the potential.
impl PartialEq for TableCache {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}
