//! The two graphs of CHGNet: atoms joined by bonds, and short bonds joined by angles.

use crystalgym_crystal::Structure;

use crate::{
    PotentialError,
    neighbours::{Pair, pairs_within},
};

/// Bonds of the atom graph are up to this long, in Å.
pub(crate) const ATOM_CUTOFF_ANG: f64 = 6.0;
/// Bonds of the bond graph are shorter than this, in Å.
pub(crate) const BOND_CUTOFF_ANG: f64 = 3.0;
/// Most bonds and most angles: some gigabytes with what the reverse pass needs.
const MOST_ROWS: usize = 1 << 20;

/// Atoms, bonds and angles of a structure by number.
#[derive(Debug, Default)]
pub(super) struct Graph {
    pub(super) atoms: usize,
    /// Every bond once, the short ones first.
    pub(super) bonds: Vec<Pair>,
    /// How many bonds belong to the bond graph.
    pub(super) short_bonds: usize,
    /// Centre, neighbour and bond of each directed bond; both directions of every bond, those of a
    /// centre together, short ones first.
    pub(super) centres: Vec<u32>,
    pub(super) neighbours: Vec<u32>,
    pub(super) directed_bonds: Vec<u32>,
    /// Angles between two short bonds at one atom, each once.
    pub(super) angles: Vec<Angle>,
    /// First bond, second bond, centre and angle of each row of the bond graph: both orders of
    /// every angle.
    pub(super) row_firsts: Vec<u32>,
    pub(super) row_seconds: Vec<u32>,
    pub(super) row_centres: Vec<u32>,
    pub(super) row_angles: Vec<u32>,
}

/// Two bonds at one atom.
#[derive(Debug, Clone, Copy)]
pub(super) struct Angle {
    pub(super) first: DirectedBond,
    pub(super) second: DirectedBond,
    pub(super) cosine: f64,
}

/// A bond as seen from one end.
#[derive(Debug, Clone, Copy)]
pub(super) struct DirectedBond {
    pub(super) bond: u32,
    /// 1 from the bond's first site, −1 from its second.
    pub(super) sign: f64,
}

impl DirectedBond {
    /// From the neighbour to the centre, of length 1.
    pub(super) fn direction(&self, bonds: &[Pair]) -> [f64; 3] {
        let pair = &bonds[self.bond as usize];
        pair.vector.map(|x| self.sign * x / pair.length)
    }
}

impl Graph {
    /// The graphs of a structure.
    ///
    /// # Errors
    /// [`PotentialError::IsolatedAtom`] and [`PotentialError::TooLarge`].
    pub(super) fn new(structure: &Structure, potential: &str) -> Result<Self, PotentialError> {
        let atoms = structure.elements.len();
        let mut bonds = pairs_within(structure, ATOM_CUTOFF_ANG, MOST_ROWS / 2)?;
        // Stable, so that the order is that of the sites otherwise.
        bonds.sort_by_key(|pair| pair.length >= BOND_CUTOFF_ANG);
        let short_bonds = bonds.partition_point(|pair| pair.length < BOND_CUTOFF_ANG);

        let mut directed: Vec<Vec<(u32, DirectedBond)>> = vec![Vec::new(); atoms];
        for (bond, pair) in bonds.iter().enumerate() {
            let bond = bond as u32;
            let end = |sign| DirectedBond { bond, sign };
            directed[pair.first as usize].push((pair.second, end(1.0)));
            directed[pair.second as usize].push((pair.first, end(-1.0)));
        }
        if let Some(site) = directed.iter().position(Vec::is_empty) {
            return Err(PotentialError::IsolatedAtom {
                potential: potential.to_owned(),
                element: structure.elements[site],
                site,
                cutoff_ang: ATOM_CUTOFF_ANG,
            });
        }

        let mut graph = Self {
            atoms,
            bonds,
            short_bonds,
            ..Self::default()
        };
        for (centre, ends) in directed.iter().enumerate() {
            for (neighbour, end) in ends {
                graph.centres.push(centre as u32);
                graph.neighbours.push(*neighbour);
                graph.directed_bonds.push(end.bond);
            }
            graph.add_angles(centre as u32, ends)?;
        }
        Ok(graph)
    }

    /// The angles at one atom, as rows of the bond graph grouped by the first bond.
    fn add_angles(
        &mut self,
        centre: u32,
        ends: &[(u32, DirectedBond)],
    ) -> Result<(), PotentialError> {
        let short: Vec<DirectedBond> = ends
            .iter()
            .map(|(_, end)| *end)
            .filter(|end| (end.bond as usize) < self.short_bonds)
            .collect();
        if self.row_firsts.len() + short.len() * short.len().saturating_sub(1) > MOST_ROWS {
            return Err(PotentialError::TooLarge {
                what: "angles",
                limit: MOST_ROWS,
            });
        }
        let directions: Vec<[f64; 3]> =
            short.iter().map(|end| end.direction(&self.bonds)).collect();
        let start = self.angles.len();
        let count = short.len();
        for (i, u) in directions.iter().enumerate() {
            for (j, v) in directions.iter().enumerate().skip(i + 1) {
                self.angles.push(Angle {
                    first: short[i],
                    second: short[j],
                    cosine: u[0] * v[0] + u[1] * v[1] + u[2] * v[2],
                });
            }
        }
        // Index of the angle of i < j among all pairs in the order above.
        let angle = |i: usize, j: usize| start + i * (2 * count - i - 1) / 2 + (j - i - 1);
        for i in 0..count {
            for j in (0..count).filter(|j| *j != i) {
                self.row_firsts.push(short[i].bond);
                self.row_seconds.push(short[j].bond);
                self.row_centres.push(centre);
                self.row_angles.push(angle(i.min(j), i.max(j)) as u32);
            }
        }
        Ok(())
    }
}
