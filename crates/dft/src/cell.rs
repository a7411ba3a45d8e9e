//! The unit cell and its reciprocal.

use std::f64::consts::TAU;

use crate::{
    DftError,
    vector::{Matrix3, Vector3, combine_rows, cross, dot, norm},
};

/// A unit cell: lattice vectors as rows, in bohr.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Cell {
    vectors: Matrix3,
    reciprocal: Matrix3,
    volume: f64,
}

impl Cell {
    /// A cell from its row vectors in bohr.
    ///
    /// # Errors
    /// [`DftError::InvalidCell`] if the vectors are not finite or span no volume.
    pub fn new(vectors: Matrix3) -> Result<Self, DftError> {
        let [a, b, c] = vectors;
        let signed_volume = dot(a, cross(b, c));
        let longest = vectors.into_iter().map(norm).fold(0.0, f64::max);
        let spans_space = signed_volume.abs() > 1e-9 * longest.powi(3);
        if !signed_volume.is_finite() || !spans_space {
            return Err(DftError::InvalidCell {
                volume_bohr3: signed_volume.abs(),
            });
        }
        // b₁ = 2π a₂×a₃ / (a₁·a₂×a₃) and cyclic
        let reciprocal =
            [cross(b, c), cross(c, a), cross(a, b)].map(|v| v.map(|x| x * (TAU / signed_volume)));
        Ok(Self {
            vectors,
            reciprocal,
            volume: signed_volume.abs(),
        })
    }

    /// Lattice vectors as rows, in bohr.
    pub fn vectors(&self) -> Matrix3 {
        self.vectors
    }

    /// Reciprocal lattice vectors as rows, 2π included, in bohr⁻¹.
    pub fn reciprocal(&self) -> Matrix3 {
        self.reciprocal
    }

    /// Volume in bohr³.
    pub fn volume(&self) -> f64 {
        self.volume
    }

    /// Metric tensor `aᵢ·aⱼ` in bohr².
    pub(crate) fn metric(&self) -> Matrix3 {
        self.vectors.map(|u| self.vectors.map(|v| dot(u, v)))
    }

    /// The Cartesian vector (bohr) of a fractional one.
    pub(crate) fn to_cart(self, frac: Vector3) -> Vector3 {
        combine_rows(frac, self.vectors)
    }

    /// The Cartesian wave vector (bohr⁻¹) of one in units of the reciprocal lattice vectors.
    pub(crate) fn wave_vector(self, frac: Vector3) -> Vector3 {
        combine_rows(frac, self.reciprocal)
    }
}
