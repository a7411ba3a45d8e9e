//! Space-group operations of a crystal, found from its lattice and atoms.

use std::f64::consts::TAU;

use crate::{
    DftError,
    cancellation::Cancellation,
    cell::Cell,
    model::{Atom, Model},
    vector::{Matrix3, Vector3, combine_rows, subtract},
};

/// `x → W x + t` in fractional coordinates, leaving the crystal as it is.
#[derive(Debug, Clone, PartialEq)]
pub struct SymmetryOperation {
    /// W: acts on a column of fractional coordinates.
    pub rotation: [[i32; 3]; 3],
    /// t, fractional.
    pub translation: Vector3,
}

impl SymmetryOperation {
    /// The operation that moves nothing.
    pub fn identity() -> Self {
        Self {
            rotation: [[1, 0, 0], [0, 1, 0], [0, 0, 1]],
            translation: [0.0; 3],
        }
    }

    /// Whether this is `x → −x`, about the origin.
    pub(crate) fn is_inversion(&self) -> bool {
        self.rotation == [[-1, 0, 0], [0, -1, 0], [0, 0, -1]] && self.translation == [0.0; 3]
    }

    fn rotate(&self, x: Vector3) -> Vector3 {
        self.rotation
            .map(|row| (0..3).map(|j| f64::from(row[j]) * x[j]).sum())
    }

    /// The rotation R of Cartesian columns, `R = Aᵀ W A⁻ᵀ` with the lattice vectors as rows of A.
    pub(crate) fn cartesian_rotation(&self, cell: &Cell) -> Matrix3 {
        // The columns of A⁻¹ are the reciprocal vectors over 2π: W A⁻ᵀ turns lengths along the
        // Cartesian axes into fractions, and the rows of A turn these back.
        let reciprocal = cell.reciprocal();
        let turned = self.rotation.map(|row| {
            let row = row.map(f64::from);
            combine_rows(row, reciprocal).map(|x| x / TAU)
        });
        let a = cell.vectors();
        std::array::from_fn(|x| combine_rows([a[0][x], a[1][x], a[2][x]], turned))
    }

    /// `Wᵀ m`, the Miller indices whose plane wave the operation turns into that of `m`.
    pub(crate) fn transposed_rotation(&self, m: [i32; 3]) -> [i32; 3] {
        std::array::from_fn(|j| (0..3).map(|i| self.rotation[i][j] * m[i]).sum())
    }

    /// `Wᵀ k` for a wave vector in reciprocal units.
    pub(crate) fn rotate_wave_vector(&self, k: Vector3) -> Vector3 {
        std::array::from_fn(|j| (0..3).map(|i| f64::from(self.rotation[i][j]) * k[i]).sum())
    }
}

/// Distance in bohr within which two positions are the same.
const POSITION_TOLERANCE_BOHR: f64 = 1e-4;
/// Relative tolerance of lengths and angles of the lattice.
const METRIC_TOLERANCE: f64 = 1e-6;

/// All operations of the crystal's space group within one cell, the identity first; where the
/// cell is not primitive its inner translations are among them.
pub fn space_group_operations(model: &Model) -> Vec<SymmetryOperation> {
    space_group_operations_unless(Cancellation::NEVER, model).unwrap_or_default()
}

/// As [`space_group_operations`], unless it is cancelled.
pub(crate) fn space_group_operations_unless(
    cancellation: Cancellation<'_>,
    model: &Model,
) -> Result<Vec<SymmetryOperation>, DftError> {
    let mut operations = Vec::new();
    for rotation in lattice_rotations(model) {
        let turn = SymmetryOperation {
            rotation,
            translation: [0.0; 3],
        };
        for translation in candidate_translations(model, &turn) {
            cancellation.check()?;
            let operation = SymmetryOperation {
                translation,
                ..turn.clone()
            };
            if maps_crystal_onto_itself(model, &operation) {
                operations.push(operation);
            }
        }
    }
    let identity = SymmetryOperation::identity();
    operations.sort_by_key(|operation| *operation != identity);
    Ok(operations)
}

/// Integer matrices W with `Wᵀ g W = g`, g the metric: the point group of the lattice.
fn lattice_rotations(model: &Model) -> Vec<[[i32; 3]; 3]> {
    let metric = model.cell.metric();
    let product = |u: [i32; 3], v: [i32; 3]| -> f64 {
        let mut sum = 0.0;
        for i in 0..3 {
            for j in 0..3 {
                sum += f64::from(u[i] * v[j]) * metric[i][j];
            }
        }
        sum
    };
    let scale = metric[0][0].max(metric[1][1]).max(metric[2][2]);
    let same = |a: f64, b: f64| (a - b).abs() < METRIC_TOLERANCE * scale;

    // Images of the three lattice vectors: lattice vectors of the same lengths and angles.
    const REACH: i32 = 3;
    let mut images: [Vec<[i32; 3]>; 3] = Default::default();
    for i in -REACH..=REACH {
        for j in -REACH..=REACH {
            for k in -REACH..=REACH {
                let n = [i, j, k];
                let length2 = product(n, n);
                for axis in 0..3 {
                    if same(length2, metric[axis][axis]) {
                        images[axis].push(n);
                    }
                }
            }
        }
    }
    let mut rotations = Vec::new();
    for &a in &images[0] {
        for &b in images[1]
            .iter()
            .filter(|&&b| same(product(a, b), metric[0][1]))
        {
            for &c in &images[2] {
                if same(product(a, c), metric[0][2]) && same(product(b, c), metric[1][2]) {
                    rotations.push(std::array::from_fn(|row| [a[row], b[row], c[row]]));
                }
            }
        }
    }
    rotations
}

/// The translations that take the first atom of the rarest species, turned, to one of its kind.
fn candidate_translations(model: &Model, turn: &SymmetryOperation) -> Vec<Vector3> {
    let count = |species: usize| {
        let same = model.atoms.iter().filter(|atom| atom.species == species);
        same.count()
    };
    let Some(rarest) = (0..model.species.len())
        .filter(|&species| count(species) > 0)
        .min_by_key(|&species| count(species))
    else {
        return vec![[0.0; 3]];
    };
    let mut of_species = model.atoms.iter().filter(|atom| atom.species == rarest);
    let Some(first) = of_species.clone().next() else {
        return Vec::new();
    };
    let turned = turn.rotate(first.frac);
    of_species
        .by_ref()
        .map(|atom| subtract(atom.frac, turned).map(|x| snap(x - x.round())))
        .collect()
}

/// The nearest twenty-fourth if it is within rounding of one: translations of space groups in the
/// settings in use are such fractions, and exact ones keep phases exact.
fn snap(x: f64) -> f64 {
    let nearest = (x * 24.0).round() / 24.0;
    if (x - nearest).abs() < 1e-7 {
        nearest
    } else {
        x
    }
}

fn maps_crystal_onto_itself(model: &Model, operation: &SymmetryOperation) -> bool {
    image_of_atoms(model, operation).is_some()
}

/// The atom that each atom is moved to; `None` if one is moved to where none of its kind is.
pub(crate) fn image_of_atoms(model: &Model, operation: &SymmetryOperation) -> Option<Vec<usize>> {
    let limit2 = POSITION_TOLERANCE_BOHR * POSITION_TOLERANCE_BOHR;
    let image_of = |atom: &Atom| {
        let turned = operation.rotate(atom.frac);
        let moved: Vector3 = std::array::from_fn(|i| turned[i] + operation.translation[i]);
        model.atoms.iter().position(|other| {
            let apart = subtract(other.frac, moved).map(|x| x - x.round());
            let cart = model.cell.to_cart(apart);
            other.species == atom.species && cart.iter().map(|x| x * x).sum::<f64>() < limit2
        })
    };
    model.atoms.iter().map(image_of).collect()
}
