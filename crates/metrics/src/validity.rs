//! Whether a structure could be a crystal.

use crystalgym_crystal::{SYMMETRY_TOLERANCE_ANG, Structure, space_group};

use crate::{Composition, OxidationStates, is_charge_balanced};

/// Whether a structure could be a crystal at all.
#[derive(Debug, Clone, PartialEq)]
pub struct Validity {
    /// Charges can balance, see [`is_charge_balanced`].
    pub charge_balanced: bool,
    /// No two sites are closer than half the sum of their atomic radii and 0.7 Å.
    pub distances: bool,
    /// Densities, cell and symmetry are those of a crystal.
    pub plausible: bool,
    /// Shortest distance of two atoms in Å, images included.
    pub min_distance_ang: f64,
    /// Space-group number, if one is found.
    pub space_group_number: Option<u16>,
}

/// Radius in Å of an element without a tabulated one.
const UNKNOWN_RADIUS_ANG: f64 = 1.0;
/// Added to the radii in Å before halving.
const DISTANCE_OFFSET_ANG: f64 = 0.7;

impl Validity {
    /// Judges a structure.
    ///
    /// Distances and plausibility are LeMat-GenBench's: `d ≥ 0.5 (0.7 Å + rᵢ + rⱼ)` for every pair
    /// of sites, with Slater's atomic radii; mass density 0.01 to 25 g/cm³, 1e-5 to 0.5 atoms per
    /// Å³, lengths 1 to 100 Å, a volume above 1 Å³ and a space group. Its verdict on charges looks at
    /// bonds too and knows mixed valence; this one is SMACT's.
    pub fn of(structure: &Structure, states: &OxidationStates) -> Self {
        let Structure {
            lattice,
            elements,
            frac_coords,
        } = structure;
        let kinds: Vec<i32> = elements.iter().map(|e| e.atomic_number().into()).collect();
        let space_group_number = (!elements.is_empty())
            .then(|| space_group(lattice, frac_coords, &kinds, SYMMETRY_TOLERANCE_ANG).ok())
            .flatten()
            .map(|(number, _)| number);
        let (distances, min_distance_ang) = distances(structure);
        let composition = Composition::of(elements);
        Self {
            charge_balanced: !elements.is_empty() && is_charge_balanced(&composition, states),
            distances,
            plausible: space_group_number.is_some() && is_plausible(structure),
            min_distance_ang,
            space_group_number,
        }
    }

    /// Whether all three hold.
    pub fn is_valid(&self) -> bool {
        self.charge_balanced && self.distances && self.plausible
    }
}

fn is_plausible(structure: &Structure) -> bool {
    let volume = structure.lattice.volume();
    let per_volume = structure.elements.len() as f64 / volume;
    (0.01..=25.0).contains(&structure.density_g_cm3())
        && (1e-5..=0.5).contains(&per_volume)
        && volume > 1.0
        && structure
            .lattice
            .lengths()
            .iter()
            .all(|length| (1.0..=100.0).contains(length))
}

/// Whether every pair of sites is far enough apart, and the shortest distance of all.
fn distances(structure: &Structure) -> (bool, f64) {
    let radius = |site: usize| {
        let radius = structure.elements[site].data().atomic_radius_ang;
        radius.unwrap_or(UNKNOWN_RADIUS_ANG)
    };
    let n = structure.elements.len();
    let (mut far_enough, mut shortest) = (true, f64::INFINITY);
    for i in 0..n {
        shortest = shortest.min(distance(structure, i, i));
        for j in i + 1..n {
            let distance = distance(structure, i, j);
            far_enough &= distance >= 0.5 * (DISTANCE_OFFSET_ANG + radius(i) + radius(j));
            shortest = shortest.min(distance);
        }
    }
    (far_enough, shortest)
}

/// Distance in Å of two sites, or of one from its nearest image.
///
/// Along a lattice vector, images within a distance `d` lie within `d |b*|` cells.
fn distance(structure: &Structure, i: usize, j: usize) -> f64 {
    let lattice = &structure.lattice;
    let away: [f64; 3] = std::array::from_fn(|x| {
        let d = structure.frac_coords[j][x] - structure.frac_coords[i][x];
        d - d.round()
    });
    let length = |frac: [f64; 3]| {
        let cart = lattice.to_cart(frac);
        cart.iter().map(|x| x * x).sum::<f64>().sqrt()
    };
    let mut shortest = match i == j {
        true => lattice.lengths().into_iter().fold(f64::INFINITY, f64::min),
        false => length(away),
    };
    let cells = lattice.reciprocal().map(|b| {
        let norm = b.iter().map(|x| x * x).sum::<f64>().sqrt();
        (shortest * norm + 0.5).ceil() as i32
    });
    for a in -cells[0]..=cells[0] {
        for b in -cells[1]..=cells[1] {
            for c in -cells[2]..=cells[2] {
                if i == j && (a, b, c) == (0, 0, 0) {
                    continue;
                }
                let image = [a, b, c].map(f64::from);
                shortest = shortest.min(length(std::array::from_fn(|x| away[x] + image[x])));
            }
        }
    }
    shortest
}
