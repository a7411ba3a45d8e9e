//! One way of writing each crystal, and whether two writings are the same crystal.
//!
//! The same crystal can be written in endlessly many ways: another order of atoms, other lattice
//! vectors, a shifted origin, a supercell, a turned frame. Its canonical writing is
//!
//! 1. the primitive cell of the *filled* crystal, by the translations that map every atom onto one
//!    of the same element,
//! 2. in a right-handed Niggli-reduced basis, so that a skeleton whose filling leaves no shorter
//!    translation keeps its lattice, and with it its k-mesh,
//! 3. of all proper bases with the same metric and all origins on an atom of the rarest element (the
//!    lightest of those), the one whose list of atoms comes first: atomic numbers, then positions on
//!    a grid. Bases are proper, so that mirror images stay two crystals.
//!
//! A rounded position can fall to either side of a grid's edge, so the list is a name that equal
//! writings share almost always, and rounding noise of 1e-9 now and then not. Whether two crystals
//! are the same is therefore asked of the crystals, within [`SAME_CRYSTAL_ANG`], by trying every
//! basis and origin ([`CanonicalCrystal::is_same_crystal`]).

use crate::{
    Crystal, CrystalError, Element, Lattice, SYMMETRY_TOLERANCE_ANG, Skeleton, Structure,
    matrix::{apply, determinant, dot, multiply, scale, subtract, transpose},
    niggli::niggli_reduce,
    symmetry::nice_fraction,
};

/// Two crystals whose atoms and lattice vectors differ by less are the same, in Å: a thousandth of
/// the smallest displacements that anybody computes with, and some 1e-5 eV of a band gap.
pub const SAME_CRYSTAL_ANG: f64 = 1e-5;

/// Divisions of the grid of positions, 2⁴·3²·5·7·11·13: fractions that symmetry asks for lie on its
/// points, far from an edge between two.
const DIVISIONS: f64 = 720_720.0;

type Basis = [[i32; 3]; 3];

/// A crystal in its canonical writing.
#[derive(Debug, Clone, PartialEq)]
pub struct CanonicalCrystal {
    structure: Structure,
    /// Atomic number and grid point of each site, ascending.
    sites: Vec<(u8, [i64; 3])>,
    cells: usize,
}

impl CanonicalCrystal {
    /// Finds the canonical writing of a structure whose symmetry is exact, as a skeleton's is.
    ///
    /// # Errors
    /// [`CrystalError::InvalidStructure`] without atoms or with coinciding ones;
    /// [`CrystalError::InvalidLattice`] if the cell cannot be reduced.
    pub fn of(structure: &Structure) -> Result<Self, CrystalError> {
        let (primitive, cells) = primitive(structure)?;
        let reduced = reduced(&primitive)?;
        let metric = reduced.lattice.metric();
        let origins = origins(&reduced);
        let mut best: Option<Writing> = None;
        for basis in equal_bases(metric, metric) {
            let turned = in_basis(&reduced.frac_coords, basis);
            for &origin in &origins {
                let sites = grid_sites(&reduced.elements, &turned, turned[origin]);
                if best.as_ref().is_none_or(|best| sites < best.sites) {
                    best = Some(Writing {
                        sites,
                        basis,
                        origin,
                    });
                }
            }
        }
        let best = best.ok_or_else(|| {
            CrystalError::InvalidStructure("the structure has no site to start from".to_owned())
        })?;
        best.write(&reduced, cells)
    }

    /// The primitive cell in its canonical writing.
    pub fn structure(&self) -> &Structure {
        &self.structure
    }

    /// How many of its cells the original one held: 1 unless that was a supercell.
    pub fn cells(&self) -> usize {
        self.cells
    }

    /// A text that equal crystals share, up to rounding at the edges of a grid (see the top of this
    /// file): lengths to 1e-5 Å, cosines of the angles and positions in 720720ths.
    pub fn name(&self) -> String {
        let lattice = &self.structure.lattice;
        let lengths = lattice.lengths().map(|x| (x / SAME_CRYSTAL_ANG).round());
        let metric = lattice.metric();
        let cosine = |i: usize, j: usize| {
            let cosine = metric[i][j] / (metric[i][i] * metric[j][j]).sqrt();
            // Adding zero turns -0 into 0.
            (cosine * DIVISIONS).round() + 0.0
        };
        format!(
            "{lengths:?} {:?} {:?}",
            [cosine(1, 2), cosine(0, 2), cosine(0, 1)],
            self.sites
        )
    }

    /// Whether another crystal is this one, with atoms and lattice vectors within
    /// [`SAME_CRYSTAL_ANG`]. A mirror image is another crystal.
    pub fn is_same_crystal(&self, other: &Self) -> bool {
        let (here, there) = (&self.structure, &other.structure);
        if here.elements != there.elements {
            return false;
        }
        let Some(&anchor) = origins(there).first() else {
            return false;
        };
        let bases = equal_bases(here.lattice.metric(), there.lattice.metric());
        bases.into_iter().any(|basis| {
            let turned = in_basis(&here.frac_coords, basis);
            origins(here).into_iter().any(|origin| {
                let shift = subtract(there.frac_coords[anchor], turned[origin]);
                (0..turned.len()).all(|site| {
                    let moved: [f64; 3] = std::array::from_fn(|i| turned[site][i] + shift[i]);
                    site_at(there, here.elements[site], moved).is_some()
                })
            })
        })
    }

    /// The crystal on a skeleton of this very cell, to be computed.
    ///
    /// # Errors
    /// As [`Skeleton::from_structure`].
    pub fn to_crystal(&self, label: &str) -> Result<Crystal, CrystalError> {
        let skeleton = Skeleton::from_structure(label, &self.structure, SYMMETRY_TOLERANCE_ANG)?;
        Crystal::new(skeleton.into(), self.structure.elements.clone())
    }
}

/// A choice of basis and origin, with the list that it gives.
struct Writing {
    sites: Vec<(u8, [i64; 3])>,
    basis: Basis,
    origin: usize,
}

impl Writing {
    fn write(self, reduced: &Structure, cells: usize) -> Result<CanonicalCrystal, CrystalError> {
        let turned = in_basis(&reduced.frac_coords, self.basis);
        let origin = turned[self.origin];
        let mut order: Vec<usize> = (0..turned.len()).collect();
        let key = |site: usize| {
            let number = reduced.elements[site].atomic_number();
            (number, grid_point(subtract(turned[site], origin)))
        };
        order.sort_by_key(|&site| key(site));
        let position = |&site: &usize| subtract(turned[site], origin).map(nice_fraction);
        let rows = self.basis.map(|row| row.map(f64::from));
        let lattice = Lattice::new(multiply(rows, reduced.lattice.vectors()))?;
        let structure = Structure {
            // A frame of its own: however the crystal was turned.
            lattice: Lattice::from_parameters(lattice.lengths(), lattice.angles())?,
            elements: order.iter().map(|&site| reduced.elements[site]).collect(),
            frac_coords: order.iter().map(position).collect(),
        };
        Ok(CanonicalCrystal {
            structure,
            sites: self.sites,
            cells,
        })
    }
}

/// The primitive cell of the filled structure, and how many of them the given cell holds.
fn primitive(structure: &Structure) -> Result<(Structure, usize), CrystalError> {
    let translations = translations(structure);
    let cells = translations.len();
    if cells <= 1 {
        return Ok((structure.clone(), 1));
    }
    // The lattice of the translations has a basis in Hermite form, whose vectors, taken into the
    // cell, are translations themselves or edges of the cell.
    let mut basis = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]];
    for t in &translations {
        let first = t.iter().position(|x| *x > 0.0);
        if let Some(axis) = first
            && t[axis] < basis[axis][axis]
        {
            basis[axis] = *t;
        }
    }
    let volume = determinant(basis);
    if (volume * cells as f64 - 1.0).abs() > 1e-6 {
        return Err(CrystalError::InvalidStructure(format!(
            "{cells} translations span {volume} of the cell: atoms nearly on top of each other"
        )));
    }
    let lattice = Lattice::new(multiply(basis, structure.lattice.vectors()))?;
    // Rows transform with the inverse: x' = x B⁻¹.
    let inverse = Lattice::new(basis)?.reciprocal();
    let mut small = Structure {
        lattice,
        elements: Vec::new(),
        frac_coords: Vec::new(),
    };
    for (&element, x) in structure.elements.iter().zip(&structure.frac_coords) {
        let x = apply(inverse, *x);
        if site_at(&small, element, x).is_none() {
            small.elements.push(element);
            small.frac_coords.push(x);
        }
    }
    if small.elements.len() * cells != structure.elements.len() {
        return Err(CrystalError::InvalidStructure(format!(
            "{} atoms in {cells} cells leave {} in each: atoms nearly on top of each other",
            structure.elements.len(),
            small.elements.len()
        )));
    }
    Ok((small, cells))
}

/// Translations within the cell that map every atom onto one of its element, zero included, as
/// exact fractions in [0, 1).
fn translations(structure: &Structure) -> Vec<[f64; 3]> {
    let candidates = origins(structure);
    let Some(&first) = candidates.first() else {
        return Vec::new();
    };
    let positions = &structure.frac_coords;
    let moves_all = |t: [f64; 3]| {
        let mut sites = structure.elements.iter().zip(positions);
        sites.all(|(&element, x)| {
            let moved: [f64; 3] = std::array::from_fn(|i| x[i] + t[i]);
            site_at(structure, element, moved).is_some()
        })
    };
    let found: Vec<[f64; 3]> = candidates
        .iter()
        .map(|&site| subtract(positions[site], positions[first]))
        .filter(|t| moves_all(*t))
        .collect();
    // The order of a translation divides that of their group.
    let count = found.len() as f64;
    found
        .into_iter()
        .map(|t| t.map(|x| (x * count).round().rem_euclid(count) / count))
        .collect()
}

/// Niggli-reduced and right-handed.
fn reduced(structure: &Structure) -> Result<Structure, CrystalError> {
    let vectors = structure.lattice.vectors();
    let (lattice, positions) = if determinant(vectors) < 0.0 {
        // The opposite vectors span the same lattice; the atoms stay where they are.
        let opposite = vectors.map(|v| scale(v, -1.0));
        let positions = structure.frac_coords.iter().map(|x| scale(*x, -1.0));
        (Lattice::new(opposite)?, positions.collect())
    } else {
        (structure.lattice, structure.frac_coords.clone())
    };
    let (reduced, transformation) = niggli_reduce(&lattice)?;
    // Rows of the reduced lattice are those of Tᵀ times the given ones.
    let rows = transpose(transformation.map(|row| row.map(f64::from)));
    let sign = determinant(rows).signum();
    let rows = rows.map(|row| scale(row, sign));
    let inverse = Lattice::new(rows)?.reciprocal();
    Ok(Structure {
        lattice: Lattice::new(reduced.vectors().map(|v| scale(v, sign)))?,
        elements: structure.elements.clone(),
        frac_coords: positions
            .into_iter()
            .map(|x: [f64; 3]| apply(inverse, x))
            .collect(),
    })
}

/// Sites of the element with the fewest atoms, the lightest of those.
fn origins(structure: &Structure) -> Vec<usize> {
    let count = |element: Element| structure.elements.iter().filter(|e| **e == element).count();
    let rarest = (structure.elements.iter())
        .min_by_key(|element| (count(**element), element.atomic_number()));
    let Some(&rarest) = rarest else {
        return Vec::new();
    };
    (0..structure.elements.len())
        .filter(|&site| structure.elements[site] == rarest)
        .collect()
}

/// All proper changes of basis, as rows of whole numbers, that turn one metric into another.
///
/// Between reduced bases they have no entry beyond ±1.
fn equal_bases(from: [[f64; 3]; 3], to: [[f64; 3]; 3]) -> Vec<Basis> {
    let length = |i: usize| to[i][i].sqrt();
    let product = |u: [i32; 3], v: [i32; 3]| dot(u.map(f64::from), apply(from, v.map(f64::from)));
    let equal = |value: f64, i: usize, j: usize| {
        (value - to[i][j]).abs() <= SAME_CRYSTAL_ANG * (length(i) + length(j))
    };
    let of_length = |axis: usize| -> Vec<[i32; 3]> {
        (0..27)
            .map(|n| [n / 9 - 1, n / 3 % 3 - 1, n % 3 - 1])
            .filter(|&v| v != [0; 3] && equal(product(v, v), axis, axis))
            .collect()
    };
    let [firsts, seconds, thirds] = [of_length(0), of_length(1), of_length(2)];
    let mut bases = Vec::new();
    for &a in &firsts {
        for &b in seconds.iter().filter(|&&b| equal(product(a, b), 0, 1)) {
            for &c in &thirds {
                let basis = [a, b, c];
                if equal(product(a, c), 0, 2)
                    && equal(product(b, c), 1, 2)
                    && determinant(basis.map(|row| row.map(f64::from))) > 0.5
                {
                    bases.push(basis);
                }
            }
        }
    }
    bases
}

/// Fractional positions in another basis of the same lattice.
fn in_basis(frac_coords: &[[f64; 3]], basis: Basis) -> Vec<[f64; 3]> {
    let [a, b, c] = basis;
    let cross = |u: [i32; 3], v: [i32; 3]| {
        [
            u[1] * v[2] - u[2] * v[1],
            u[2] * v[0] - u[0] * v[2],
            u[0] * v[1] - u[1] * v[0],
        ]
        .map(f64::from)
    };
    // The determinant is 1, so that the inverse, column by column, is exact.
    let columns = [cross(b, c), cross(c, a), cross(a, b)];
    frac_coords
        .iter()
        .map(|x| columns.map(|column| dot(*x, column)))
        .collect()
}

fn grid_sites(
    elements: &[Element],
    positions: &[[f64; 3]],
    origin: [f64; 3],
) -> Vec<(u8, [i64; 3])> {
    let mut sites: Vec<_> = elements
        .iter()
        .zip(positions)
        .map(|(element, x)| (element.atomic_number(), grid_point(subtract(*x, origin))))
        .collect();
    sites.sort_unstable();
    sites
}

fn grid_point(frac: [f64; 3]) -> [i64; 3] {
    frac.map(|x| (((x - x.floor()) * DIVISIONS).round() as i64) % DIVISIONS as i64)
}

/// The atom of an element at a position, whole cells apart, within [`SAME_CRYSTAL_ANG`].
fn site_at(structure: &Structure, element: Element, frac: [f64; 3]) -> Option<usize> {
    (0..structure.elements.len()).find(|&site| {
        structure.elements[site] == element && {
            let delta = subtract(frac, structure.frac_coords[site]).map(|d| d - d.round());
            let cart = structure.lattice.to_cart(delta);
            dot(cart, cart) < SAME_CRYSTAL_ANG * SAME_CRYSTAL_ANG
        }
    })
}
