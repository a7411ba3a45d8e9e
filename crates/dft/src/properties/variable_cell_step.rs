//! The first step of a variable-cell relaxation.

use crate::{
    DftError,
    cell::Cell,
    model::Model,
    vector::{Matrix3, Vector3, combine_rows, dot, norm},
};

/// Weight of the cell against the atoms in the metric of `pw.x`: with h the lattice vectors, the
/// length of a step of them is `√(0.04 Ω δhᵀ (hᵀh)⁻¹ δh)`, in Ry/bohr³ for steps in bohr.
const CELL_WEIGHT: f64 = 0.04;
/// Longest first step of `pw.x`, its `trust_radius_ini`, in bohr.
const TRUST_RADIUS_BOHR: f64 = 0.5;

/// A crystal that has moved: cell, and fractional positions of the atoms.
#[derive(Debug, Clone, PartialEq)]
pub struct MovedCrystal {
    /// The new cell.
    pub cell: Cell,
    /// The new fractional positions.
    pub frac: Vec<Vector3>,
    /// Whether the step reached the trust radius, so that forces and stress asked for more.
    pub is_limited: bool,
}

/// Where `vc-relax` of `pw.x` (BFGS, all degrees of freedom, no outer pressure) goes in its first
/// step.
///
/// The inverse Hessian is that of the metric, so in rydberg units atoms move by `δr = F` and the
/// cell by the strain `ε = −σ/0.04`. Lengths in this metric are |F| for an atom and
/// `0.2 √Ω |ε_·c|` for the Cartesian component c of the lattice vectors; if the longest is above
/// 0.5 bohr, the whole step shrinks to it. `forces` in hartree/bohr and `stress` in
/// hartree/bohr³ as [`forces`](crate::forces) and [`stress`](crate::stress) give them.
///
/// # Errors
/// [`DftError::InvalidCell`] if the strained vectors span no volume.
pub fn first_variable_cell_step(
    model: &Model,
    forces: &[Vector3],
    stress: &Matrix3,
) -> Result<MovedCrystal, DftError> {
    const RYDBERGS: f64 = 2.0;
    let cell = &model.cell;
    let strain = stress.map(|row| row.map(|x| -RYDBERGS * x / CELL_WEIGHT));
    let moves: Vec<Vector3> = forces.iter().map(|f| f.map(|x| RYDBERGS * x)).collect();
    // ε is symmetric: its rows are its columns.
    let cell_lengths = strain.map(|row| (CELL_WEIGHT * cell.volume()).sqrt() * norm(row));
    let longest = (moves.iter().map(|&step| norm(step)))
        .chain(cell_lengths)
        .fold(0.0, f64::max);
    let share = (TRUST_RADIUS_BOHR / longest).min(1.0);
    let reciprocal = cell.reciprocal();
    let frac = model.atoms.iter().zip(&moves).map(|(atom, &step)| {
        std::array::from_fn(|i| {
            atom.frac[i] + share * dot(reciprocal[i], step) / std::f64::consts::TAU
        })
    });
    let vectors = cell.vectors().map(|v| {
        let change = combine_rows(v, strain);
        std::array::from_fn(|axis| v[axis] + share * change[axis])
    });
    Ok(MovedCrystal {
        frac: frac.collect(),
        cell: Cell::new(vectors)?,
        is_limited: share < 1.0,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Atom, Occupations, xc::Functional};

    /// Oracle: `pw.x` 6.7 on two distorted silicon atoms (12 Ry, 2×2×2, Si.pz-vbc.UPF, printed
    /// forces and stress), and the closed form `ε = P/0.04` with its cap `2.5/√Ω` for a pressure
    /// alone.
    #[test]
    fn step_of_pw_x() {
        let bohr = crate::BOHR_ANG;
        let cell = [[0.1, 2.7, 2.7], [2.65, 0.0, 2.75], [2.7, 2.6, 0.05]];
        let model = Model {
            cell: Cell::new(cell.map(|v| v.map(|x| x / bohr))).unwrap(),
            species: Vec::new(),
            atoms: [[0.0; 3], [0.26, 0.24, 0.27]]
                .map(|frac| Atom { species: 0, frac })
                .to_vec(),
            functional: Functional::LdaPz,
            occupations: Occupations::Fixed,
        };
        let force = [0.030_516_23, 0.073_900_52, -0.003_016_54].map(|x| 0.5 * x);
        let forces = [force, force.map(|x| -x)];
        let (xx, yy, zz) = (0.000_884_76, 0.000_779_26, 0.000_648_99);
        let (xy, xz, yz) = (-0.000_048_67, -0.000_576_14, -0.000_262_33);
        let stress = [[xx, xy, xz], [xy, yy, yz], [xz, yz, zz]].map(|row| row.map(|x| -0.5 * x));
        let moved = first_variable_cell_step(&model, &forces, &stress).unwrap();
        let expected = [
            [0.060_037_344, 2.734_771_575, 2.724_659_390],
            [2.669_005_451, -0.021_259_283, 2.756_448_816],
            [2.755_837_339, 2.647_039_117, -0.005_129_428],
        ];
        for (found, expected) in moved.cell.vectors().into_iter().zip(expected) {
            for (found, expected) in found.into_iter().zip(expected) {
                assert!(
                    (found * bohr - expected).abs() < 3e-6,
                    "{} {expected}",
                    found * bohr
                );
            }
        }
        let expected = [
            [0.004_223_878_0, -0.004_921_267_4, 0.010_654_615_7],
            [0.255_776_122_0, 0.244_921_267_4, 0.259_345_384_3],
        ];
        for (found, expected) in moved.frac.iter().zip(expected) {
            for (found, expected) in found.iter().zip(expected) {
                assert!((found - expected).abs() < 1e-8, "{found} {expected}");
            }
        }

        let volume = model.cell.volume();
        let cap = 2.5 / volume.sqrt();
        for (pressure_ry, strain) in [(1e-3, 1e-3 / 0.04), (-1.0, -cap)] {
            let p = -0.5 * pressure_ry;
            let stress = [[p, 0.0, 0.0], [0.0, p, 0.0], [0.0, 0.0, p]];
            let moved = first_variable_cell_step(&model, &[[0.0; 3]; 2], &stress).unwrap();
            let expected = volume * (1.0 + strain).powi(3);
            assert_eq!(moved.is_limited, strain == -cap);
            assert!((moved.cell.volume() / expected - 1.0).abs() < 1e-12);
        }
    }
}
