//! Integrals over the Brillouin zone by linear tetrahedra.

use crate::{
    basis::{KMesh, ReducedMesh},
    cell::Cell,
    vector::{combine_rows, norm},
};

/// The tetrahedra that a mesh divides the Brillouin zone into, six for each of its points, around the
/// shortest diagonal of the parallelepipeds between points.
///
/// Within each a band is the linear function of its values at the corners: G. Lehmann and M. Taut, Phys.
/// Status Solidi B 54, 469 (1972); P. E. Blöchl, O. Jepsen and O. K. Andersen, Phys. Rev. B 49, 16223
/// (1994).
#[derive(Debug, Clone)]
pub(super) struct Tetrahedra {
    /// Indices of irreducible k-points.
    corners: Vec<[u32; 4]>,
}

/// Ways from a corner of a parallelepiped to the opposite one along its edges, in the order in which the
/// axes come.
const WAYS: [[usize; 3]; 6] = [
    [0, 1, 2],
    [0, 2, 1],
    [1, 0, 2],
    [1, 2, 0],
    [2, 0, 1],
    [2, 1, 0],
];

impl Tetrahedra {
    pub(super) fn new(cell: &Cell, mesh: KMesh, reduced: &ReducedMesh) -> Self {
        let sides = mesh.divisions.map(|n| n as usize);
        let start = shortest_diagonal(cell, mesh);
        let mut corners = Vec::with_capacity(WAYS.len() * reduced.representatives.len());
        for i in 0..sides[0] {
            for j in 0..sides[1] {
                for k in 0..sides[2] {
                    let at = |corner: [usize; 3]| {
                        let [a, b, c]: [usize; 3] = std::array::from_fn(|axis| {
                            ([i, j, k][axis] + corner[axis]) % sides[axis]
                        });
                        reduced.representatives[(a * sides[1] + b) * sides[2] + c]
                    };
                    corners.extend(WAYS.map(|way| {
                        let mut corner = start;
                        std::array::from_fn(|step| {
                            if let Some(axis) = step.checked_sub(1).map(|before| way[before]) {
                                corner[axis] = 1 - corner[axis];
                            }
                            at(corner)
                        })
                    }));
                }
            }
        }
        Self { corners }
    }

    /// States of one spin in the cell below an energy.
    pub(super) fn states_below(&self, energies: &[Vec<f64>], energy: f64) -> f64 {
        let mut states = 0.0;
        self.visit(energies, |corners| states += below(corners, energy));
        states / self.corners.len() as f64
    }

    /// Adds to each place of two lists the density of states (one spin, per unit of energy and cell) and
    /// the states below, at these energies, which ascend.
    pub(super) fn add_states(
        &self,
        energies: &[Vec<f64>],
        at: &[f64],
        density: &mut [f64],
        states: &mut [f64],
    ) {
        let share = 1.0 / self.corners.len() as f64;
        self.visit(energies, |corners| {
            let first = at.partition_point(|&energy| energy < corners[0]);
            let last = at.partition_point(|&energy| energy < corners[3]);
            for place in first..last {
                density[place] += share * slope(corners, at[place]);
                states[place] += share * below(corners, at[place]);
            }
            for states in &mut states[last..] {
                *states += share;
            }
        });
    }

    /// Each tetrahedron's energies of each band, in ascending order.
    fn visit(&self, energies: &[Vec<f64>], mut visit: impl FnMut([f64; 4])) {
        for corners in &self.corners {
            let [a, b, c, d] = corners.map(|corner| energies[corner as usize].iter());
            for (((a, b), c), d) in a.zip(b).zip(c).zip(d) {
                let mut values = [*a, *b, *c, *d];
                values.sort_unstable_by(f64::total_cmp);
                visit(values);
            }
        }
    }
}

/// Where the shortest of the four diagonals of the parallelepiped between neighbouring points begins.
fn shortest_diagonal(cell: &Cell, mesh: KMesh) -> [usize; 3] {
    let starts = [[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]];
    let length = |start: &[usize; 3]| {
        let step = std::array::from_fn(|axis| {
            (1.0 - 2.0 * start[axis] as f64) / f64::from(mesh.divisions[axis])
        });
        norm(combine_rows(step, cell.reciprocal()))
    };
    let mut shortest = starts[0];
    for start in starts {
        // Of diagonals that are alike to rounding the first.
        if length(&start) < length(&shortest) * (1.0 - 1e-9) {
            shortest = start;
        }
    }
    shortest
}

/// The part of a tetrahedron whose energy is below `e`.
fn below([e1, e2, e3, e4]: [f64; 4], e: f64) -> f64 {
    if e < e1 {
        0.0
    } else if e < e2 {
        (e - e1).powi(3) / ((e2 - e1) * (e3 - e1) * (e4 - e1))
    } else if e < e3 {
        let x = e - e2;
        let cubic = (e3 - e1 + e4 - e2) / ((e3 - e2) * (e4 - e2));
        ((e2 - e1).powi(2) + 3.0 * (e2 - e1) * x + 3.0 * x * x - cubic * x.powi(3))
            / ((e3 - e1) * (e4 - e1))
    } else if e < e4 {
        1.0 - (e4 - e).powi(3) / ((e4 - e1) * (e4 - e2) * (e4 - e3))
    } else {
        1.0
    }
}

/// Its derivative by `e`.
fn slope([e1, e2, e3, e4]: [f64; 4], e: f64) -> f64 {
    if e < e1 || e >= e4 {
        0.0
    } else if e < e2 {
        3.0 * (e - e1).powi(2) / ((e2 - e1) * (e3 - e1) * (e4 - e1))
    } else if e < e3 {
        let x = e - e2;
        let cubic = (e3 - e1 + e4 - e2) / ((e3 - e2) * (e4 - e2));
        (3.0 * (e2 - e1) + 6.0 * x - 3.0 * cubic * x * x) / ((e3 - e1) * (e4 - e1))
    } else {
        3.0 * (e4 - e).powi(2) / ((e4 - e1) * (e4 - e2) * (e4 - e3))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Cancellation, SymmetryOperation};

    /// Oracle: the volume of a tetrahedron below a plane by counting the points of a fine lattice.
    #[test]
    fn the_part_below_is_the_volume_below() {
        const STEPS: usize = 60;
        for corners in [
            [0.0, 0.3, 0.7, 1.0],
            [0.0, 0.0, 0.5, 0.5],
            [-1.0, -1.0, -1.0, 2.0],
        ] {
            for e in [-0.5, 0.1, 0.31, 0.6, 0.9, 1.7] {
                let (mut inside, mut all) = (0.0, 0.0);
                for i in 0..STEPS {
                    for j in 0..STEPS - i {
                        for k in 0..STEPS - i - j {
                            let x = [i, j, k].map(|n| (n as f64 + 0.25) / STEPS as f64);
                            let first = 1.0 - x.iter().sum::<f64>();
                            let value = corners[0] * first
                                + (0..3).map(|c| corners[c + 1] * x[c]).sum::<f64>();
                            all += 1.0;
                            inside += f64::from(value < e);
                        }
                    }
                }
                let found = below(corners, e);
                assert!(
                    (found - inside / all).abs() < 0.03,
                    "{corners:?} {e}: {found}"
                );
                let h = 1e-6;
                let slope_there = (below(corners, e + h) - below(corners, e - h)) / (2.0 * h);
                assert!((slope(corners, e) - slope_there).abs() < 1e-5);
            }
        }
    }

    /// Oracle: free electrons, whose density of states is `V √(2ε) / 2π²` a spin.
    #[test]
    fn free_electrons() {
        let cell = Cell::new([[0.0, 5.0, 5.0], [5.0, 0.0, 5.0], [5.0, 5.0, 0.0]]).unwrap();
        let mesh = KMesh::gamma_centred([24; 3]);
        let identity = [SymmetryOperation::identity()];
        let reduced = ReducedMesh::new(Cancellation::NEVER, mesh, &identity).unwrap();
        let tetrahedra = Tetrahedra::new(&cell, mesh, &reduced);
        let energies: Vec<Vec<f64>> = (reduced.k_points.iter())
            .map(|k| {
                let shifts = || (-2..=2).map(f64::from);
                let mut levels: Vec<f64> = shifts()
                    .flat_map(|x| shifts().flat_map(move |y| shifts().map(move |z| [x, y, z])))
                    .map(|g| {
                        let q = cell.wave_vector(std::array::from_fn(|i| k.frac[i] + g[i]));
                        0.5 * q.iter().map(|q| q * q).sum::<f64>()
                    })
                    .collect();
                levels.sort_unstable_by(f64::total_cmp);
                levels.truncate(12);
                levels
            })
            .collect();
        let at = [0.1, 0.2, 0.3, 0.4];
        let (mut density, mut states) = ([0.0; 4], [0.0; 4]);
        tetrahedra.add_states(&energies, &at, &mut density, &mut states);
        for (place, e) in at.into_iter().enumerate() {
            let pi2 = std::f64::consts::PI.powi(2);
            let exact = cell.volume() * (2.0 * e).sqrt() / (2.0 * pi2);
            let exact_states = cell.volume() * (2.0 * e).powf(1.5) / (6.0 * pi2);
            assert!(
                (density[place] / exact - 1.0).abs() < 0.03,
                "{e} {density:?} {exact}"
            );
            assert!((states[place] / exact_states - 1.0).abs() < 0.02, "{e}");
            let direct = tetrahedra.states_below(&energies, e);
            // The same sum in another order of adding and dividing: n additions round by n ε at most.
            let additions = (12 * tetrahedra.corners.len()) as f64;
            let rounding = additions * f64::EPSILON * states[place];
            assert!(
                (direct - states[place]).abs() < rounding,
                "{e} {direct} {states:?}"
            );
        }
    }
}
