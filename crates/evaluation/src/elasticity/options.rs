//! What can be chosen about elastic moduli.

use crystalgym_qe::SettingRange;
use serde::{Deserialize, Serialize};

/// What the atoms do when the cell is strained.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ions {
    /// They keep their fractional positions.
    #[default]
    Clamped,
    /// They go where no force acts on them, in the given cell too.
    Relaxed,
}

/// Of a strain. Below, the rounding of printed stresses counts; above, the stress is not linear.
pub(crate) const ELASTIC_STRAIN: SettingRange = SettingRange::new(1e-4, 0.05, "(a strain)");
/// Where errors of rounding and of curvature are both far below those of the basis.
pub(crate) const DEFAULT_ELASTIC_STRAIN: f64 = 0.005;
