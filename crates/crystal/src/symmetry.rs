//! The symmetry of a structure, and the geometry that has it exactly.

use std::collections::HashMap;

use moyo::{
    MoyoDataset,
    base::{AngleTolerance, Cell, Lattice as MoyoLattice},
    data::Setting,
};

use crate::{
    CrystalError, Lattice, SkeletonSymmetry,
    coincidence::neighbouring,
    matrix::{IDENTITY, Matrix3, add, apply, determinant, dot, multiply, subtract, transpose},
};

/// Distance in Å within which positions count as symmetric (pymatgen's `symprec`).
pub const SYMMETRY_TOLERANCE_ANG: f64 = 0.01;

/// Most images of sites under all operations that a skeleton's permutations may hold, 128 MiB of
/// them.
const MOST_IMAGES: usize = 1 << 24;

/// An operation `x → rotation · x + translation` on fractional column vectors, and where it sends
/// the sites.
#[derive(Clone)]
struct SiteOperation {
    rotation: Matrix3,
    translation: [f64; 3],
    permutation: Vec<usize>,
}

/// Space-group number and Hermann–Mauguin symbol of sites of the given kinds.
///
/// # Errors
/// [`CrystalError::Symmetry`] if the search fails.
pub fn space_group(
    lattice: &Lattice,
    frac_coords: &[[f64; 3]],
    kinds: &[i32],
    tolerance_ang: f64,
) -> Result<(u16, String), CrystalError> {
    let dataset = dataset(lattice, frac_coords, kinds, tolerance_ang)?;
    Ok((dataset.number as u16, dataset.hm_symbol.clone()))
}

/// The Wyckoff position of every site, such as `4a`: multiplicity in the conventional cell, and letter.
///
/// # Errors
/// [`CrystalError::Symmetry`] if the search fails.
pub(crate) fn wyckoff_positions(
    lattice: &Lattice,
    frac_coords: &[[f64; 3]],
    kinds: &[i32],
    tolerance_ang: f64,
) -> Result<Vec<String>, CrystalError> {
    let dataset = dataset(lattice, frac_coords, kinds, tolerance_ang)?;
    let conventional = dataset.std_cell.positions.len();
    let name = |site: usize| {
        let orbit = dataset.orbits[site];
        let members = dataset
            .orbits
            .iter()
            .filter(|other| **other == orbit)
            .count();
        let multiplicity = members * conventional / frac_coords.len();
        format!("{multiplicity}{}", dataset.wyckoffs[site])
    };
    Ok((0..frac_coords.len()).map(name).collect())
}

/// The lattice turned as a whole so that its symmetry axes lie along x, y and z in the standard
/// setting: a cubic cell's fourfold axes along x, y and z, a hexagonal one's sixfold axis along z.
///
/// Fractional positions stay valid. Codes that look for operations among a fixed set of Cartesian
/// rotations, as pw.x does, find all of them only in this orientation.
///
/// # Errors
/// [`CrystalError::Symmetry`] if the search fails.
pub fn standard_orientation(
    lattice: &Lattice,
    frac_coords: &[[f64; 3]],
    kinds: &[i32],
    tolerance_ang: f64,
) -> Result<Lattice, CrystalError> {
    let dataset = dataset(lattice, frac_coords, kinds, tolerance_ang)?;
    let rotation = dataset.std_rotation_matrix_as_array();
    let longest = lattice.lengths().into_iter().fold(0.0, f64::max);
    Lattice::new(lattice.vectors().map(|vector| {
        // Rounding, not geometry: axes through the origin of a plane give exact zeros.
        apply(rotation, vector).map(|x| if x.abs() < 1e-12 * longest { 0.0 } else { x })
    }))
}

/// The geometry made exactly symmetric, with the symmetry of the empty skeleton; `lattice` is
/// right-handed, since it is rebuilt from its parameters.
///
/// The metric is averaged over the operations, `G ← mean Rᵀ G R`, at constant volume, and the
/// displacements from the centroid over the affine group, so that an operation which held within
/// the tolerance holds to rounding. The centroid, and with it the origin, stays where it is.
///
/// # Errors
/// [`CrystalError::Symmetry`] if the search fails, two sites coincide, or a supercell repeats so
/// often that its permutations would fill the memory.
pub(crate) fn symmetrize(
    lattice: &Lattice,
    frac_coords: &[[f64; 3]],
    tolerance_ang: f64,
) -> Result<(Lattice, Vec<[f64; 3]>, SkeletonSymmetry), CrystalError> {
    let kinds = vec![1; frac_coords.len()];
    let dataset = dataset(lattice, frac_coords, &kinds, tolerance_ang)?;
    let size = dataset.operations.len() * frac_coords.len();
    if size > MOST_IMAGES {
        return Err(CrystalError::Symmetry(format!(
            "{} operations on {} sites make {size} images, expected up to {MOST_IMAGES}: give the \
             primitive cell",
            dataset.operations.len(),
            frac_coords.len()
        )));
    }
    let sites = SiteBins::new(lattice, frac_coords);
    // Every operation is one of the first kind after a translation: 48 and 512 of them do for the
    // 24 576 of a simple cubic lattice on 8 × 8 × 8 sites.
    let (mut of_cosets, mut translations) = (Vec::<SiteOperation>::new(), Vec::new());
    for operation in dataset.operations.iter() {
        let rotation = operation.rotation_as_array().map(|row| row.map(f64::from));
        let is_new = of_cosets.iter().all(|known| known.rotation != rotation);
        if !is_new && rotation != IDENTITY {
            continue;
        }
        let translation = operation.translation_as_array();
        let found = SiteOperation {
            rotation,
            translation,
            permutation: permutation_of(&sites, rotation, translation)?,
        };
        if rotation == IDENTITY {
            translations.push(found.clone());
        }
        if is_new {
            of_cosets.push(found);
        }
    }

    let exact_lattice = average_lattice(lattice, &of_cosets)?;
    let exact_coords = if translations.len() > 1 {
        average_positions(&average_positions(frac_coords, &translations), &of_cosets)
    } else {
        average_positions(frac_coords, &of_cosets)
    };
    let mut site_permutations: Vec<Vec<usize>> = of_cosets
        .iter()
        .flat_map(|operation| {
            translations.iter().map(|translation| {
                let moved = operation.permutation.iter();
                moved.map(|&to| translation.permutation[to]).collect()
            })
        })
        .collect();
    site_permutations.sort_unstable();
    site_permutations.dedup();
    let translations = translations
        .into_iter()
        .map(|translation| translation.permutation)
        .collect();
    let symmetry = SkeletonSymmetry::new(
        dataset.number as u16,
        dataset.hm_symbol,
        site_permutations,
        translations,
    );
    Ok((exact_lattice, exact_coords, symmetry))
}

pub(crate) fn dataset(
    lattice: &Lattice,
    frac_coords: &[[f64; 3]],
    kinds: &[i32],
    tolerance_ang: f64,
) -> Result<MoyoDataset, CrystalError> {
    if frac_coords.is_empty() {
        return Err(CrystalError::InvalidStructure(
            "the structure has no site, expected at least one".to_owned(),
        ));
    }
    if !(tolerance_ang.is_finite() && tolerance_ang > 0.0) {
        return Err(CrystalError::Symmetry(format!(
            "tolerance is {tolerance_ang} Å, expected a positive number"
        )));
    }
    // Whole cells are left out: the search's integers would overflow far from the origin.
    let positions = frac_coords.iter().map(|x| x.map(|x| x % 1.0).into());
    let positions = positions.collect();
    let cell = Cell::new(
        MoyoLattice::from_basis(lattice.vectors()),
        positions,
        kinds.to_vec(),
    );
    MoyoDataset::new(
        &cell,
        tolerance_ang,
        AngleTolerance::Default,
        Setting::Standard,
        true,
    )
    .map_err(|error| CrystalError::Symmetry(format!("{error} (tolerance {tolerance_ang} Å)")))
}

/// Sites sorted into bins, so that the nearest to a place is found among few.
struct SiteBins<'a> {
    lattice: &'a Lattice,
    frac_coords: &'a [[f64; 3]],
    bins: i32,
    sites_in: HashMap<[i32; 3], Vec<usize>>,
    /// Sites closer than this are in the bin of the place or in those around it.
    sure_ang: f64,
}

impl<'a> SiteBins<'a> {
    fn new(lattice: &'a Lattice, frac_coords: &'a [[f64; 3]]) -> Self {
        let bins = (frac_coords.len() as f64).cbrt().ceil() as i32;
        // Planes of the cell are 1/|b_i| apart.
        let apart = lattice.reciprocal().map(|b| 1.0 / dot(b, b).sqrt());
        let mut new = Self {
            lattice,
            frac_coords,
            bins,
            sites_in: HashMap::new(),
            sure_ang: apart.into_iter().fold(f64::INFINITY, f64::min) / f64::from(bins + 1),
        };
        for (site, &x) in frac_coords.iter().enumerate() {
            new.sites_in.entry(new.bin(x)).or_default().push(site);
        }
        new
    }

    fn bin(&self, x: [f64; 3]) -> [i32; 3] {
        x.map(|x| (((x - x.floor()) * f64::from(self.bins)) as i32).min(self.bins - 1))
    }

    fn distance_ang(&self, x: [f64; 3], site: usize) -> f64 {
        let delta = subtract(x, self.frac_coords[site]).map(|d| d - d.round());
        let cart = self.lattice.to_cart(delta);
        dot(cart, cart).sqrt()
    }

    /// The nearest site that is not taken.
    fn nearest(&self, x: [f64; 3], taken: &[bool]) -> Option<usize> {
        let nearest_of = |sites: &mut dyn Iterator<Item = usize>| {
            sites
                .filter(|&site| !taken[site])
                .map(|site| (site, self.distance_ang(x, site)))
                .min_by(|(_, one), (_, other)| one.total_cmp(other))
        };
        let around = neighbouring(self.bin(x), [self.bins; 3]);
        let mut around = around
            .iter()
            .filter_map(|bin| self.sites_in.get(bin))
            .flatten()
            .copied();
        nearest_of(&mut around)
            .filter(|&(_, distance)| distance < self.sure_ang)
            .or_else(|| nearest_of(&mut (0..self.frac_coords.len())))
            .map(|(site, _)| site)
    }
}

/// Which site each site is sent to: the nearest, which must be nearest to no other.
fn permutation_of(
    sites: &SiteBins<'_>,
    rotation: Matrix3,
    translation: [f64; 3],
) -> Result<Vec<usize>, CrystalError> {
    let mut taken = vec![false; sites.frac_coords.len()];
    sites
        .frac_coords
        .iter()
        .map(|&x| {
            let image = add(apply(rotation, x), translation);
            let nearest = sites
                .nearest(image, &taken)
                .ok_or_else(|| CrystalError::Symmetry("two sites share one image".to_owned()))?;
            taken[nearest] = true;
            Ok(nearest)
        })
        .collect()
}

fn average_lattice(
    lattice: &Lattice,
    operations: &[SiteOperation],
) -> Result<Lattice, CrystalError> {
    let metric = lattice.metric();
    let mut mean = [[0.0; 3]; 3];
    for operation in operations {
        let turned = multiply(
            transpose(operation.rotation),
            multiply(metric, operation.rotation),
        );
        for (mean_row, row) in mean.iter_mut().zip(turned) {
            for (sum, x) in mean_row.iter_mut().zip(row) {
                *sum += x / operations.len() as f64;
            }
        }
    }
    let keep_volume = (determinant(metric) / determinant(mean)).powf(1.0 / 6.0);
    let lengths: [f64; 3] = std::array::from_fn(|i| mean[i][i].sqrt() * keep_volume);
    let angle = |i: usize, j: usize| {
        nice_degrees(
            (mean[i][j] / (mean[i][i] * mean[j][j]).sqrt())
                .clamp(-1.0, 1.0)
                .acos(),
        )
    };
    let exact = Lattice::from_parameters(
        nice_lengths(lengths),
        [angle(1, 2), angle(0, 2), angle(0, 1)],
    )?;
    Ok(exact.scaled((lattice.volume() / exact.volume()).cbrt()))
}

/// Lengths that the averaging left equal up to rounding become the same number.
fn nice_lengths(lengths: [f64; 3]) -> [f64; 3] {
    let [a, b, c] = lengths;
    let same = |x: f64, y: f64| (x - y).abs() < 1e-12 * y;
    let b = if same(b, a) { a } else { b };
    let c = if same(c, a) {
        a
    } else if same(c, b) {
        b
    } else {
        c
    };
    [a, b, c]
}

/// An angle in degrees, free of rounding at the multiples of 30° that symmetry asks for.
fn nice_degrees(radians: f64) -> f64 {
    let degrees = radians.to_degrees();
    let nice = (degrees / 30.0).round() * 30.0;
    if (degrees - nice).abs() < 1e-11 {
        nice
    } else {
        degrees
    }
}

fn average_positions(frac_coords: &[[f64; 3]], operations: &[SiteOperation]) -> Vec<[f64; 3]> {
    let count = frac_coords.len() as f64;
    let mean = |vectors: &[[f64; 3]]| -> [f64; 3] {
        std::array::from_fn(|axis| vectors.iter().map(|v| v[axis]).sum::<f64>() / count)
    };
    let centroid = mean(frac_coords);
    let mut displacements = vec![[0.0; 3]; frac_coords.len()];
    for operation in operations {
        // Whole cells between the image of a site and the site that it is sent to.
        let cells: Vec<[f64; 3]> = frac_coords
            .iter()
            .zip(&operation.permutation)
            .map(|(&x, &to)| {
                let image = add(apply(operation.rotation, x), operation.translation);
                subtract(image, frac_coords[to]).map(f64::round)
            })
            .collect();
        let mean_cells = mean(&cells);
        for ((&x, &to), cells) in frac_coords.iter().zip(&operation.permutation).zip(&cells) {
            let turned = apply(operation.rotation, subtract(x, centroid));
            let image = subtract(add(turned, mean_cells), *cells);
            for (sum, value) in displacements[to].iter_mut().zip(image) {
                *sum += value / operations.len() as f64;
            }
        }
    }
    displacements
        .into_iter()
        .map(|d| add(centroid, d).map(nice_fraction))
        .collect()
}

/// A coordinate in [0, 1), free of rounding at multiples of 1/24.
pub(crate) fn nice_fraction(x: f64) -> f64 {
    let nice = (x * 24.0).round() / 24.0;
    let x = if (x - nice).abs() < 1e-10 { nice } else { x };
    let wrapped = x - x.floor();
    if wrapped >= 1.0 { 0.0 } else { wrapped }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Crystal, Skeleton};

    /// Identity: a site may be written in any cell.
    #[test]
    fn far_cells_have_the_same_symmetry() {
        for skeleton in Skeleton::builtins().unwrap() {
            let mut far = skeleton.frac_coords.clone();
            for (site, x) in far.iter_mut().enumerate() {
                x[site % 3] += [65536.0, -3.0, 99_000.0][site % 3];
            }
            let found = symmetrize(&skeleton.lattice, &far, SYMMETRY_TOLERANCE_ANG);
            let (_, _, symmetry) = found.unwrap();
            assert_eq!(symmetry, skeleton.symmetry, "{}", skeleton.label);
        }
    }

    /// Identity: turning keeps the metric. Oracle for the axes: every operation of a cubic
    /// skeleton is a signed permutation of x, y and z.
    #[test]
    fn oriented_cubic_skeletons_have_axes_along_xyz() {
        for skeleton in Skeleton::builtins().unwrap() {
            let elements = vec!["Li".parse().unwrap(); skeleton.sites()];
            let crystal = Crystal::new(skeleton.clone(), elements).unwrap();
            let lattice = crystal.oriented_structure().unwrap().lattice;
            let (before, after) = (skeleton.lattice.metric(), lattice.metric());
            for (x, y) in before.iter().flatten().zip(after.iter().flatten()) {
                assert!((x - y).abs() < 1e-9, "{}: {x} {y}", skeleton.label);
            }
            let found = dataset(
                &lattice,
                &skeleton.frac_coords,
                &vec![1; skeleton.sites()],
                SYMMETRY_TOLERANCE_ANG,
            )
            .unwrap();
            for operation in found.operations.iter() {
                let rotation = operation.rotation_as_array().map(|row| row.map(f64::from));
                // Cartesian: x → Mᵀ W M⁻ᵀ x, with the lattice vectors as rows of M.
                let columns = transpose(lattice.vectors());
                let inverse = lattice.reciprocal();
                let cart = multiply(columns, multiply(rotation, inverse));
                for x in cart.iter().flatten() {
                    assert!((x - x.round()).abs() < 1e-9, "{}: {cart:?}", skeleton.label);
                }
            }
        }
    }
}
