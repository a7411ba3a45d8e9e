//! Symmetry of forces and of tensors such as the stress.

use super::space_group::{SymmetryOperation, image_of_atoms};
use crate::{
    cell::Cell,
    model::Model,
    vector::{Matrix3, Vector3, dot},
};

/// `F_b ← N⁻¹ Σ_ops R F_a`, a the atom that the operation moves to b.
pub(crate) fn symmetrized_forces(
    model: &Model,
    operations: &[SymmetryOperation],
    forces: &[Vector3],
) -> Vec<Vector3> {
    let share = 1.0 / operations.len() as f64;
    let mut mean = vec![[0.0; 3]; forces.len()];
    for operation in operations {
        let Some(image) = image_of_atoms(model, operation) else {
            continue;
        };
        let rotation = operation.cartesian_rotation(&model.cell);
        for (&to, &force) in image.iter().zip(forces) {
            for (mean, row) in mean[to].iter_mut().zip(rotation) {
                *mean += share * dot(row, force);
            }
        }
    }
    mean
}

/// `N⁻¹ Σ_ops R T Rᵀ`
pub(crate) fn symmetrized_tensor(
    cell: &Cell,
    operations: &[SymmetryOperation],
    tensor: Matrix3,
) -> Matrix3 {
    let share = 1.0 / operations.len() as f64;
    let mut mean = [[0.0; 3]; 3];
    for operation in operations {
        let r = operation.cartesian_rotation(cell);
        for (a, row) in mean.iter_mut().enumerate() {
            for (b, mean) in row.iter_mut().enumerate() {
                for (c, tensor) in tensor.iter().enumerate() {
                    for (d, tensor) in tensor.iter().enumerate() {
                        *mean += share * r[a][c] * tensor * r[b][d];
                    }
                }
            }
        }
    }
    mean
}
