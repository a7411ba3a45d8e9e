//! What bands are solved to as the density becomes better.

use super::ScfOptions;
use crate::basis::PlaneWaveBasis;

/// `|Hψ − εψ|²` that the first iteration is content with, in hartree²: from the density of atoms,
/// and from one of a coarser mesh or a neighbour. In cells of more electrons than that, levels lie so close that
/// such loose bands are mixtures of filled and empty ones, and what the mixer learns from them misleads it: 64
/// atoms of silicon then take twice the iterations.
const ATOMIC_RESIDUAL2: f64 = 1e-4;
const LARGE_CELL_RESIDUAL2: f64 = 1e-5;
const LARGE_CELL_ELECTRONS: f64 = 50.0;
const KNOWN_RESIDUAL2: f64 = 1e-6;
/// The bands' residuals (squared, in hartree²) are kept below this share of the density's error an
/// electron: the mixer takes what is left of them for the density's own answer. (pw.x: 0.1.)
const RESIDUAL2_SHARE: f64 = 0.01;
/// The last bands may have more than that by this factor, of the error that is asked for.
const FINAL_RESIDUAL2_SLACK: f64 = 400.0;
/// And they are solved to this, where the density is good enough but its bands are not yet.
const FINAL_RESIDUAL2_TARGET: f64 = 100.0;
/// Residuals are never asked to be smaller than this.
const SMALLEST_RESIDUAL2: f64 = 1e-16;

/// What the next iteration's bands are solved to.
#[derive(Debug, Clone, Copy)]
pub(super) struct BandAccuracy {
    /// `|Hψ − εψ|²` in hartree².
    pub(super) residual2: f64,
    /// Of the density's error, for each electron.
    share: f64,
    convergence_ha: f64,
    /// Whether only the density is wanted, to go on from.
    is_preparation: bool,
}

impl BandAccuracy {
    /// For a loop that begins with the density of atoms.
    pub(super) fn from_atoms(basis: &PlaneWaveBasis, options: &ScfOptions) -> Self {
        let electrons = basis.model.electron_count();
        Self {
            residual2: match electrons > LARGE_CELL_ELECTRONS {
                true => LARGE_CELL_RESIDUAL2,
                false => ATOMIC_RESIDUAL2,
            },
            share: RESIDUAL2_SHARE / electrons.max(1.0),
            convergence_ha: options.convergence_ha,
            is_preparation: false,
        }
    }

    /// For one that begins with a better density.
    pub(super) fn from_known_density(basis: &PlaneWaveBasis, options: &ScfOptions) -> Self {
        Self {
            residual2: KNOWN_RESIDUAL2,
            ..Self::from_atoms(basis, options)
        }
    }

    /// Where only the density is wanted, to go on from.
    pub(super) fn of_preparation(self) -> Self {
        Self {
            is_preparation: true,
            ..self
        }
    }

    /// Whether the bands may be the last ones: a density's error that is smaller than what its bands were
    /// solved to says nothing.
    pub(super) fn is_enough(&self) -> bool {
        let enough = FINAL_RESIDUAL2_SLACK * self.share * self.convergence_ha;
        self.residual2 <= enough.max(SMALLEST_RESIDUAL2)
    }

    /// Follows the density's error in hartree.
    pub(super) fn follow(&mut self, error_ha: f64) {
        let wanted = match error_ha < self.convergence_ha && !self.is_preparation {
            true => FINAL_RESIDUAL2_TARGET * self.share * self.convergence_ha,
            false => self.share * error_ha,
        };
        self.residual2 = wanted.clamp(SMALLEST_RESIDUAL2, self.residual2);
    }
}
