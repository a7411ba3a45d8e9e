//! Symmetry of the occupations of projectors.

use super::space_group::{SymmetryOperation, image_of_atoms};
use crate::{
    DftError,
    cancellation::Cancellation,
    model::Model,
    pseudo::{real_spherical_harmonics, sphere_quadrature},
    terms::{
        projector_channels::{Channel, projector_channels},
        projector_matrices::ProjectorMatrices,
    },
    vector::{Matrix3, Vector3},
};

/// Gives the occupations of the projectors the symmetry of the crystal:
/// `ρ_b ← N⁻¹ Σ_ops T ρ_a Tᵀ` with a the atom that the operation moves to b, and T the rotation
/// of real spherical harmonics, `Y_lm(Rn) = Σ_m' T_mm' Y_lm'(n)`.
#[derive(Debug, Clone)]
pub(crate) struct AtomSymmetrizer {
    /// The channels of each species' projectors.
    channels: Vec<Vec<Channel>>,
    /// Species of each atom.
    species: Vec<usize>,
    operations: Vec<Action>,
}

#[derive(Debug, Clone)]
struct Action {
    /// Where each atom goes.
    image: Vec<usize>,
    /// T for each l, row by row.
    rotations: Vec<Vec<f64>>,
}

impl AtomSymmetrizer {
    /// # Errors
    /// [`DftError::Cancelled`].
    pub(crate) fn new(
        model: &Model,
        operations: &[SymmetryOperation],
        cancellation: Cancellation<'_>,
    ) -> Result<Self, DftError> {
        let l_max = model.species.iter().map(|s| s.l_max()).max().unwrap_or(0);
        let mut actions = Vec::with_capacity(operations.len());
        for operation in operations {
            cancellation.check()?;
            let Some(image) = image_of_atoms(model, operation) else {
                continue;
            };
            let rotations = harmonic_rotations(l_max, operation.cartesian_rotation(&model.cell));
            actions.push(Action { image, rotations });
        }
        Ok(Self {
            channels: (model.species.iter())
                .map(|species| projector_channels(species))
                .collect(),
            species: model.atoms.iter().map(|atom| atom.species).collect(),
            operations: actions,
        })
    }

    pub(crate) fn symmetrize(&self, matrices: &mut ProjectorMatrices) {
        let share = 1.0 / self.operations.len().max(1) as f64;
        let mut sum = ProjectorMatrices::zeros(matrices.sides().to_vec());
        for action in &self.operations {
            for (atom, block) in matrices.blocks().enumerate() {
                let channels = &self.channels[self.species[atom]];
                let turned = action.turn(channels, block);
                let Some(target) = sum.blocks_mut().nth(action.image[atom]) else {
                    continue;
                };
                for (sum, value) in target.iter_mut().zip(turned) {
                    *sum += share * value;
                }
            }
        }
        *matrices = sum;
    }
}

impl Action {
    /// `T ρ Tᵀ`
    fn turn(&self, channels: &[Channel], block: &[f64]) -> Vec<f64> {
        let half = self.rotate_rows(channels, block);
        self.rotate_rows(channels, &transposed(&half, channels.len()))
    }

    /// `T ρ`
    fn rotate_rows(&self, channels: &[Channel], block: &[f64]) -> Vec<f64> {
        let side = channels.len();
        let mut result = vec![0.0; side * side];
        for (row, a) in channels.iter().enumerate() {
            let rotation = &self.rotations[a.l];
            let (width, m) = (2 * a.l + 1, a.harmonic - a.l * a.l);
            // The channels of one radial function follow each other, m ascending.
            let first = row - m;
            for other in 0..width {
                let t = rotation[m * width + other];
                let from = &block[(first + other) * side..(first + other + 1) * side];
                let to = &mut result[row * side..(row + 1) * side];
                for (to, from) in to.iter_mut().zip(from) {
                    *to += t * from;
                }
            }
        }
        result
    }
}

fn transposed(matrix: &[f64], side: usize) -> Vec<f64> {
    (0..side * side)
        .map(|index| matrix[(index % side) * side + index / side])
        .collect()
}

/// `T_mm' = ∫ Y_lm(Rn) Y_lm'(n) dΩ` for each l, by a quadrature that is exact for it.
fn harmonic_rotations(l_max: usize, rotation: Matrix3) -> Vec<Vec<f64>> {
    let mut result: Vec<Vec<f64>> = (0..=l_max)
        .map(|l| vec![0.0; (2 * l + 1) * (2 * l + 1)])
        .collect();
    for (n, weight) in sphere_quadrature(2 * l_max) {
        let turned: Vector3 = rotation.map(|row| (0..3).map(|i| row[i] * n[i]).sum());
        let before = real_spherical_harmonics(l_max, n);
        let after = real_spherical_harmonics(l_max, turned);
        for (l, matrix) in result.iter_mut().enumerate() {
            let (first, width) = (l * l, 2 * l + 1);
            for m in 0..width {
                for other in 0..width {
                    matrix[m * width + other] += weight * after[first + m] * before[first + other];
                }
            }
        }
    }
    result
}
