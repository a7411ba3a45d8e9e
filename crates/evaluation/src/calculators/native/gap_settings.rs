//! Which levels a band gap is between.

use serde::{Deserialize, Serialize};

use crate::{DENSE_SPACING_PER_ANG, PATH_SPACING_PER_ANG};

/// Which levels a band gap is the difference of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GapKind {
    /// Those on the mesh of the density, as in the CrystalGym paper. Even and odd meshes see other points.
    #[default]
    Mesh,
    /// Those along the high-symmetry path and on a dense, even mesh, in the potential of the converged
    /// density.
    Path,
}

/// How a band gap is found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GapSettings {
    /// Which levels.
    pub kind: GapKind,
    /// Distance of neighbouring k-points along the path in Å⁻¹, 2π included.
    pub path_spacing_per_ang: f64,
    /// The same on the dense mesh, along each reciprocal vector.
    pub mesh_spacing_per_ang: f64,
}

impl Default for GapSettings {
    fn default() -> Self {
        Self {
            kind: GapKind::default(),
            path_spacing_per_ang: PATH_SPACING_PER_ANG,
            mesh_spacing_per_ang: DENSE_SPACING_PER_ANG,
        }
    }
}
