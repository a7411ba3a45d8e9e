//! Stress–strain coefficients from stresses of strained cells.

use super::{
    strains::fewest_strains,
    symmetric_matrix::Spectrum,
    tensors::{Matrix3, Matrix6, add_outer, multiply, rotated, to_vector},
};

/// The coefficients `B_ijkl = ∂σ_ij/∂ε_kl` of a cell in GPa.
#[derive(Debug, Clone, PartialEq)]
pub struct StressStrain {
    /// In Mandel's weights: `σ = B ε`.
    pub(super) coefficients_gpa: Matrix6,
    /// Stress of the given cell in GPa, positive under tension.
    pub(super) stress_gpa: Matrix3,
    /// Strains that were measured.
    pub(super) strains: usize,
}

impl StressStrain {
    /// Measures them by strains of this amplitude, as few as the crystal's rotations (Cartesian, a
    /// group) allow. `stress_gpa` is the stress of the given cell, `stress_at` gives that of a cell
    /// strained by its argument, both in GPa and positive under tension.
    ///
    /// `B = (Σ r eᵀ)(Σ e eᵀ)⁻¹` over all images of the strains e and their responses r: the least
    /// squares fit, which has the crystal's symmetry.
    ///
    /// # Errors
    /// The first of `stress_at`.
    pub fn measure<E>(
        rotations: &[Matrix3],
        amplitude: f64,
        stress_gpa: Matrix3,
        mut stress_at: impl FnMut(&Matrix3) -> Result<Matrix3, E>,
    ) -> Result<Self, E> {
        let needed = fewest_strains(rotations);
        let (mut responses, mut spread) = ([[0.0; 6]; 6], [[0.0; 6]; 6]);
        for strain in &needed {
            let mut at = |sign: f64| {
                let strain = strain.map(|row| row.map(|x| sign * amplitude * x));
                stress_at(&strain)
            };
            let (above, below) = (at(1.0)?, at(-1.0)?);
            let response: Matrix3 = std::array::from_fn(|i| {
                std::array::from_fn(|j| (above[i][j] - below[i][j]) / (2.0 * amplitude))
            });
            for rotation in rotations {
                let response = to_vector(&rotated(&response, rotation));
                let strain = to_vector(&rotated(strain, rotation));
                add_outer(&mut responses, &response, &strain);
                add_outer(&mut spread, &strain, &strain);
            }
        }
        Ok(Self {
            coefficients_gpa: multiply(&responses, &Spectrum::of(&spread).inverse()),
            stress_gpa,
            strains: needed.len(),
        })
    }

    /// The coefficients with `modulus_gpa δ_ij δ_kl` added.
    pub(crate) fn with_dilation(mut self, modulus_gpa: f64) -> Self {
        for row in &mut self.coefficients_gpa[..3] {
            for coefficient in &mut row[..3] {
                *coefficient += modulus_gpa;
            }
        }
        self
    }

    /// `½ (B + Bᵀ)`
    pub(super) fn symmetric_part(&self) -> Matrix6 {
        let b = &self.coefficients_gpa;
        std::array::from_fn(|m| std::array::from_fn(|n| 0.5 * (b[m][n] + b[n][m])))
    }

    /// The largest element of `B − Bᵀ` less what the stress of the given cell makes of it,
    /// `σ_kl δ_ij − σ_ij δ_kl`.
    pub(super) fn asymmetry_gpa(&self) -> f64 {
        let unit = to_vector(&[[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]);
        let stress = to_vector(&self.stress_gpa);
        let b = &self.coefficients_gpa;
        let mut largest = 0.0f64;
        for m in 0..6 {
            for n in 0..6 {
                let expected = unit[m] * stress[n] - stress[m] * unit[n];
                largest = largest.max((b[m][n] - b[n][m] - expected).abs());
            }
        }
        largest
    }
}
