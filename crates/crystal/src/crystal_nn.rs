//! Which sites are bonded: CrystalNN (Pan, Ganose, Horton et al., Inorg. Chem. 60, 1590 (2021))
//! with the published arguments `distance_cutoffs=None, x_diff_weight=-1, porous_adjustment=False`,
//! under which only the geometry counts.

use std::{collections::BTreeSet, f64::consts::FRAC_PI_4};

use crate::{CrystalError, Lattice, voronoi::voronoi_faces};

/// An undirected bond: `image` is the cell of `second` seen from `first` at home.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Bond {
    pub(crate) first: usize,
    pub(crate) second: usize,
    pub(crate) image: [i32; 3],
}

impl Bond {
    /// The bond written from its lower site; of a site with its own image, from the side on which
    /// the first non-zero component of the image is positive.
    fn new(site: usize, neighbour: usize, image: [i32; 3]) -> Self {
        let backwards = image.iter().find(|&&i| i != 0).is_some_and(|&i| i < 0);
        if neighbour < site || (neighbour == site && backwards) {
            Self {
                first: neighbour,
                second: site,
                image: image.map(|i| -i),
            }
        } else {
            Self {
                first: site,
                second: neighbour,
                image,
            }
        }
    }
}

/// All bonds, sorted; one exists if either end counts the other as a neighbour.
pub(crate) fn crystal_nn_bonds(
    lattice: &Lattice,
    frac_coords: &[[f64; 3]],
) -> Result<Vec<Bond>, CrystalError> {
    let mut bonds = BTreeSet::new();
    for site in 0..frac_coords.len() {
        for (neighbour, image) in neighbours(lattice, frac_coords, site)? {
            bonds.insert(Bond::new(site, neighbour, image));
        }
    }
    Ok(bonds.into_iter().collect())
}

/// Neighbours of `site` by the most probable coordination number.
fn neighbours(
    lattice: &Lattice,
    frac_coords: &[[f64; 3]],
    site: usize,
) -> Result<Vec<(usize, [i32; 3])>, CrystalError> {
    let faces = voronoi_faces(lattice, frac_coords, site)?;
    let largest = faces
        .iter()
        .map(|face| face.solid_angle)
        .fold(0.0, f64::max);
    // Thousandths as whole numbers, so that equal weights compare equal.
    let weights: Vec<u32> = faces
        .iter()
        .map(|face| round_half_even(1000.0 * face.solid_angle / largest))
        .collect();
    let threshold = likeliest_threshold(&weights);
    Ok(faces
        .into_iter()
        .zip(weights)
        .filter(|&(_, weight)| weight > 0 && weight >= threshold)
        .map(|(face, _)| (face.site, face.image))
        .collect())
}

/// The weight (in thousandths) down to which faces are neighbours.
///
/// With the distinct weights w₁ = 1 > w₂ > … > wₘ > 0, taking all faces down to w_k has the
/// probability `[F(w_k) − F(w_{k+1})] / (π/4)`, the share of a quarter circle between the two.
fn likeliest_threshold(weights: &[u32]) -> u32 {
    let mut distinct: Vec<u32> = weights
        .iter()
        .copied()
        .filter(|&weight| weight > 0)
        .collect();
    distinct.sort_unstable_by(|a, b| b.cmp(a));
    distinct.dedup();
    distinct.push(0);
    let mut best = (f64::NEG_INFINITY, 0);
    for pair in distinct.windows(2) {
        let area = quarter_circle_area(f64::from(pair[0]) / 1000.0)
            - quarter_circle_area(f64::from(pair[1]) / 1000.0);
        // The smaller coordination number wins a tie.
        if area > best.0 {
            best = (area, pair[0]);
        }
    }
    best.1
}

/// `F(x) = ½ (x √(1−x²) + arctan(x / √(1−x²)))`, the area of the unit quarter circle up to x.
fn quarter_circle_area(x: f64) -> f64 {
    if x >= 1.0 {
        return FRAC_PI_4;
    }
    let y = (1.0 - x * x).sqrt();
    0.5 * (x * y + (x / y).atan())
}

fn round_half_even(x: f64) -> u32 {
    x.round_ties_even() as u32
}

#[cfg(test)]
mod tests {
    use crate::{CrystalGraph, Lattice};

    fn degrees(length: f64, angle: f64, frac_coords: &[[f64; 3]]) -> (usize, Vec<usize>) {
        let lattice = Lattice::from_parameters([length; 3], [angle; 3]).unwrap();
        let graph = CrystalGraph::crystal_nn(&lattice, frac_coords).unwrap();
        (
            graph.bonds(),
            (0..frac_coords.len())
                .map(|site| graph.degree(site))
                .collect(),
        )
    }

    const O: [f64; 3] = [0.0; 3];
    const HALF: [f64; 3] = [0.5; 3];

    /// Oracle: pymatgen 2025.1.9 on the same prototypes.
    #[test]
    fn prototypes() {
        let faces = [[0.5, 0.5, 0.0], [0.5, 0.0, 0.5], [0.0, 0.5, 0.5]];
        let perovskite = [O, HALF, faces[0], faces[1], faces[2]];
        assert_eq!(degrees(4.0, 90.0, &perovskite), (18, vec![12, 6, 6, 6, 6]));
        assert_eq!(
            degrees(4.27479887, 90.0, &perovskite),
            (18, vec![12, 6, 6, 6, 6])
        );
        let bcc4 = [faces[1], faces[0], faces[2], O];
        assert_eq!(degrees(5.16929865, 109.47122063, &bcc4), (12, vec![6; 4]));
        let (x, y) = (0.2339, 0.7661);
        let star = [O, [x, y, y], [y, x, y], [y, y, x], [x, x, x]];
        assert_eq!(degrees(6.68642807, 90.0, &star), (4, vec![4, 1, 1, 1, 1]));
        let fcc = |a: f64| a / 2f64.sqrt();
        let quarter = [0.25; 3];
        assert_eq!(
            degrees(fcc(5.64), 60.0, &[O, HALF]),
            (6, vec![6, 6]),
            "rock salt"
        );
        assert_eq!(
            degrees(fcc(5.43), 60.0, &[O, quarter]),
            (4, vec![4, 4]),
            "diamond"
        );
        let heusler = [O, HALF, [0.75; 3], quarter];
        assert_eq!(
            degrees(fcc(6.0), 60.0, &heusler),
            (16, vec![8; 4]),
            "full Heusler"
        );
        let half_heusler = [quarter, O, HALF];
        assert_eq!(
            degrees(fcc(6.0), 60.0, &half_heusler),
            (14, vec![8, 10, 10])
        );
        assert_eq!(degrees(4.1437, 90.0, &[O, HALF]), (8, vec![8, 8]), "CsCl");
        assert_eq!(
            degrees(3.8, 90.0, &[O, faces[0], faces[1], faces[2]]),
            (24, vec![12; 4])
        );
        let edges = [[0.5, 0.0, 0.0], [0.0, 0.5, 0.0], [0.0, 0.0, 0.5]];
        let rhenium_trioxide = [O, edges[0], edges[1], edges[2]];
        assert_eq!(
            degrees(3.8, 90.0, &rhenium_trioxide),
            (18, vec![6, 10, 10, 10])
        );
        assert_eq!(
            degrees(fcc(5.46), 60.0, &[O, quarter, [0.75; 3]]),
            (14, vec![8, 10, 10])
        );
        assert_eq!(degrees(fcc(4.0), 60.0, &[O]), (6, vec![12]), "fcc");
        assert_eq!(degrees(3.0, 109.47122063449069, &[O]), (4, vec![8]), "bcc");
    }
}
