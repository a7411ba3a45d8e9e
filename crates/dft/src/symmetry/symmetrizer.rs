//! Symmetry of the density.

use std::f64::consts::TAU;

use rustfft::num_complex::Complex64;

use super::space_group::SymmetryOperation;
use crate::{DftError, basis::DensityGrid, cancellation::Cancellation, vector::dot};

/// Gives a density the symmetry of the crystal:
/// `ρ(G) ← N⁻¹ Σ_ops ρ(WᵀG) e^{−iG·t}`.
///
/// The plane waves fall into stars that the operations turn into each other; the sum is formed
/// once a star and handed to its members, so that the work is that of one pass over the sphere.
#[derive(Debug, Clone)]
pub(crate) struct Symmetrizer {
    stars: Vec<Vec<Image>>,
    operation_count: usize,
}

/// `(WᵀG, e^{iG·t})` of one operation on the first member G of a star.
#[derive(Debug, Clone, Copy)]
struct Image {
    index: u32,
    phase: Complex64,
}

impl Symmetrizer {
    /// # Errors
    /// [`DftError::Cancelled`].
    pub(crate) fn new(
        grid: &DensityGrid,
        operations: &[SymmetryOperation],
        cancellation: Cancellation<'_>,
    ) -> Result<Self, DftError> {
        let mut pace = cancellation.pace();
        const NOWHERE: u32 = u32::MAX;
        let mut index_at = vec![NOWHERE; grid.fft.len()];
        for (index, &position) in grid.positions.iter().enumerate() {
            index_at[position as usize] = index as u32;
        }
        let mut seen = vec![false; grid.len()];
        let mut stars = Vec::new();
        if operations.len() > 1 {
            for g in 0..grid.len() {
                if seen[g] {
                    continue;
                }
                pace.spend(4 * operations.len())?;
                let m = grid.miller[g];
                let images: Vec<Image> = operations
                    .iter()
                    .filter_map(|operation| {
                        let position = grid.fft.position(operation.transposed_rotation(m))?;
                        let index = index_at[position];
                        let angle = TAU * dot(m.map(f64::from), operation.translation);
                        (index != NOWHERE).then(|| Image {
                            index,
                            phase: Complex64::cis(angle),
                        })
                    })
                    .collect();
                // Operations preserve |G|, so a star lies within the sphere as a whole.
                debug_assert_eq!(images.len(), operations.len());
                for image in &images {
                    seen[image.index as usize] = true;
                }
                stars.push(images);
            }
        }
        Ok(Self {
            stars,
            operation_count: operations.len(),
        })
    }

    /// # Errors
    /// [`DftError::Cancelled`].
    pub(crate) fn symmetrize(
        &self,
        field: &mut [Complex64],
        cancellation: Cancellation<'_>,
    ) -> Result<(), DftError> {
        let mut pace = cancellation.pace();
        for star in &self.stars {
            pace.spend(star.len())?;
            let sum: Complex64 = star
                .iter()
                .map(|image| field[image.index as usize] * image.phase.conj())
                .sum();
            let mean = sum / self.operation_count as f64;
            for image in star {
                field[image.index as usize] = mean * image.phase;
            }
        }
        Ok(())
    }
}
