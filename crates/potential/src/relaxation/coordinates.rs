//! The joint coordinates of positions and cell.

use crystalgym_crystal::{Lattice, Structure};

use super::options::Movable;
use crate::{PotentialError, Prediction};

/// 1 eV/Å³ in GPa.
const EV_PER_ANG3_GPA: f64 = 160.217_662_08;
/// Rows and columns of a symmetric matrix, in the order of its six coordinates.
const ENTRIES: [(usize, usize); 6] = [(0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1)];

type Matrix3 = [[f64; 3]; 3];

/// What the coordinates of a relaxation mean: positions `y` (Å) in the cell of the start, and the
/// deformation `F` of that cell, symmetric so that it does not turn, as `N (F − 1)` in Å.
///
/// Lattice rows are `L = L₀ F`, positions `y F`.
#[derive(Debug)]
pub(super) struct Coordinates {
    start: Structure,
    movable: Movable,
}

impl Coordinates {
    pub(super) fn new(start: &Structure, movable: Movable) -> Self {
        Self {
            start: start.clone(),
            movable,
        }
    }

    fn sites(&self) -> f64 {
        self.start.elements.len() as f64
    }

    /// The coordinates of the start.
    pub(super) fn start(&self) -> Vec<f64> {
        let positions = self
            .start
            .frac_coords
            .iter()
            .flat_map(|x| self.start.lattice.to_cart(*x));
        match self.movable {
            Movable::Positions => positions.collect(),
            Movable::PositionsAndCell => positions.chain([0.0; 6]).collect(),
            Movable::Volume => vec![0.0],
        }
    }

    /// Positions and deformation.
    fn parts<'a>(&self, x: &'a [f64]) -> (&'a [f64], Matrix3) {
        let mut deformation = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]];
        let (positions, cell) = match self.movable {
            Movable::Positions => (x, &[][..]),
            Movable::PositionsAndCell => x.split_at(x.len() - 6),
            Movable::Volume => {
                for (k, row) in deformation.iter_mut().enumerate() {
                    row[k] += x[0] / self.sites();
                }
                (&[][..], &[][..])
            }
        };
        for (value, (a, b)) in cell.iter().zip(ENTRIES) {
            let value = value / self.sites();
            deformation[a][b] += value;
            if a != b {
                deformation[b][a] += value;
            }
        }
        (positions, deformation)
    }

    /// The structure at some coordinates.
    pub(super) fn structure(&self, x: &[f64]) -> Result<Structure, PotentialError> {
        let (positions, deformation) = self.parts(x);
        let rows = multiply(self.start.lattice.vectors(), deformation);
        let mut frac_coords = self.start.frac_coords.clone();
        for (frac, y) in frac_coords.iter_mut().zip(positions.as_chunks::<3>().0) {
            *frac = self.start.lattice.to_frac(*y);
        }
        let lattice = Lattice::new(rows)?;
        Ok(Structure::new(
            lattice,
            self.start.elements.clone(),
            frac_coords,
        )?)
    }

    /// Gradient of the energy: `∂E/∂y = −f Fᵀ` and the symmetric part of `∂E/∂F = F⁻ᵀ V S`.
    pub(super) fn gradient(
        &self,
        x: &[f64],
        structure: &Structure,
        prediction: &Prediction,
    ) -> Vec<f64> {
        let (_, deformation) = self.parts(x);
        let by_position = prediction.forces_ev_ang.iter().flat_map(|force| {
            let row: [f64; 3] =
                std::array::from_fn(|a| -(0..3).map(|b| force[b] * deformation[a][b]).sum::<f64>());
            row
        });
        if self.movable == Movable::Positions {
            return by_position.collect();
        }
        let volume = structure.lattice.volume();
        let virial = prediction
            .stress_gpa
            .map(|row| row.map(|s| s * volume / EV_PER_ANG3_GPA));
        // The inverse of a symmetric matrix is symmetric.
        let by_cell = multiply(inverse(deformation), virial);
        if self.movable == Movable::Volume {
            return vec![(by_cell[0][0] + by_cell[1][1] + by_cell[2][2]) / self.sites()];
        }
        let by_cell = ENTRIES.map(|(a, b)| match a == b {
            true => by_cell[a][a] / self.sites(),
            false => (by_cell[a][b] + by_cell[b][a]) / self.sites(),
        });
        by_position.chain(by_cell).collect()
    }

    /// Scales a step so that no atom moves further than `longest`, nor any coordinate of the cell.
    pub(super) fn shorten(&self, step: &mut [f64], longest: f64) {
        let positions = match self.movable {
            Movable::Volume => 0,
            _ => 3 * self.start.elements.len(),
        };
        let of_atoms = step[..positions].as_chunks::<3>().0.iter();
        let largest = of_atoms
            .map(|[x, y, z]| (x * x + y * y + z * z).sqrt())
            .chain(step[positions..].iter().map(|x| x.abs()))
            .fold(0.0, f64::max);
        if largest > longest {
            for x in step {
                *x *= longest / largest;
            }
        }
    }
}

fn multiply(a: Matrix3, b: Matrix3) -> Matrix3 {
    a.map(|row| std::array::from_fn(|k| (0..3).map(|l| row[l] * b[l][k]).sum()))
}

fn inverse(m: Matrix3) -> Matrix3 {
    let cofactor = |r: usize, c: usize| {
        let (r1, r2, c1, c2) = ((r + 1) % 3, (r + 2) % 3, (c + 1) % 3, (c + 2) % 3);
        m[r1][c1] * m[r2][c2] - m[r1][c2] * m[r2][c1]
    };
    let determinant: f64 = (0..3).map(|c| m[0][c] * cofactor(0, c)).sum();
    std::array::from_fn(|r| std::array::from_fn(|c| cofactor(c, r) / determinant))
}
