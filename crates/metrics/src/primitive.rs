//! Primitive cells as the matcher wants them.

use std::collections::BTreeMap;

use crystalgym_crystal::{CrystalError, Lattice, Structure, niggli_reduce};

/// Distance in Å along each lattice vector by which a translation may miss the sites (pymatgen's).
const TOLERANCE_ANG: f64 = 0.25;

/// The structure in its Niggli-reduced primitive cell.
///
/// A translation that brings every site within 0.25 Å, along each lattice vector, of one of the same
/// element counts as one of the lattice, as for pymatgen's `get_primitive_structure`; the sites that
/// it joins are averaged.
///
/// # Errors
/// [`CrystalError::InvalidLattice`] if a cell cannot be reduced.
pub fn primitive_structure(structure: &Structure) -> Result<Structure, CrystalError> {
    let mut primitive = structure.clone();
    while let Some(smaller) = divided(&primitive)? {
        primitive = smaller;
    }
    let (lattice, _) = niggli_reduce(&primitive.lattice)?;
    in_cell(&primitive, lattice)
}

/// The structure on other vectors of the same lattice.
fn in_cell(structure: &Structure, lattice: Lattice) -> Result<Structure, CrystalError> {
    let move_to = |x: &[f64; 3]| wrap(lattice.to_frac(structure.lattice.to_cart(*x)));
    Ok(Structure {
        lattice,
        elements: structure.elements.clone(),
        frac_coords: structure.frac_coords.iter().map(move_to).collect(),
    })
}

/// The structure in a cell smaller by a translation that it has; `None` if it has none.
fn divided(structure: &Structure) -> Result<Option<Structure>, CrystalError> {
    let mut groups = BTreeMap::<_, Vec<usize>>::new();
    for (site, element) in structure.elements.iter().enumerate() {
        groups.entry(*element).or_default().push(site);
    }
    let Some(rarest) = groups.values().min_by_key(|sites| sites.len()) else {
        return Ok(None);
    };
    let first = structure.frac_coords[rarest[0]];
    for &site in &rarest[1..] {
        let translation = subtract(structure.frac_coords[site], first);
        let Some((numerators, order)) = rational(&structure.lattice, translation, rarest.len())
        else {
            continue;
        };
        let exact = numerators.map(|p| f64::from(p) / f64::from(order));
        let Some(images) = images(structure, exact) else {
            continue;
        };
        return smaller(structure, &images, numerators, order).map(Some);
    }
    Ok(None)
}

/// The translation as whole numbers over an order that divides `sites`.
fn rational(lattice: &Lattice, translation: [f64; 3], sites: usize) -> Option<([i32; 3], i32)> {
    (2..=sites)
        .filter(|order| sites.is_multiple_of(*order))
        .find_map(|order| {
            let numerators = translation.map(|t| (t * order as f64).round());
            let missed: [f64; 3] =
                std::array::from_fn(|i| translation[i] - numerators[i] / order as f64);
            let whole = numerators.map(|p| (p as i32).rem_euclid(order as i32));
            (is_near(lattice, missed) && whole != [0; 3]).then_some((whole, order as i32))
        })
}

/// Where a translation sends each site; `None` if it is none of the structure's.
fn images(structure: &Structure, translation: [f64; 3]) -> Option<Vec<usize>> {
    let sites = 0..structure.elements.len();
    let mut taken = vec![false; structure.elements.len()];
    let mut found = Vec::new();
    for site in sites.clone() {
        let moved: [f64; 3] =
            std::array::from_fn(|i| structure.frac_coords[site][i] + translation[i]);
        let image = sites.clone().find(|&other| {
            let away = nearest(subtract(structure.frac_coords[other], moved));
            !taken[other]
                && structure.elements[other] == structure.elements[site]
                && is_near(&structure.lattice, away)
        })?;
        taken[image] = true;
        found.push(image);
    }
    Some(found)
}

/// The structure in the cell that the translation `numerators / order` makes with the vectors.
fn smaller(
    structure: &Structure,
    images: &[usize],
    numerators: [i32; 3],
    order: i32,
) -> Result<Structure, CrystalError> {
    let vectors = structure.lattice.vectors();
    let basis = basis(numerators, order).map(|row| {
        std::array::from_fn(|x| {
            (0..3)
                .map(|i| f64::from(row[i]) / f64::from(order) * vectors[i][x])
                .sum()
        })
    });
    let lattice = Lattice::new(basis)?;
    let exact = numerators.map(|p| f64::from(p) / f64::from(order));
    let mut seen = vec![false; images.len()];
    let (mut elements, mut frac_coords) = (Vec::new(), Vec::new());
    for start in 0..images.len() {
        if seen[start] {
            continue;
        }
        // The mean of a site and its images, each taken back to where the site is.
        let origin = structure.frac_coords[start];
        let (mut site, mut offset, mut count) = (start, [0.0; 3], 0.0_f64);
        while !seen[site] {
            seen[site] = true;
            let expected: [f64; 3] = std::array::from_fn(|i| origin[i] + count * exact[i]);
            let away = nearest(subtract(structure.frac_coords[site], expected));
            offset = std::array::from_fn(|i| offset[i] + away[i]);
            count += 1.0;
            site = images[site];
        }
        let mean = std::array::from_fn(|i| origin[i] + offset[i] / count);
        elements.push(structure.elements[start]);
        frac_coords.push(wrap(lattice.to_frac(structure.lattice.to_cart(mean))));
    }
    Ok(Structure {
        lattice,
        elements,
        frac_coords,
    })
}

/// A basis, in units of 1/`order`, of the lattice of whole numbers and the translation: Hermite's
/// normal form of `order` times the unit matrix with the numerators below.
fn basis(numerators: [i32; 3], order: i32) -> [[i32; 3]; 3] {
    let mut rows = vec![[order, 0, 0], [0, order, 0], [0, 0, order], numerators];
    let mut basis = [[0; 3]; 3];
    for (column, result) in basis.iter_mut().enumerate() {
        // Euclid's algorithm on the column leaves one row with the greatest common divisor.
        loop {
            rows.sort_by_key(|row| match row[column] {
                0 => i32::MAX,
                x => x.abs(),
            });
            let pivot = rows[0];
            let mut changed = false;
            for row in rows[1..].iter_mut().filter(|row| row[column] != 0) {
                let times = row[column] / pivot[column];
                for (x, p) in row.iter_mut().zip(pivot) {
                    *x -= times * p;
                }
                changed = true;
            }
            if !changed {
                break;
            }
        }
        *result = rows.remove(0);
    }
    basis
}

fn nearest(frac: [f64; 3]) -> [f64; 3] {
    frac.map(|x| x - x.round())
}

fn wrap(frac: [f64; 3]) -> [f64; 3] {
    frac.map(|x| x - x.floor())
}

fn subtract(u: [f64; 3], v: [f64; 3]) -> [f64; 3] {
    std::array::from_fn(|i| u[i] - v[i])
}

fn is_near(lattice: &Lattice, frac: [f64; 3]) -> bool {
    let lengths = lattice.lengths();
    (0..3).all(|i| frac[i].abs() * lengths[i] < TOLERANCE_ANG)
}

#[cfg(test)]
mod tests {
    use crystalgym_crystal::Element;

    use super::*;

    /// Oracle: known numbers of sites of the primitive cells of conventional ones.
    #[test]
    fn conventional_cells_are_divided() {
        let element = |symbol: &str| symbol.parse::<Element>().unwrap();
        let lattice = Lattice::from_parameters([5.0; 3], [90.0; 3]).unwrap();
        let centres = [[0.0; 3], [0.0, 0.5, 0.5], [0.5, 0.0, 0.5], [0.5, 0.5, 0.0]];
        let shifted = centres.map(|x| [x[0] + 0.5, x[1], x[2]]);
        let rock_salt = Structure {
            lattice,
            elements: ["Na", "Na", "Na", "Na", "Cl", "Cl", "Cl", "Cl"]
                .map(element)
                .to_vec(),
            frac_coords: [centres, shifted].concat(),
        };
        let primitive = primitive_structure(&rock_salt).unwrap();
        assert_eq!(primitive.elements.len(), 2);
        assert!((primitive.lattice.volume() - 125.0 / 4.0).abs() < 1e-9);
        assert!(
            primitive
                .lattice
                .angles()
                .iter()
                .all(|angle| (angle - 60.0).abs() < 1e-9)
        );
        let simple_cubic = Structure {
            elements: vec![element("Na"); 8],
            ..rock_salt
        };
        let primitive = primitive_structure(&simple_cubic).unwrap();
        assert_eq!(primitive.elements.len(), 1);
        assert!((primitive.lattice.volume() - 125.0 / 8.0).abs() < 1e-9);
        // A row of three in a long cell.
        let row = Structure {
            lattice: Lattice::from_parameters([9.0, 4.0, 5.0], [90.0; 3]).unwrap(),
            elements: vec![element("Fe"); 3],
            frac_coords: [0.1, 0.1 + 1.0 / 3.0, 0.1 + 2.0 / 3.0]
                .map(|x| [x, 0.2, 0.3])
                .to_vec(),
        };
        assert_eq!(primitive_structure(&row).unwrap().elements.len(), 1);
    }
}
