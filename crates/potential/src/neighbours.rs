//! Pairs of sites within a cutoff, periodic images included.

use crystalgym_crystal::Structure;

use crate::PotentialError;

/// Shortest distance in Å at which two sites are two.
const SAME_PLACE_ANG: f64 = 1e-8;

/// Two sites within the cutoff, counted once.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Pair {
    pub(crate) first: u32,
    pub(crate) second: u32,
    /// From the image of the second site to the first, in Å.
    pub(crate) vector: [f64; 3],
    pub(crate) length: f64,
}

/// All pairs of sites and images with `1e-8 < r ≤ cutoff_ang`, each once: of `i → j + T` and
/// `j → i − T` the one with `i < j`, or with the first non-zero component of `T` positive.
///
/// The images to look at are bounded pair by pair: along lattice vector k the plane spacing is
/// `1/|bₖ|`, so that `|fₖ − Tₖ| ≤ cutoff |bₖ|` for the difference `f` of the fractional positions.
/// The cost grows as the square of the number of sites with a small factor, and as the number of
/// pairs.
///
/// # Errors
/// [`PotentialError::TooLarge`] for more than `most` pairs.
pub(crate) fn pairs_within(
    structure: &Structure,
    cutoff_ang: f64,
    most: usize,
) -> Result<Vec<Pair>, PotentialError> {
    let lattice = &structure.lattice;
    let reach = lattice
        .reciprocal()
        .map(|b| cutoff_ang * norm(b) * (1.0 + 1e-12) + 1e-12);
    let rows = lattice.vectors();
    // Within the cell, so that the ranges below are short for positions far outside it too.
    let wrapped: Vec<[f64; 3]> = structure
        .frac_coords
        .iter()
        .map(|x| x.map(|x| x - x.floor()))
        .collect();
    let mut pairs = Vec::new();
    for (i, x) in wrapped.iter().enumerate() {
        for (j, y) in wrapped.iter().enumerate().skip(i) {
            let difference: [f64; 3] = std::array::from_fn(|k| x[k] - y[k]);
            let range = |k: usize| {
                let from = (difference[k] - reach[k]).ceil() as i64;
                let to = (difference[k] + reach[k]).floor() as i64;
                from..=to
            };
            for a in range(0) {
                for b in range(1) {
                    for c in range(2) {
                        if i == j && (a, b, c) <= (0, 0, 0) {
                            continue;
                        }
                        let f = [
                            difference[0] - a as f64,
                            difference[1] - b as f64,
                            difference[2] - c as f64,
                        ];
                        let vector: [f64; 3] = std::array::from_fn(|k| {
                            f[0] * rows[0][k] + f[1] * rows[1][k] + f[2] * rows[2][k]
                        });
                        let length = norm(vector);
                        if length <= SAME_PLACE_ANG || length > cutoff_ang {
                            continue;
                        }
                        if pairs.len() == most {
                            return Err(PotentialError::TooLarge {
                                what: "bonds",
                                limit: most,
                            });
                        }
                        pairs.push(Pair {
                            first: i as u32,
                            second: j as u32,
                            vector,
                            length,
                        });
                    }
                }
            }
        }
    }
    Ok(pairs)
}

fn norm(v: [f64; 3]) -> f64 {
    (v[0] * v[0] + v[1] * v[1] + v[2] * v[2]).sqrt()
}

#[cfg(test)]
mod tests {
    use crystalgym_crystal::{Element, Lattice};

    use super::*;

    fn structure(rows: [[f64; 3]; 3], positions: &[[f64; 3]]) -> Structure {
        let element = Element::from_atomic_number(14).unwrap();
        Structure::new(
            Lattice::new(rows).unwrap(),
            vec![element; positions.len()],
            positions.to_vec(),
        )
        .unwrap()
    }

    /// Oracle: all images within a generous box, both directions counted.
    #[test]
    fn every_pair_is_found_once_in_any_cell() {
        let cells = [
            structure(
                [[4.0, 0.0, 0.0], [0.0, 4.0, 0.0], [0.0, 0.0, 4.0]],
                &[[0.0; 3]],
            ),
            structure(
                [[2.6, 0.1, 0.0], [-1.2, 2.3, 0.2], [7.0, 6.0, 3.1]],
                &[[0.1, 0.2, 0.3], [0.6, 0.7, 0.9]],
            ),
            structure(
                [[30.0, 0.0, 0.0], [4.0, 25.0, 0.0], [1.0, 2.0, 9.0]],
                &[[0.01, 0.99, 0.5], [7.98, -3.02, 0.45], [0.5, 0.5, 0.5]],
            ),
            structure(
                [[-3.0, 0.0, 0.0], [0.0, 3.0, 1.0], [2.9, 2.9, 2.9]],
                &[[0.0; 3], [0.5, 0.5, 0.5]],
            ),
        ];
        for cell in cells {
            let mut found: Vec<i64> = pairs_within(&cell, 6.0, usize::MAX)
                .unwrap()
                .iter()
                .flat_map(|pair| {
                    let r = (pair.length * 1e7).round() as i64;
                    let (i, j) = (i64::from(pair.first), i64::from(pair.second));
                    [r * 100 + 10 * i + j, r * 100 + 10 * j + i]
                })
                .collect();
            let mut expected = Vec::new();
            let sites = &cell.frac_coords;
            for (i, x) in sites.iter().enumerate() {
                for (j, y) in sites.iter().enumerate() {
                    let box_of = |k: usize| {
                        let shift = (x[k] - y[k]).round() as i64;
                        shift - 8..=shift + 8
                    };
                    for a in box_of(0) {
                        for b in box_of(1) {
                            for c in box_of(2) {
                                let image = [a, b, c].map(|n| n as f64);
                                let f = std::array::from_fn(|k| x[k] - y[k] - image[k]);
                                let length = norm(cell.lattice.to_cart(f));
                                if length > 1e-8 && length <= 6.0 {
                                    let r = (length * 1e7).round() as i64;
                                    expected.push(r * 100 + 10 * i as i64 + j as i64);
                                }
                            }
                        }
                    }
                }
            }
            found.sort_unstable();
            expected.sort_unstable();
            assert!(!expected.is_empty());
            assert_eq!(found, expected);
        }
    }

    #[test]
    fn too_many_pairs_are_refused() {
        let cell = structure(
            [[2.0, 0.0, 0.0], [0.0, 2.0, 0.0], [0.0, 0.0, 2.0]],
            &[[0.0; 3]],
        );
        assert!(pairs_within(&cell, 6.0, 1000).is_ok());
        assert!(matches!(
            pairs_within(&cell, 6.0, 10),
            Err(PotentialError::TooLarge { limit: 10, .. })
        ));
    }
}
