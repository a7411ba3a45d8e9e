//! Which bands there are.

use super::memory_plan::MemoryPlan;
use crate::{DftError, basis::PlaneWaveBasis, occupation::Occupations};

/// Bands above those that are sought, which are not converged: their neighbours converge faster.
const SPARE_BANDS: usize = 2;

/// Which bands there are at each k-point, and what memory they may take.
#[derive(Debug, Clone, Copy)]
pub(crate) struct BandPlan {
    pub(crate) sought: usize,
    /// Beside them, to keep the solver fast.
    pub(super) spare: usize,
    pub(crate) memory: MemoryPlan,
}

impl BandPlan {
    /// For a number of bands; `None` for those that the occupations need and some above.
    ///
    /// # Errors
    /// [`DftError::InvalidSetting`] for too few bands or too many.
    pub(crate) fn new(basis: &PlaneWaveBasis, wanted: Option<usize>) -> Result<Self, DftError> {
        let pairs = (basis.model.electron_count() / 2.0).ceil() as usize;
        let smallest_basis = basis.waves.iter().map(|waves| waves.len()).min();
        let most = smallest_basis.unwrap_or(0) / 2;
        let sought = wanted.unwrap_or(match basis.model.occupations {
            Occupations::Fixed => pairs + 1,
            Occupations::Smeared { .. } => (pairs + 4).max((1.2 * pairs as f64).ceil() as usize),
        });
        if sought < pairs.max(1) || sought > most {
            return Err(DftError::InvalidSetting {
                setting: "bands",
                found: sought.to_string(),
                expected: "at least half the electrons and at most half the plane waves at any k-point",
            });
        }
        let spare = SPARE_BANDS.min(most - sought);
        Ok(Self {
            sought,
            spare,
            memory: MemoryPlan::of(basis, sought + spare),
        })
    }

    /// With the spare ones.
    pub(super) fn total(self) -> usize {
        self.sought + self.spare
    }
}
