//! The atoms of the cell: all images of every site, those of rounded positions made one.
//!
//! A site whose written position is as good as on a symmetry element, within what rounding
//! explains, is put on it: x ← mean of its images under the operations that keep it. Images of a
//! site keep their distances, so two images of one site are as far apart as the site is from an
//! image of its own; one that is closer than any two atoms and farther than rounding is an error.

use super::{
    error::parse_error,
    expanded::{Expanded, Orbit},
    operation::{Operation, wrap},
    sites::Site,
    symmetry::Reading,
};
use crate::{
    CrystalError, Lattice, SYMMETRY_TOLERANCE_ANG,
    coincidence::CLOSEST_SITES_ANG,
    matrix::{add, dot, multiply, scale, subtract, transpose},
};

mod near;
use near::Near;

/// Distance (Å) up to which positions that symmetry makes equal differ by rounding of arithmetic.
const EQUAL_ANG: f64 = 1e-4;
/// Relative change of a length, and change of a cosine, up to which an operation keeps the cell.
const CELL_TOLERANCE: f64 = 0.01;
/// Sites of the largest cell that is made.
const MOST_SITES: usize = 2_000_000;

/// All atoms under one reading of the symmetry.
///
/// # Errors
/// [`CrystalError::Parse`] with the site, if the operations do not fit the cell or the sites.
pub(super) fn expand(
    lattice: &Lattice,
    sites: &[Site],
    reading: &Reading,
    line: usize,
) -> Result<Expanded, CrystalError> {
    let operations = &reading.operations;
    check_cell(lattice, reading).map_err(|message| parse_error(line, message))?;
    let identity = Operation::IDENTITY.rotation;
    let mut crystal = Expanded {
        elements: Vec::new(),
        frac_coords: Vec::new(),
        orbits: Vec::new(),
        operations: operations.len(),
        centrings: operations.iter().filter(|o| o.rotation == identity).count(),
    };
    let mut near = Near::new(lattice);
    // Reach in Å of every atom so far, and which site it comes from.
    let mut origins: Vec<(f64, usize)> = Vec::new();
    for (index, site) in sites.iter().enumerate() {
        let error = |message: String| parse_error(site.line, message);
        let (position, stabilizer) = snap(lattice, site, operations).map_err(error)?;
        let images = images(lattice, position, operations, &stabilizer);
        crystal.orbits.push(Orbit {
            label: site.label.clone(),
            sites: images.len(),
            stated_multiplicity: site.multiplicity,
        });
        let reach_ang = reach_ang(lattice, site);
        if let Some((other, distance)) = near.closest(&crystal.frac_coords, position) {
            let (other_reach, origin) = origins[other];
            let one = crystal.elements[other] == site.element;
            let explained = (reach_ang + other_reach).max(SYMMETRY_TOLERANCE_ANG);
            if one && distance <= explained {
                continue;
            }
            let known = &sites[origin];
            return Err(error(format!(
                "site {} ({}) lies {distance:.4} Å from {} ({}) of line {}, expected at least \
                 {CLOSEST_SITES_ANG} Å{}",
                site.label,
                site.element,
                known.label,
                known.element,
                known.line,
                if one {
                    ""
                } else {
                    ": a site holds one element"
                },
            )));
        }
        if crystal.frac_coords.len() + images.len() > MOST_SITES {
            return Err(error(format!("more than {MOST_SITES} sites in the cell")));
        }
        for image in images {
            near.insert(crystal.frac_coords.len(), image);
            crystal.elements.push(site.element);
            crystal.frac_coords.push(image);
            origins.push((reach_ang, index));
        }
    }
    Ok(crystal)
}

/// Whether the operations keep the lengths and angles of the cell.
fn check_cell(lattice: &Lattice, reading: &Reading) -> Result<(), String> {
    let metric = lattice.metric();
    for operation in &reading.operations {
        let rotation = operation.matrix();
        let turned = multiply(transpose(rotation), multiply(metric, rotation));
        for i in 0..3 {
            for j in 0..3 {
                let size = (metric[i][i] * metric[j][j]).sqrt();
                if (turned[i][j] - metric[i][j]).abs() > CELL_TOLERANCE * size {
                    let ([a, b, c], [alpha, beta, gamma]) = (lattice.lengths(), lattice.angles());
                    return Err(format!(
                        "the cell (a = {a:.4}, b = {b:.4}, c = {c:.4} Å, α = {alpha:.3}, \
                         β = {beta:.3}, γ = {gamma:.3}°) has not the symmetry of {}",
                        reading.name
                    ));
                }
            }
        }
    }
    Ok(())
}

/// Distance in Å that the rounding of a site's coordinates can make.
fn reach_ang(lattice: &Lattice, site: &Site) -> f64 {
    let lengths = lattice.lengths();
    (0..3).map(|i| site.reach[i] * lengths[i]).sum()
}

/// The position of a site on the symmetry elements that it lies on, and the operations that keep
/// it, by index.
fn snap(
    lattice: &Lattice,
    site: &Site,
    operations: &[Operation],
) -> Result<([f64; 3], Vec<usize>), String> {
    let mut position = site.frac;
    let mut kept = Vec::new();
    let mut shift = [0.0; 3];
    for (index, operation) in operations.iter().enumerate() {
        let (delta, distance) = to_image(lattice, position, operation);
        if distance < SYMMETRY_TOLERANCE_ANG
            || (distance < CLOSEST_SITES_ANG && explained(site, operation, delta))
        {
            kept.push(index);
            shift = add(shift, delta);
        }
    }
    if kept.len() > 1 {
        position = add(position, scale(shift, 1.0 / kept.len() as f64)).map(nice);
    }
    let mut stabilizer = Vec::new();
    for (index, operation) in operations.iter().enumerate() {
        let (_, distance) = to_image(lattice, position, operation);
        if distance < EQUAL_ANG {
            stabilizer.push(index);
        } else if distance < CLOSEST_SITES_ANG {
            return Err(format!(
                "site {} lies {distance:.4} Å from an image of its own, expected none closer than \
                 {CLOSEST_SITES_ANG} Å: write its coordinates with more decimals, or as those of the \
                 special position that is meant",
                site.label
            ));
        }
    }
    if !operations.len().is_multiple_of(stabilizer.len()) {
        return Err(format!(
            "{} of {} operations keep site {}, expected a divisor",
            stabilizer.len(),
            operations.len(),
            site.label
        ));
    }
    Ok((position, stabilizer))
}

/// From a position to its nearest image under an operation, and how far in Å.
fn to_image(lattice: &Lattice, position: [f64; 3], operation: &Operation) -> ([f64; 3], f64) {
    let delta = subtract(operation.apply(position), position).map(|d| d - d.round());
    let cart = lattice.to_cart(delta);
    (delta, dot(cart, cart).sqrt())
}

/// Whether the true position of a site can lie where the operation keeps it.
fn explained(site: &Site, operation: &Operation, delta: [f64; 3]) -> bool {
    (0..3).all(|i| {
        let bound: f64 = (0..3)
            .map(|j| {
                let unit = if i == j { 1 } else { 0 };
                f64::from((operation.rotation[i][j] - unit).abs()) * site.reach[j]
            })
            .sum();
        delta[i].abs() <= bound * 1.001 + 1e-9
    })
}

/// One image for each coset of the operations that keep the position; the position itself first,
/// as it is written, the others in [0, 1).
fn images(
    lattice: &Lattice,
    position: [f64; 3],
    operations: &[Operation],
    stabilizer: &[usize],
) -> Vec<[f64; 3]> {
    let mut images = vec![position];
    let count = operations.len() / stabilizer.len();
    for operation in operations {
        if images.len() == count {
            break;
        }
        let image = operation.apply(position).map(|x| wrap(nice(x)));
        let known = stabilizer.len() > 1 || operation == &Operation::IDENTITY;
        let is_known = known
            && images.iter().any(|other| {
                let delta = subtract(image, *other).map(|d| d - d.round());
                let cart = lattice.to_cart(delta);
                dot(cart, cart).sqrt() < CLOSEST_SITES_ANG / 2.0
            });
        if !is_known {
            images.push(image);
        }
    }
    images
}

/// A coordinate free of rounding at multiples of 1/24.
fn nice(x: f64) -> f64 {
    let nearest = (x * 24.0).round() / 24.0;
    if (x - nearest).abs() < 1e-10 {
        nearest
    } else {
        x
    }
}
