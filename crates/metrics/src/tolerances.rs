use serde::{Deserialize, Serialize};

/// How far two structures may differ and still be the same.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MatchTolerances {
    /// Relative difference of the lengths of the cells.
    pub length: f64,
    /// Largest distance of two sites in units of (V/n)^(1/3).
    pub site: f64,
    /// Difference of the angles of the cells in degrees.
    pub angle_deg: f64,
}

impl Default for MatchTolerances {
    /// Those of LeMat-GenBench: 0.1, 0.3 and 5°.
    fn default() -> Self {
        Self {
            length: 0.1,
            site: 0.3,
            angle_deg: 5.0,
        }
    }
}
