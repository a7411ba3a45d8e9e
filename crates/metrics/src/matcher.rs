//! Whether two structures are the same.

use crystalgym_crystal::{Element, Lattice, Structure};

use crate::{
    Composition, MatchTolerances, MetricsError, assignment::assign, lattice_mapping::mappings,
    primitive::primitive_structure,
};

/// Says whether two structures are the same up to the choice of the cell, rotations, reflections,
/// translations, the order of the sites and the volume.
///
/// The method of pymatgen's `StructureMatcher` (Ong et al., Comput. Mater. Sci. 68, 314 (2013))
/// with `primitive_cell` and `scale`: both structures go into Niggli-reduced primitive cells of the
/// same volume; for each basis of the first lattice that resembles the second and each translation
/// of a site of the rarest element on one of its kind, sites are assigned with the least sum of
/// squared distances in the mean lattice; they match if, less the mean displacement, none is
/// farther away than `site · (V/n)^(1/3)`.
#[derive(Debug, Clone, Copy, Default)]
pub struct StructureMatcher {
    tolerances: MatchTolerances,
}

/// A structure as it is compared: primitive, reduced.
#[derive(Debug, Clone)]
pub struct PreparedStructure {
    structure: Structure,
    composition: Composition,
}

impl PreparedStructure {
    /// The composition in lowest terms.
    pub fn composition(&self) -> &Composition {
        &self.composition
    }

    /// The structure in its Niggli-reduced primitive cell.
    pub fn structure(&self) -> &Structure {
        &self.structure
    }
}

impl StructureMatcher {
    /// A matcher with these tolerances.
    ///
    /// # Errors
    /// [`MetricsError::Tolerance`] for one that is not positive.
    pub fn new(tolerances: MatchTolerances) -> Result<Self, MetricsError> {
        let MatchTolerances {
            length,
            site,
            angle_deg,
        } = tolerances;
        for (field, value) in [("length", length), ("site", site), ("angle_deg", angle_deg)] {
            if !(value.is_finite() && value > 0.0) {
                return Err(MetricsError::Tolerance { field, value });
            }
        }
        Ok(Self { tolerances })
    }

    /// What is done once for a structure, however often it is compared.
    ///
    /// # Errors
    /// A structure without sites, or a cell that cannot be reduced.
    pub fn prepare(&self, structure: &Structure) -> Result<PreparedStructure, MetricsError> {
        if structure.elements.is_empty() {
            return Err(MetricsError::NoSites);
        }
        Ok(PreparedStructure {
            structure: primitive_structure(structure)?,
            composition: Composition::of(&structure.elements),
        })
    }

    /// Whether the two are the same.
    pub fn matches(&self, one: &PreparedStructure, other: &PreparedStructure) -> bool {
        let n = one.structure.elements.len();
        if one.composition != other.composition || n != other.structure.elements.len() {
            return false;
        }
        let (first, second) = (&one.structure, &other.structure);
        let ratio = (second.lattice.volume() / first.lattice.volume()).powf(1.0 / 6.0);
        let (lattice, target) = (
            first.lattice.scaled(ratio),
            second.lattice.scaled(1.0 / ratio),
        );
        let cart: Vec<_> = first
            .frac_coords
            .iter()
            .map(|x| lattice.to_cart(*x))
            .collect();
        let pinned = rarest_site(&second.elements);
        mappings(&lattice, &target, &self.tolerances)
            .into_iter()
            .any(|basis| {
                let Some(mean) = mean_lattice(&basis, &target) else {
                    return false;
                };
                let positions: Vec<_> = cart.iter().map(|x| basis.to_frac(*x)).collect();
                let same_element = |site: &usize| first.elements[*site] == second.elements[pinned];
                (0..n).filter(same_element).any(|site| {
                    let moved: Vec<[f64; 3]> = second
                        .frac_coords
                        .iter()
                        .map(|x| {
                            std::array::from_fn(|i| {
                                x[i] + positions[site][i] - second.frac_coords[pinned][i]
                            })
                        })
                        .collect();
                    self.sites_match(
                        &mean,
                        (&first.elements, &positions),
                        (&second.elements, &moved),
                    )
                })
            })
    }

    fn sites_match(
        &self,
        lattice: &Lattice,
        (elements, positions): (&[Element], &[[f64; 3]]),
        (other_elements, others): (&[Element], &[[f64; 3]]),
    ) -> bool {
        let n = elements.len();
        let unit = (lattice.volume() / n as f64).cbrt();
        // Twice the tolerance along each axis, for the mean displacement is still in there.
        let within = lattice
            .reciprocal()
            .map(|b| 2.0 * self.tolerances.site * unit * length(b));
        let mut costs = vec![vec![FORBIDDEN; n]; n];
        let mut shifts = vec![vec![[0.0; 3]; n]; n];
        for (row, (position, element)) in others.iter().zip(other_elements).enumerate() {
            let mut has_near = false;
            for column in (0..n).filter(|&column| elements[column] == *element) {
                let away: [f64; 3] = std::array::from_fn(|i| {
                    let x = positions[column][i] - position[i];
                    x - x.round()
                });
                has_near |= (0..3).all(|i| away[i].abs() < within[i]);
                let shortest = shortest_image(lattice, away);
                shifts[row][column] = shortest;
                costs[row][column] = shortest.iter().map(|x| x * x).sum();
            }
            if !has_near {
                return false;
            }
        }
        let columns = assign(&costs);
        if (0..n).any(|row| costs[row][columns[row]] >= FORBIDDEN) {
            return false;
        }
        let chosen: Vec<[f64; 3]> = (0..n).map(|row| shifts[row][columns[row]]).collect();
        let mean: [f64; 3] =
            std::array::from_fn(|i| chosen.iter().map(|shift| shift[i]).sum::<f64>() / n as f64);
        chosen.iter().all(|shift| {
            let left = std::array::from_fn(|i| shift[i] - mean[i]);
            length(left) < self.tolerances.site * unit
        })
    }
}

/// A squared distance in Å² that no two sites have.
const FORBIDDEN: f64 = 1e12;

/// The first site of the element of which there are fewest.
fn rarest_site(elements: &[Element]) -> usize {
    let count = |element: Element| elements.iter().filter(|&&other| other == element).count();
    (0..elements.len())
        .min_by_key(|&site| count(elements[site]))
        .unwrap_or_default()
}

fn mean_lattice(one: &Lattice, other: &Lattice) -> Option<Lattice> {
    let mean = |u: [f64; 3], v: [f64; 3]| std::array::from_fn(|i| (u[i] + v[i]) / 2.0);
    Lattice::from_parameters(
        mean(one.lengths(), other.lengths()),
        mean(one.angles(), other.angles()),
    )
    .ok()
}

/// The shortest Cartesian vector among the images of a fractional one within half a cell.
fn shortest_image(lattice: &Lattice, frac: [f64; 3]) -> [f64; 3] {
    let (mut shortest, mut least) = ([0.0; 3], f64::INFINITY);
    for i in -1..=1 {
        for j in -1..=1 {
            for k in -1..=1 {
                let image = [i, j, k].map(f64::from);
                let vector = lattice.to_cart(std::array::from_fn(|x| frac[x] + image[x]));
                let squared = vector.iter().map(|x| x * x).sum();
                if squared < least {
                    (shortest, least) = (vector, squared);
                }
            }
        }
    }
    shortest
}

fn length(v: [f64; 3]) -> f64 {
    v.iter().map(|x| x * x).sum::<f64>().sqrt()
}
