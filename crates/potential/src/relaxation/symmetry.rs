//! The space group of a crystal, kept while it relaxes: forces and stress are averaged over it.

use crystalgym_crystal::{Structure, point_group_rotations};

use crate::Prediction;

/// Positions that the group relates are this near, in Å: the group is of what is there, not of what
/// may have been meant.
const TOLERANCE_ANG: f64 = 1e-4;

/// The operations of the start.
#[derive(Debug)]
pub(super) struct Symmetry {
    operations: Vec<Operation>,
}

/// A rotation of fractional columns, and the site to which each goes.
#[derive(Debug)]
struct Operation {
    rotation: [[i32; 3]; 3],
    permutation: Vec<usize>,
}

impl Symmetry {
    /// The space group of a structure; none where it is not found.
    pub(super) fn of(structure: &Structure) -> Self {
        let kinds: Vec<i32> = structure
            .elements
            .iter()
            .map(|element| i32::from(element.atomic_number()))
            .collect();
        let found = point_group_rotations(
            &structure.lattice,
            &structure.frac_coords,
            &kinds,
            TOLERANCE_ANG,
        );
        let operations = found
            .unwrap_or_default()
            .iter()
            .flat_map(|rotation| operations_with(structure, rotation))
            .collect();
        Self { operations }
    }

    /// No operation but the identity.
    pub(super) fn none() -> Self {
        Self {
            operations: Vec::new(),
        }
    }

    /// Forces and stress averaged over the group.
    pub(super) fn applied(&self, structure: &Structure, mut prediction: Prediction) -> Prediction {
        if self.operations.len() < 2 {
            return prediction;
        }
        let share = 1.0 / self.operations.len() as f64;
        let mut forces = vec![[0.0; 3]; prediction.forces_ev_ang.len()];
        let mut stress = [[0.0; 3]; 3];
        for operation in &self.operations {
            let turn = cartesian(structure, &operation.rotation);
            for (site, force) in prediction.forces_ev_ang.iter().enumerate() {
                let image = &mut forces[operation.permutation[site]];
                for a in 0..3 {
                    image[a] += share * (0..3).map(|b| turn[a][b] * force[b]).sum::<f64>();
                }
            }
            for a in 0..3 {
                for b in 0..3 {
                    for c in 0..3 {
                        for d in 0..3 {
                            stress[a][b] +=
                                share * turn[a][c] * prediction.stress_gpa[c][d] * turn[b][d];
                        }
                    }
                }
            }
        }
        prediction.forces_ev_ang = forces;
        prediction.stress_gpa = stress;
        prediction
    }
}

/// All operations with a rotation W: the first site goes to some site of its element, which gives the
/// translation, and then so must all others.
fn operations_with(structure: &Structure, rotation: &[[i32; 3]; 3]) -> Vec<Operation> {
    let sites = &structure.frac_coords;
    let turned: Vec<[f64; 3]> = sites
        .iter()
        .map(|x| rotation.map(|row| (0..3).map(|k| f64::from(row[k]) * x[k]).sum()))
        .collect();
    let is_same = |x: [f64; 3], y: [f64; 3]| {
        let apart: [f64; 3] = std::array::from_fn(|k| {
            let difference = x[k] - y[k];
            difference - difference.round()
        });
        let apart = structure.lattice.to_cart(apart);
        apart.iter().map(|d| d * d).sum::<f64>() < 4.0 * TOLERANCE_ANG * TOLERANCE_ANG
    };
    let site_at = |x: [f64; 3], from: usize| {
        (0..sites.len()).find(|to| {
            structure.elements[*to] == structure.elements[from] && is_same(x, sites[*to])
        })
    };
    let images = (0..sites.len()).filter(|to| structure.elements[*to] == structure.elements[0]);
    images
        .filter_map(|to| {
            let shift: [f64; 3] = std::array::from_fn(|k| sites[to][k] - turned[0][k]);
            let permutation = turned
                .iter()
                .enumerate()
                .map(|(from, x)| site_at(std::array::from_fn(|k| x[k] + shift[k]), from))
                .collect::<Option<Vec<_>>>()?;
            Some(Operation {
                rotation: *rotation,
                permutation,
            })
        })
        .collect()
}

/// `R = Lᵀ W L⁻ᵀ`, the rotation W of fractional columns for Cartesian ones.
fn cartesian(structure: &Structure, rotation: &[[i32; 3]; 3]) -> [[f64; 3]; 3] {
    let rows = structure.lattice.vectors();
    let reciprocal = structure.lattice.reciprocal();
    std::array::from_fn(|a| {
        std::array::from_fn(|b| {
            let mut sum = 0.0;
            for k in 0..3 {
                for l in 0..3 {
                    sum += rows[k][a] * f64::from(rotation[k][l]) * reciprocal[l][b];
                }
            }
            sum
        })
    })
}
