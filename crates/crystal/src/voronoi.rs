//! The Voronoi cell of one site by cutting a cube with bisecting planes.

use crate::{
    CrystalError, Lattice,
    matrix::{add, cross, dot, scale, subtract},
};

/// A face of a Voronoi cell.
pub(crate) struct Face {
    /// Site on the other side.
    pub(crate) site: usize,
    /// Its image.
    pub(crate) image: [i32; 3],
    /// Solid angle under which the centre sees the face, in steradian.
    pub(crate) solid_angle: f64,
}

/// Vertices closer to a plane than this (in Å) lie on it.
const ON_PLANE_ANG: f64 = 1e-9;
/// Radius in Å at which the search for neighbours starts; it doubles until the cell closes.
const FIRST_RADIUS_ANG: f64 = 7.0;
const LAST_RADIUS_ANG: f64 = 224.0;

struct Neighbour {
    site: usize,
    image: [i32; 3],
    offset: [f64; 3],
    distance: f64,
}

/// A convex polygon and what it borders on (`None`: the starting cube).
struct Polygon {
    neighbour: Option<usize>,
    vertices: Vec<[f64; 3]>,
}

/// Faces of the Voronoi cell of site `centre`, those of vanishing size included.
///
/// # Errors
/// [`CrystalError::InvalidStructure`] if no neighbour closes the cell within 224 Å.
pub(crate) fn voronoi_faces(
    lattice: &Lattice,
    frac_coords: &[[f64; 3]],
    centre: usize,
) -> Result<Vec<Face>, CrystalError> {
    let mut radius = FIRST_RADIUS_ANG;
    while radius <= LAST_RADIUS_ANG {
        let neighbours = neighbours_within(lattice, frac_coords, centre, radius);
        if let Some(cell) = cut_cell(&neighbours, radius) {
            return Ok(cell
                .iter()
                .filter_map(|polygon| {
                    let neighbour = &neighbours[polygon.neighbour?];
                    Some(Face {
                        site: neighbour.site,
                        image: neighbour.image,
                        solid_angle: solid_angle(&polygon.vertices),
                    })
                })
                .collect());
        }
        radius *= 2.0;
    }
    Err(CrystalError::InvalidStructure(format!(
        "the Voronoi cell of site {centre} does not close within {LAST_RADIUS_ANG} Å"
    )))
}

/// Periodic images of all sites within `radius` of `centre`, nearest first.
fn neighbours_within(
    lattice: &Lattice,
    frac_coords: &[[f64; 3]],
    centre: usize,
    radius: f64,
) -> Vec<Neighbour> {
    // The planes of a cell are 1/|b_i| apart: so many cells does the radius reach, with rounding.
    let reach = lattice
        .reciprocal()
        .map(|b| radius * dot(b, b).sqrt() + 1e-9);
    let mut neighbours = Vec::new();
    for (site, &x) in frac_coords.iter().enumerate() {
        let home = subtract(x, frac_coords[centre]);
        let within = |axis: usize| {
            let first = (-home[axis] - reach[axis]).ceil() as i32;
            first..=(-home[axis] + reach[axis]).floor() as i32
        };
        for i in within(0) {
            for j in within(1) {
                for k in within(2) {
                    let image = [i, j, k];
                    let offset = lattice.to_cart(add(home, image.map(f64::from)));
                    let distance = dot(offset, offset).sqrt();
                    let itself = site == centre && image == [0; 3];
                    if distance <= radius && !itself {
                        neighbours.push(Neighbour {
                            site,
                            image,
                            offset,
                            distance,
                        });
                    }
                }
            }
        }
    }
    neighbours.sort_by(|p, q| {
        p.distance
            .total_cmp(&q.distance)
            .then((p.site, p.image).cmp(&(q.site, q.image)))
    });
    neighbours
}

/// The cell around the origin, `None` if a face of the starting cube is left.
fn cut_cell(neighbours: &[Neighbour], radius: f64) -> Option<Vec<Polygon>> {
    let mut cell = cube(radius);
    for (index, neighbour) in neighbours.iter().enumerate() {
        let farthest = cell
            .iter()
            .flat_map(|polygon| &polygon.vertices)
            .map(|&v| dot(v, v).sqrt())
            .fold(0.0, f64::max);
        // A bisecting plane lies half-way; beyond the farthest vertex none can cut any more.
        if neighbour.distance / 2.0 > farthest + ON_PLANE_ANG {
            break;
        }
        let normal = scale(neighbour.offset, 1.0 / neighbour.distance);
        cut(&mut cell, normal, neighbour.distance / 2.0, index);
    }
    cell.iter()
        .all(|polygon| polygon.neighbour.is_some())
        .then_some(cell)
}

fn cube(half: f64) -> Vec<Polygon> {
    (0..3)
        .flat_map(|axis| [-half, half].map(|side| (axis, side)))
        .map(|(axis, side)| {
            let corners = [[-half, -half], [half, -half], [half, half], [-half, half]];
            let vertices = corners.map(|[u, v]| {
                let mut vertex = [0.0; 3];
                vertex[axis] = side;
                vertex[(axis + 1) % 3] = u;
                vertex[(axis + 2) % 3] = v;
                vertex
            });
            Polygon {
                neighbour: None,
                vertices: vertices.to_vec(),
            }
        })
        .collect()
}

/// Removes the part of the cell with `x · normal > height` and closes it by a new face.
fn cut(cell: &mut Vec<Polygon>, normal: [f64; 3], height: f64, neighbour: usize) {
    let side = |v: [f64; 3]| dot(v, normal) - height;
    let outside = |v: &[f64; 3]| side(*v) > ON_PLANE_ANG;
    if !cell
        .iter()
        .flat_map(|polygon| &polygon.vertices)
        .any(outside)
    {
        return;
    }
    let mut rim: Vec<[f64; 3]> = Vec::new();
    for polygon in cell.iter_mut() {
        let mut kept = Vec::with_capacity(polygon.vertices.len() + 1);
        for (i, &from) in polygon.vertices.iter().enumerate() {
            let to = polygon.vertices[(i + 1) % polygon.vertices.len()];
            let (s, t) = (side(from), side(to));
            if s <= ON_PLANE_ANG {
                kept.push(from);
                if s >= -ON_PLANE_ANG {
                    rim.push(from);
                }
            }
            if (s < -ON_PLANE_ANG && t > ON_PLANE_ANG) || (s > ON_PLANE_ANG && t < -ON_PLANE_ANG) {
                let crossing = add(from, scale(subtract(to, from), s / (s - t)));
                kept.push(crossing);
                rim.push(crossing);
            }
        }
        polygon.vertices = kept;
    }
    cell.retain(|polygon| polygon.vertices.len() >= 3);
    let rim = ordered_rim(rim, normal);
    if rim.len() >= 3 {
        cell.push(Polygon {
            neighbour: Some(neighbour),
            vertices: rim,
        });
    }
}

/// Distinct points of the rim, in order around their centre.
fn ordered_rim(points: Vec<[f64; 3]>, normal: [f64; 3]) -> Vec<[f64; 3]> {
    let mut distinct: Vec<[f64; 3]> = Vec::new();
    for point in points {
        let near = |known: &[f64; 3]| {
            let d = subtract(*known, point);
            dot(d, d) < (10.0 * ON_PLANE_ANG).powi(2)
        };
        if !distinct.iter().any(near) {
            distinct.push(point);
        }
    }
    let count = distinct.len().max(1) as f64;
    let centre = scale(
        distinct.iter().fold([0.0; 3], |sum, &v| add(sum, v)),
        1.0 / count,
    );
    let Some(&first) = distinct.first() else {
        return distinct;
    };
    let u = subtract(first, centre);
    let w = cross(normal, u);
    let angle = |v: [f64; 3]| {
        let d = subtract(v, centre);
        dot(d, w).atan2(dot(d, u))
    };
    distinct.sort_by(|&p, &q| angle(p).total_cmp(&angle(q)));
    distinct
}

/// Solid angle of a polygon seen from the origin, as a fan of triangles:
/// `tan(Ω/2) = |a·(b×c)| / (abc + (a·b)c + (a·c)b + (b·c)a)` (van Oosterom and Strackee 1983).
fn solid_angle(vertices: &[[f64; 3]]) -> f64 {
    let norm = |v: [f64; 3]| dot(v, v).sqrt();
    let Some((&a, rest)) = vertices.split_first() else {
        return 0.0;
    };
    rest.windows(2)
        .map(|pair| {
            let (b, c) = (pair[0], pair[1]);
            let (la, lb, lc) = (norm(a), norm(b), norm(c));
            let numerator = dot(a, cross(b, c)).abs();
            let denominator = la * lb * lc + dot(a, b) * lc + dot(a, c) * lb + dot(b, c) * la;
            2.0 * numerator.atan2(denominator)
        })
        .sum()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Identities: the solid angles fill the sphere, and a face is shared by both its sites.
        #[test]
        fn solid_angles_fill_the_sphere(
            lengths in prop::array::uniform3(3.0..7.0f64),
            angles in prop::array::uniform3(65.0..115.0f64),
            frac_coords in prop::collection::vec(prop::array::uniform3(0.0..1.0f64), 1..5),
        ) {
            let Ok(lattice) = Lattice::from_parameters(lengths, angles) else { return Ok(()) };
            prop_assume!(lattice.volume() > 0.4 * lengths.iter().product::<f64>());
            for site in 0..frac_coords.len() {
                let faces = voronoi_faces(&lattice, &frac_coords, site).unwrap();
                let total: f64 = faces.iter().map(|face| face.solid_angle).sum();
                prop_assert!((total / (4.0 * std::f64::consts::PI) - 1.0).abs() < 1e-6, "{}", total);
            }
        }
    }
}
