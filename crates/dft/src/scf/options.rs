//! Choices of the self-consistency loop, and how the caller takes part in it.

use std::num::NonZeroUsize;

use super::{Mixing, ScfIteration};
use crate::{DftError, cancellation::Cancellation};

/// Choices of the loop.
#[derive(Debug, Clone, PartialEq)]
pub struct ScfOptions {
    /// Number of bands; `None` for those that the occupations need and one empty band more
    /// (fixed), or a fifth more and at least four (smeared).
    pub bands: Option<usize>,
    /// Estimated error of the energy at which to stop, in hartree.
    pub convergence_ha: f64,
    /// Largest number of iterations.
    pub max_iterations: usize,
    /// Within how many iterations the estimated error has to fall by a tenth, lest the loop be given
    /// up as [`Stagnated`](super::ScfEnd::Stagnated); `None` for no such limit. With one, and fixed occupations,
    /// a loop is also given up whose density jumps to and fro between two fillings of the bands.
    pub stagnation_window: Option<usize>,
    /// How densities are mixed.
    pub mixing: Mixing,
    /// Whether to begin with the density of a coarser mesh of k-points, where that saves most of
    /// the work.
    pub coarse_start: bool,
    /// Threads to share the k-points; results do not depend on their number.
    pub threads: NonZeroUsize,
}

impl Default for ScfOptions {
    /// The settings of the published decks: 1e-6 Ry, at most 300 iterations.
    fn default() -> Self {
        Self {
            bands: None,
            convergence_ha: 0.5e-6,
            max_iterations: 300,
            stagnation_window: Some(25),
            mixing: Mixing::default(),
            coarse_start: true,
            threads: NonZeroUsize::MIN,
        }
    }
}

impl ScfOptions {
    /// # Errors
    /// [`DftError::InvalidSetting`] for an accuracy out of range.
    pub(super) fn check(&self) -> Result<(), DftError> {
        if self.convergence_ha.is_nan() || self.convergence_ha <= 0.0 {
            return Err(DftError::InvalidSetting {
                setting: "convergence_ha",
                found: self.convergence_ha.to_string(),
                expected: "a positive energy in hartree",
            });
        }
        Ok(())
    }
}

/// How the caller takes part in a running loop.
#[derive(Default)]
pub struct ScfControl<'a> {
    /// Asked between steps, by any thread: once true, the loop stops.
    pub is_cancelled: Option<&'a (dyn Fn() -> bool + Sync)>,
    /// Called after each iteration.
    pub progress: Option<&'a mut dyn FnMut(&ScfIteration)>,
}

impl<'a> ScfControl<'a> {
    pub(super) fn cancellation(&self) -> Cancellation<'a> {
        self.is_cancelled
            .map_or(Cancellation::NEVER, Cancellation::by)
    }
}
