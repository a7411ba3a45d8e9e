//! The Niggli reduction of a lattice.

use std::collections::HashSet;

use crate::{
    CrystalError, Lattice,
    matrix::{IDENTITY, Matrix3, multiply, transpose},
};

/// Relative tolerance of the comparisons, times V^(1/3), as pymatgen's default.
const TOLERANCE: f64 = 1e-5;
/// Below this tolerance only rounding is left, and a cell that comes back is as reduced as it gets.
const LEAST_TOLERANCE: f64 = 1e-14;
/// Steps after which a cell counts as unreducible; ordinary cells need fewer than ten.
const MAX_STEPS: usize = 10_000;

/// The Niggli-reduced lattice and the integer matrix `T` with `reduced = Tᵀ · lattice` (rows).
///
/// Algorithm of Grosse-Kunstleve, Sauter and Adams, Acta Cryst. A60, 1 (2004), with pymatgen's
/// tolerance 1e-5 V^(1/3), applied to the metric tensor; a cell that is reduced already comes back
/// as it is.
///
/// Comparisons with a tolerance are not transitive: where several are met just so, the steps can
/// go round in a circle of cells that are all alike within it. From the cell that comes back the
/// search goes on with a tenth of the tolerance; without one the algorithm ends (Křivý and Gruber,
/// Acta Cryst. A32, 297 (1976)).
///
/// # Errors
/// [`CrystalError::InvalidLattice`] if the steps do not end (a lattice without volume).
pub fn niggli_reduce(lattice: &Lattice) -> Result<(Lattice, [[i32; 3]; 3]), CrystalError> {
    let length = lattice.volume().cbrt();
    let mut tolerance = TOLERANCE;
    let mut total = IDENTITY;
    let mut seen = HashSet::new();
    for _ in 0..MAX_STEPS {
        // From the vectors each time: updated step by step, the metric gathers rounding.
        let vectors = multiply(transpose(total), lattice.vectors());
        let metric = multiply(vectors, transpose(vectors));
        let whole = total.map(|row| row.map(|x| x.round() as i32));
        let came_back = !seen.insert(whole);
        let exhausted = came_back && tolerance < LEAST_TOLERANCE;
        let Some(step) = next_step(metric, tolerance * length).filter(|_| !exhausted) else {
            return Ok((Lattice::new(vectors)?, whole));
        };
        if came_back {
            tolerance /= 10.0;
            seen.clear();
        } else {
            total = multiply(total, step);
        }
    }
    Err(CrystalError::InvalidLattice(format!(
        "no Niggli cell found in {MAX_STEPS} steps for vectors {:?}",
        lattice.vectors()
    )))
}

/// The first transformation that the metric still needs, `None` if it is reduced.
fn next_step(metric: Matrix3, e: f64) -> Option<Matrix3> {
    let (a, b, c) = (metric[0][0], metric[1][1], metric[2][2]);
    let (xi, eta, zeta) = (2.0 * metric[1][2], 2.0 * metric[0][2], 2.0 * metric[0][1]);
    let same = |x: f64, y: f64| (x - y).abs() < e;
    // How often the shorter vector is taken off the longer one at once.
    let times = |product: f64, square: f64| {
        let nearest = (product / (2.0 * square)).round();
        if nearest == 0.0 {
            product.signum()
        } else {
            nearest
        }
    };

    // N1, N2: order the lengths.
    if b + e < a || (same(a, b) && xi.abs() > eta.abs() + e) {
        return Some([[0.0, -1.0, 0.0], [-1.0, 0.0, 0.0], [0.0, 0.0, -1.0]]);
    }
    if c + e < b || (same(b, c) && eta.abs() > zeta.abs() + e) {
        return Some([[-1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, -1.0, 0.0]]);
    }
    // N3, N4: make the angles all acute or all not.
    if let Some(signs) = sign_change([xi, eta, zeta], e) {
        let [i, j, k] = signs;
        return Some([[i, 0.0, 0.0], [0.0, j, 0.0], [0.0, 0.0, k]]);
    }
    // N5 to N8: shorten the diagonals.
    if xi.abs() > b + e || (same(xi, b) && zeta - e > 2.0 * eta) || (same(xi, -b) && -e > zeta) {
        let times = times(xi, b);
        return Some([[1.0, 0.0, 0.0], [0.0, 1.0, -times], [0.0, 0.0, 1.0]]);
    }
    if eta.abs() > a + e || (same(eta, a) && zeta - e > 2.0 * xi) || (same(eta, -a) && -e > zeta) {
        let times = times(eta, a);
        return Some([[1.0, 0.0, -times], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]);
    }
    if zeta.abs() > a + e || (same(zeta, a) && eta - e > 2.0 * xi) || (same(zeta, -a) && -e > eta) {
        let times = times(zeta, a);
        return Some([[1.0, -times, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]);
    }
    let sum = xi + eta + zeta + a + b;
    if -e > sum || (sum.abs() < e && e < zeta + 2.0 * (a + eta)) {
        return Some([[1.0, 0.0, 1.0], [0.0, 1.0, 1.0], [0.0, 0.0, 1.0]]);
    }
    None
}

/// The diagonal of N3 (all products positive) or N4 (none positive), `None` if nothing changes.
fn sign_change(products: [f64; 3], e: f64) -> Option<[f64; 3]> {
    let signs = products.map(|x| {
        if x > e {
            1
        } else if x < -e {
            -1
        } else {
            0
        }
    });
    let positive = signs.iter().product::<i32>() == 1;
    let mut diagonal = signs.map(|sign| {
        let flip = if positive { sign == -1 } else { sign == 1 };
        if flip { -1.0 } else { 1.0 }
    });
    if !positive && diagonal.iter().product::<f64>() < 0.0 {
        // An angle of 90° may take the odd sign; the algorithm asks for the last such one.
        let free = (0..3).rev().find(|&axis| signs[axis] == 0).unwrap_or(0);
        diagonal[free] = -1.0;
    }
    (diagonal != [1.0; 3]).then_some(diagonal)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn reduced_parameters(lengths: [f64; 3], angles: [f64; 3]) -> ([f64; 3], [f64; 3]) {
        let lattice = Lattice::from_parameters(lengths, angles).unwrap();
        let (reduced, _) = niggli_reduce(&lattice).unwrap();
        (reduced.lengths(), reduced.angles())
    }

    fn assert_close(found: [f64; 3], expected: [f64; 3], tolerance: f64) {
        for (x, y) in found.iter().zip(expected) {
            assert!((x - y).abs() < tolerance, "{found:?} is not {expected:?}");
        }
    }

    /// Oracle: pymatgen's get_niggli_reduced_lattice on the same parameters.
    #[test]
    fn known_cells() {
        let (lengths, angles) = reduced_parameters([4.0; 3], [60.0, 60.0, 90.0]);
        assert_close(lengths, [4.0; 3], 1e-9);
        assert_close(angles, [60.0; 3], 1e-9);
        let (lengths, angles) = reduced_parameters([5.0; 3], [50.0; 3]);
        assert_close(lengths, [4.2262, 4.2262, 5.0], 5e-5);
        assert_close(angles, [65.0, 65.0, 60.0], 5e-5);
        let (lengths, angles) = reduced_parameters([3.1, 4.2, 5.3], [75.0, 82.0, 66.0]);
        assert_close(lengths, [3.1, 4.0815, 5.3], 5e-5);
        assert_close(angles, [99.2434, 98.0, 109.9366], 5e-5);
        let skewed = Lattice::new([[4.0, 0.0, 0.0], [12.0, 4.0, 0.0], [8.0, -4.0, 4.0]]).unwrap();
        let (reduced, _) = niggli_reduce(&skewed).unwrap();
        assert_close(reduced.lengths(), [4.0; 3], 1e-9);
        assert_close(reduced.angles(), [90.0; 3], 1e-9);
    }

    #[test]
    fn reduced_benchmark_cells_stay_as_they_are() {
        for (length, angle) in [
            (4.2748, 90.0),
            (5.16929871, 109.47122063),
            (4.22388963, 60.0),
        ] {
            let lattice = Lattice::from_parameters([length; 3], [angle; 3]).unwrap();
            let (reduced, transformation) = niggli_reduce(&lattice).unwrap();
            assert_eq!(transformation, [[1, 0, 0], [0, 1, 0], [0, 0, 1]]);
            assert_eq!(reduced, lattice);
        }
    }

    proptest! {
        /// Identities: the volume stays, the result needs no further step and spans the same
        /// lattice.
        #[test]
        fn reduction_is_idempotent_and_keeps_the_lattice(
            lengths in prop::array::uniform3(2.0..9.0f64),
            angles in prop::array::uniform3(50.0..110.0f64),
            shear in prop::array::uniform3(-3i32..=3),
        ) {
            let Ok(base) = Lattice::from_parameters(lengths, angles) else { return Ok(()) };
            prop_assume!(base.volume() > 0.2 * lengths.iter().product::<f64>());
            let [s, t, u] = shear.map(f64::from);
            let lattice =
                Lattice::new(multiply([[1.0, s, t], [0.0, 1.0, u], [0.0, 0.0, 1.0]], base.vectors()))
                    .unwrap();
            let (reduced, transformation) = niggli_reduce(&lattice).unwrap();
            prop_assert!((reduced.volume() / lattice.volume() - 1.0).abs() < 1e-9);
            let determinant = crate::matrix::determinant(transformation.map(|r| r.map(f64::from)));
            prop_assert_eq!(determinant.abs(), 1.0);
            prop_assert_eq!(niggli_reduce(&reduced).unwrap().0, reduced);
            let (other, _) = niggli_reduce(&base).unwrap();
            for (x, y) in reduced.lengths().iter().zip(other.lengths()) {
                prop_assert!((x - y).abs() < 1e-4 * y, "{:?} {:?}", reduced.lengths(), other.lengths());
            }
        }
    }
}
