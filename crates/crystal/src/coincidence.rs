//! Sites that coincide, with each other or with their own images.

use std::collections::HashMap;

use crate::{
    CrystalError, Lattice,
    matrix::{add, dot, subtract},
    niggli_reduce,
};

/// Sites closer than this cannot be two atoms, nor can a lattice that repeats after less hold one: the
/// shortest bond, H₂'s, has 0.74 Å. pymatgen's `DISTANCE_TOLERANCE` is the same.
pub(crate) const CLOSEST_SITES_ANG: f64 = 0.5;

/// Refuses sites within 0.5 Å of each other and lattices that repeat within 0.5 Å.
///
/// In the Niggli cell, whose planes are far apart, sites are sorted into bins at least 0.5 Å wide,
/// so that each is compared with those of neighbouring bins only.
///
/// # Errors
/// [`CrystalError::InvalidStructure`].
pub(crate) fn reject_coinciding_sites(
    lattice: &Lattice,
    frac_coords: &[[f64; 3]],
) -> Result<(), CrystalError> {
    let (reduced, _) = niggli_reduce(lattice)?;
    let shortest = reduced.lengths().into_iter().fold(f64::INFINITY, f64::min);
    if shortest < CLOSEST_SITES_ANG {
        return Err(CrystalError::InvalidStructure(format!(
            "each site is {shortest:.4} Å from its own image, expected at least \
             {CLOSEST_SITES_ANG} Å"
        )));
    }
    // Planes of the cell are 1/|b_i| apart.
    let apart_ang = reduced.reciprocal().map(|b| 1.0 / dot(b, b).sqrt());
    let bins = apart_ang.map(|apart| (apart / CLOSEST_SITES_ANG).floor().clamp(1.0, 1e6) as i32);
    // Where planes are less than 1 Å apart, the nearest image may lie one cell on from the rounded one; not two,
    // since planes of a Niggli cell are at least 1/√2 of its shortest vector apart.
    let is_tiny = apart_ang
        .iter()
        .any(|apart| *apart < 2.0 * CLOSEST_SITES_ANG);
    let images: Vec<[f64; 3]> = match is_tiny {
        true => (0..27)
            .map(|n| [n / 9, n / 3 % 3, n % 3].map(|i| f64::from(i - 1)))
            .collect(),
        false => vec![[0.0; 3]],
    };
    let mut sites_in = HashMap::<[i32; 3], Vec<usize>>::with_capacity(frac_coords.len());
    let mut places = Vec::<[f64; 3]>::with_capacity(frac_coords.len());
    for (site, &x) in frac_coords.iter().enumerate() {
        let home = lattice.to_cart(x.map(|x| x - x.floor()));
        let place = reduced.to_frac(home).map(|x| x - x.floor());
        let bin: [i32; 3] = std::array::from_fn(|axis| {
            ((place[axis] * f64::from(bins[axis])) as i32).min(bins[axis] - 1)
        });
        for near in neighbouring(bin, bins) {
            for &other in sites_in.get(&near).into_iter().flatten() {
                let delta = subtract(place, places[other]).map(|d| d - d.round());
                let distances = images.iter().map(|image| {
                    let cart = reduced.to_cart(add(delta, *image));
                    dot(cart, cart).sqrt()
                });
                let distance = distances.fold(f64::INFINITY, f64::min);
                if distance < CLOSEST_SITES_ANG {
                    return Err(CrystalError::InvalidStructure(format!(
                        "sites {other} and {site} are {distance:.4} Å apart, expected at least \
                         {CLOSEST_SITES_ANG} Å"
                    )));
                }
            }
        }
        sites_in.entry(bin).or_default().push(site);
        places.push(place);
    }
    Ok(())
}

/// The bin and those around it, across the borders of the cell, each once.
pub(crate) fn neighbouring(bin: [i32; 3], bins: [i32; 3]) -> Vec<[i32; 3]> {
    let along = |axis: usize| {
        let mut near: Vec<i32> = (-1..=1)
            .map(|step| (bin[axis] + step).rem_euclid(bins[axis]))
            .collect();
        near.sort_unstable();
        near.dedup();
        near
    };
    let [first, second, third] = [along(0), along(1), along(2)];
    let mut all = Vec::with_capacity(27);
    for &i in &first {
        for &j in &second {
            all.extend(third.iter().map(|&k| [i, j, k]));
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn is_refused(lattice: &Lattice, frac_coords: &[[f64; 3]]) -> bool {
        reject_coinciding_sites(lattice, frac_coords).is_err()
    }

    /// Oracle: the closed form of the distance in a cube.
    #[test]
    fn the_limits_in_a_cube() {
        let cube = |a: f64| Lattice::from_parameters([a; 3], [90.0; 3]).unwrap();
        for a in [0.011, 0.1, 0.3, 0.499] {
            assert!(is_refused(&cube(a), &[[0.3; 3]]), "{a}");
        }
        assert!(!is_refused(&cube(0.501), &[[0.3; 3]]));
        for (dx, refused) in [(0.0, true), (0.499, true), (0.501, false), (3.55, true)] {
            let sites = [[0.0, 0.5, 7.5], [dx / 4.0, -2.5, 0.5]];
            assert_eq!(is_refused(&cube(4.0), &sites), refused, "{dx}");
        }
    }

    /// Oracle: a flat cell whose second vector is long although the lattice repeats after 0.3 Å.
    #[test]
    fn a_short_translation_hidden_in_long_vectors() {
        let lattice = Lattice::new([[30.0, 0.0, 0.0], [30.3, 0.0, 0.1], [0.0, 9.0, 0.0]]).unwrap();
        assert!(is_refused(&lattice, &[[0.0; 3]]));
    }

    /// Oracle: 0.4506 Å by all images around. Half of this cell is less than 0.5 Å, so that rounding finds a further
    /// image than the nearest.
    #[test]
    fn the_nearest_image_in_a_tiny_cell() {
        let angles = [
            113.360_203_257_925_46,
            104.699_267_513_290_92,
            81.785_283_332_848_5,
        ];
        let lattice = Lattice::from_parameters([1.313_139_565_438_335, 0.8, 0.8], angles).unwrap();
        let sites = [
            [0.0, -0.655_165_710_293_958_6, 0.802_573_956_868_084_5],
            [0.0, -1.279_416_793_060_664, 0.396_773_851_520_157_5],
        ];
        assert!(is_refused(&lattice, &sites));
    }

    proptest! {
        /// Oracle: all images in the 5 × 5 × 5 cells around, compared pair by pair.
        #[test]
        fn as_every_pair_and_image_say(
            lengths in prop::array::uniform3(0.8..3.0f64),
            angles in prop::array::uniform3(60.0..115.0f64),
            sites in prop::collection::vec(prop::array::uniform3(-2.0..2.0f64), 1..30),
        ) {
            let Ok(lattice) = Lattice::from_parameters(lengths, angles) else { return Ok(()) };
            prop_assume!(lattice.volume() > 0.3 * lengths.iter().product::<f64>());
            let mut closest = f64::INFINITY;
            for (j, y) in sites.iter().enumerate() {
                for x in &sites[..j] {
                    let home = subtract(*x, *y).map(|d| d - d.round());
                    for cell in 0..125 {
                        let image = [cell % 5, cell / 5 % 5, cell / 25].map(|i| f64::from(i - 2));
                        let cart = lattice.to_cart(add(home, image));
                        closest = closest.min(dot(cart, cart).sqrt());
                    }
                }
            }
            prop_assert_eq!(is_refused(&lattice, &sites), closest < CLOSEST_SITES_ANG);
        }
    }
}
