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
/// Smaller ones see the jumps of the number of plane waves: at 20 Ry silicon's C₁₁ is 168, 171, 175
/// and 176 GPa with strains of 0.02, 0.01, 0.005 and 0.0025, and 169.9, 169.8, 169.8 and 169.9 GPa at
/// 60 Ry, where there are no jumps to speak of and curvature makes 0.1 %.
pub(crate) const DEFAULT_ELASTIC_STRAIN: f64 = 0.02;
