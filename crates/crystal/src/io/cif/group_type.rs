//! The space-group type of a list of operations.

use super::operation::Operation;
use crate::{
    Lattice, SYMMETRY_TOLERANCE_ANG,
    matrix::{Matrix3, add, multiply, scale, transpose},
    space_group,
};

/// Operations of the largest supercell that is searched: two cells of the largest setting.
const MOST_OPERATIONS: usize = 2 * 192;

/// The number of the space group of operations, in whatever setting: that of a crystal with two
/// kinds of sites in general positions.
pub(super) fn type_number(operations: &[Operation]) -> Option<u16> {
    if operations.len() > MOST_OPERATIONS {
        return None;
    }
    let lattice = invariant_lattice(operations)?;
    // Two orbits of unlike sites have no symmetry in common but that of the operations.
    let points = [[0.1367, 0.2719, 0.3541], [0.4127, 0.0713, 0.2239]];
    let mut frac_coords = Vec::new();
    let mut kinds = Vec::new();
    for (kind, point) in points.into_iter().enumerate() {
        for operation in operations {
            frac_coords.push(operation.apply(point));
            kinds.push(kind as i32);
        }
    }
    let found = space_group(&lattice, &frac_coords, &kinds, SYMMETRY_TOLERANCE_ANG);
    found.ok().map(|(number, _)| number)
}

/// A cell with no more symmetry than the rotations ask for: the mean of a triclinic metric.
fn invariant_lattice(operations: &[Operation]) -> Option<Lattice> {
    const TRICLINIC: Matrix3 = [[81.0, 7.0, 5.0], [7.0, 121.0, 11.0], [5.0, 11.0, 177.0]];
    let mut metric = [[0.0; 3]; 3];
    for operation in operations {
        let rotation = operation.matrix();
        let turned = multiply(transpose(rotation), multiply(TRICLINIC, rotation));
        metric = std::array::from_fn(|i| {
            add(metric[i], scale(turned[i], 1.0 / operations.len() as f64))
        });
    }
    let lengths: [f64; 3] = std::array::from_fn(|i| metric[i][i].sqrt());
    let angle = |i: usize, j: usize| {
        (metric[i][j] / (lengths[i] * lengths[j]))
            .acos()
            .to_degrees()
    };
    Lattice::from_parameters(lengths, [angle(1, 2), angle(0, 2), angle(0, 1)]).ok()
}
