//! What a calculation will take, estimated before anything of that size is made.

use std::{f64::consts::PI, num::NonZeroUsize};

use super::{Discretisation, density_grid::miller_limits};
use crate::{DftError, cancellation::Cancellation, model::Model, occupation::Occupations};

const GIB: f64 = (1u64 << 30) as f64;
/// Bytes of a complex number.
const COMPLEX: f64 = 16.0;
/// Fields on the box of the density that are held at once, about.
const DENSITY_FIELDS: f64 = 12.0;
/// Bytes of one plane wave's lists: Miller indices, vector, length, shell, positions, symmetry.
const DENSITY_WAVE_BYTES: f64 = 300.0;
const WAVE_BYTES: f64 = 32.0;
/// The eigensolver's subspace and what H makes of it, in units of the bands at one k-point.
const SUBSPACES: f64 = 10.0;
/// Most operations that a space group leaves of a mesh: 48, and time reversal.
pub(super) const MOST_OPERATIONS: f64 = 96.0;

/// How the set-up of a basis is bounded and ended.
#[derive(Clone, Copy)]
pub struct SetUp<'a> {
    /// Asked between steps: once true, the set-up ends with [`DftError::Cancelled`].
    pub is_cancelled: Option<&'a (dyn Fn() -> bool + Sync)>,
    /// The most memory that the calculation may take by its estimate, in GiB.
    pub memory_limit_gib: f64,
    /// Threads that the calculation will have.
    pub threads: NonZeroUsize,
    /// Number of bands; `None` for those that the occupations need.
    pub bands: Option<usize>,
}

impl Default for SetUp<'_> {
    /// 8 GiB, one thread, never cancelled.
    fn default() -> Self {
        Self {
            is_cancelled: None,
            memory_limit_gib: Self::MEMORY_LIMIT_GIB,
            threads: NonZeroUsize::MIN,
            bands: None,
        }
    }
}

impl SetUp<'_> {
    /// The default limit in GiB.
    pub const MEMORY_LIMIT_GIB: f64 = 8.0;

    pub(super) fn cancellation(&self) -> Cancellation<'_> {
        self.is_cancelled
            .map_or(Cancellation::NEVER, Cancellation::by)
    }

    /// Refuses a calculation with this many k-points if it needs more memory than it may have.
    pub(super) fn check_memory(
        &self,
        model: &Model,
        discretisation: &Discretisation,
        k_points: f64,
    ) -> Result<(), DftError> {
        let size = Size::of(model, discretisation, self.bands);
        let needed_gib = size.bytes(k_points, self.threads) / GIB;
        if needed_gib <= self.memory_limit_gib {
            return Ok(());
        }
        Err(DftError::TooLarge {
            needed_gib,
            limit_gib: self.memory_limit_gib,
            size: format!(
                "{:.1e} plane waves of the density and {:.1e} of the wave functions, {:.0} bands, \
                 {:.1e} k-points",
                size.density_waves, size.waves, size.bands, k_points
            ),
        })
    }
}

/// Numbers of what a calculation holds.
struct Size {
    /// Points of the density's box.
    box_points: f64,
    /// Plane waves of the density.
    density_waves: f64,
    /// Plane waves of the wave functions at one k-point.
    waves: f64,
    bands: f64,
    projectors: f64,
}

impl Size {
    /// `N = Ω (2E)^{3/2} / 6π²` plane waves below a cutoff, and at most as many as the box has points.
    fn of(model: &Model, discretisation: &Discretisation, bands: Option<usize>) -> Self {
        let waves_below =
            |ecut: f64| model.cell.volume() * (2.0 * ecut).powf(1.5) / (6.0 * PI * PI) + 1.0;
        let (ecut, ecut_density) = (discretisation.ecut_ha, discretisation.ecut_density_ha);
        let sides = miller_limits(&model.cell, (2.0 * ecut_density).sqrt());
        let pairs = (model.electron_count() / 2.0).ceil();
        let needed = match model.occupations {
            Occupations::Fixed => pairs + 1.0,
            Occupations::Smeared { .. } => (pairs + 4.0).max((1.2 * pairs).ceil()),
        };
        let functions = model.atoms.iter().map(|atom| {
            let l = model.species[atom.species].projector_l();
            l.iter().map(|l| 2 * l + 1).sum::<usize>() as f64
        });
        Self {
            box_points: sides.map(|n| 2.0 * f64::from(n) + 1.0).iter().product(),
            density_waves: waves_below(ecut_density),
            waves: waves_below(ecut),
            bands: bands.map_or(needed, |bands| bands as f64),
            projectors: functions.sum(),
        }
    }

    fn bytes(&self, k_points: f64, threads: NonZeroUsize) -> f64 {
        let threads = threads.get() as f64;
        let at_one_k = self.waves * self.bands * COMPLEX;
        self.box_points * COMPLEX * DENSITY_FIELDS
            + self.density_waves * DENSITY_WAVE_BYTES
            + k_points * (self.waves * WAVE_BYTES + at_one_k / 2.0)
            + threads * (SUBSPACES * at_one_k + self.waves * self.projectors * COMPLEX)
    }
}
