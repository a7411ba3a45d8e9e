//! Crystals as pictures.

use crystalgym_crystal::{Element, Structure};
use serde::Serialize;

use crate::{
    canvas::{Canvas, short},
    element_colours::element_colour,
};

/// Two atoms are bonded up to this many times the sum of their covalent radii.
const BOND_TOLERANCE: f64 = 1.2;
/// How much farther than the nearest neighbour the first shell reaches.
const FIRST_SHELL: f64 = 1.12;
/// What is nearer is the same atom.
const CLOSEST_ANG: f64 = 0.4;
/// Radius of a ball relative to the covalent radius, so that bonds can be seen.
const BALL: f64 = 0.42;
/// Pieces of a cell edge, each before or behind the atoms on its own.
const EDGE_PIECES: usize = 12;
/// Where a bond begins, relative to the radius of its ball.
const SURFACE: f64 = 0.93;
/// How far below the middle of a ball the baseline of its symbol lies, in pixels.
const BASELINE: f64 = 4.0;
/// How close to a face of the cell a site is shown on the opposite one as well.
const ON_FACE: f64 = 1e-3;

/// A crystal to look at: the atoms of one cell, those on its faces shown on each, with bonds and the
/// edges of the cell. Positions in Å from the middle of the cell.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Scene {
    pub(crate) atoms: Vec<Atom>,
    /// Pairs of atoms.
    pub(crate) bonds: Vec<[usize; 2]>,
    /// Ends of the edges of the cell.
    pub(crate) edges: Vec<[[f64; 3]; 2]>,
    /// Radius of the sphere around everything.
    pub(crate) size: f64,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Atom {
    pub(crate) symbol: &'static str,
    pub(crate) colour: String,
    pub(crate) radius: f64,
    pub(crate) position: [f64; 3],
}

impl Scene {
    pub(crate) fn of(structure: &Structure) -> Self {
        let lattice = &structure.lattice;
        let centre = lattice.to_cart([0.5; 3]);
        let placed = |frac: [f64; 3]| {
            let cart = lattice.to_cart(frac);
            rounded(std::array::from_fn(|i| cart[i] - centre[i]))
        };
        let mut atoms = Vec::new();
        let mut elements = Vec::new();
        for (&element, frac) in structure.elements.iter().zip(&structure.frac_coords) {
            for frac in on_all_faces(*frac) {
                elements.push(element);
                atoms.push(Atom {
                    symbol: element.symbol(),
                    colour: element_colour(element),
                    radius: BALL * covalent_radius(element),
                    position: placed(frac),
                });
            }
        }
        let bonds = bonds(&atoms, &elements);
        let corners = [0.0, 1.0];
        let mut edges = Vec::new();
        for axis in 0..3 {
            for u in corners {
                for v in corners {
                    let end = |along: f64| {
                        let mut frac = [along; 3];
                        frac[(axis + 1) % 3] = u;
                        frac[(axis + 2) % 3] = v;
                        placed(frac)
                    };
                    edges.push([end(0.0), end(1.0)]);
                }
            }
        }
        let reach = |position: [f64; 3]| distance(position, [0.0; 3]);
        let size = edges
            .iter()
            .flatten()
            .map(|end| reach(*end))
            .chain(atoms.iter().map(|atom| reach(atom.position) + atom.radius))
            .fold(1.0, f64::max);
        Self {
            atoms,
            bonds,
            edges,
            size,
        }
    }

    /// Draws it into a square of `side` pixels whose corner is at the origin. `prefix` tells the
    /// gradients of drawings in one file apart.
    pub(crate) fn draw(&self, canvas: &mut Canvas, side: (f64, f64), prefix: &str) {
        let zoom = 0.47 * side.0.min(side.1) / self.size;
        let on_screen = |position: [f64; 3]| {
            let [x, y, depth] = turned(position);
            (0.5 * side.0 + zoom * x, 0.5 * side.1 - zoom * y, depth)
        };
        let mut pieces: Vec<(f64, String)> = Vec::new();
        let hidden = |position: [f64; 3]| {
            let inside = |atom: &Atom| distance(position, atom.position) < atom.radius;
            self.atoms.iter().any(inside)
        };
        for [from, to] in &self.edges {
            for piece in 0..EDGE_PIECES {
                let at = |place: f64| between(*from, *to, place / EDGE_PIECES as f64);
                let piece = piece as f64;
                if hidden(at(piece + 0.5)) {
                    continue;
                }
                let ((x1, y1, z1), (x2, y2, z2)) =
                    (on_screen(at(piece)), on_screen(at(piece + 1.0)));
                let line = line((x1, y1), (x2, y2), r#"class="cage""#);
                pieces.push((0.5 * (z1 + z2), line));
            }
        }
        for [first, second] in &self.bonds {
            let (a, b) = (&self.atoms[*first], &self.atoms[*second]);
            let length = distance(a.position, b.position);
            let (xm, ym, zm) = on_screen(between(a.position, b.position, 0.5));
            for (atom, other) in [(a, b), (b, a)] {
                // From the surface of the ball: what is within is not seen.
                let from = SURFACE * atom.radius / length;
                if from >= 0.5 {
                    continue;
                }
                let (x, y, z) = on_screen(between(atom.position, other.position, from));
                let colour = shaded(&atom.colour, 0.86);
                let stroke = |colour: &str, width: f64| {
                    let width = short(width);
                    let attributes = format!(r#"stroke="{colour}" stroke-width="{width}""#);
                    line((x, y), (xm, ym), &attributes)
                };
                let both = stroke("#3a3d42", 0.2 * zoom + 1.6) + &stroke(&colour, 0.2 * zoom);
                pieces.push((0.5 * (z + zm), both));
            }
        }
        let mut gradients: Vec<&str> = Vec::new();
        for atom in &self.atoms {
            if !gradients.contains(&atom.symbol) {
                gradients.push(atom.symbol);
                canvas.raw(&gradient(
                    &atom.colour,
                    &format!("{prefix}-{}", atom.symbol),
                ));
            }
            let (x, at, z) = on_screen(atom.position);
            let (x, y, r) = (short(x), short(at), short(zoom * atom.radius));
            let (symbol, edge) = (atom.symbol, shaded(&atom.colour, 0.45));
            pieces.push((
                z,
                format!(
                    r##"<circle cx="{x}" cy="{y}" r="{r}" fill="url(#{prefix}-{symbol})" stroke="{edge}" stroke-width="0.8"/><text class="atom" x="{x}" y="{}" text-anchor="middle">{symbol}</text>"##,
                    short(at + BASELINE)
                ),
            ));
        }
        pieces.sort_by(|a, b| a.0.total_cmp(&b.0));
        for (_, piece) in pieces {
            canvas.raw(&piece);
        }
    }
}

/// Pairs that are near enough to touch and not much farther apart than the nearer neighbours of both:
/// the second shell of a large atom is no bond.
fn bonds(atoms: &[Atom], elements: &[Element]) -> Vec<[usize; 2]> {
    let apart =
        |first: usize, second: usize| distance(atoms[first].position, atoms[second].position);
    let nearest: Vec<f64> = (0..atoms.len())
        .map(|first| {
            let others = (0..atoms.len()).map(|second| apart(first, second));
            let others = others.filter(|distance| *distance > CLOSEST_ANG);
            others.fold(f64::INFINITY, f64::min)
        })
        .collect();
    let mut bonds = Vec::new();
    for first in 0..atoms.len() {
        for second in first + 1..atoms.len() {
            let distance = apart(first, second);
            let radii = covalent_radius(elements[first]) + covalent_radius(elements[second]);
            let shell = FIRST_SHELL * nearest[first].max(nearest[second]);
            if distance > CLOSEST_ANG && distance <= (BOND_TOLERANCE * radii).min(shell) {
                bonds.push([first, second]);
            }
        }
    }
    bonds
}

/// The view in which crystals are first shown: z up, turned to the right and tilted. Keep in step
/// with `viewer.js`.
const YAW_DEGREES: f64 = -24.0;
const TILT_DEGREES: f64 = 14.0;

/// Right, up, towards the eye.
fn turned([x, y, z]: [f64; 3]) -> [f64; 3] {
    let (sin_yaw, cos_yaw) = YAW_DEGREES.to_radians().sin_cos();
    let (sin_tilt, cos_tilt) = TILT_DEGREES.to_radians().sin_cos();
    let (right, away) = (cos_yaw * x - sin_yaw * y, sin_yaw * x + cos_yaw * y);
    [
        right,
        cos_tilt * z + sin_tilt * away,
        sin_tilt * z - cos_tilt * away,
    ]
}

/// A site with its images on the faces of the cell.
fn on_all_faces(frac: [f64; 3]) -> Vec<[f64; 3]> {
    let mut images = vec![frac.map(|x| {
        let x = x.rem_euclid(1.0);
        if 1.0 - x < ON_FACE { 0.0 } else { x }
    })];
    for axis in 0..3 {
        let beyond: Vec<[f64; 3]> = images
            .iter()
            .filter(|frac| frac[axis] < ON_FACE)
            .map(|frac| {
                let mut image = *frac;
                image[axis] += 1.0;
                image
            })
            .collect();
        images.extend(beyond);
    }
    images
}

fn covalent_radius(element: Element) -> f64 {
    element.data().covalent_radius_ang.unwrap_or(1.5)
}

/// The point that lies `share` of the way from a to b.
fn between(a: [f64; 3], b: [f64; 3], share: f64) -> [f64; 3] {
    std::array::from_fn(|i| a[i] + share * (b[i] - a[i]))
}

fn distance(a: [f64; 3], b: [f64; 3]) -> f64 {
    let squares = a.iter().zip(b).map(|(a, b)| (a - b).powi(2));
    squares.sum::<f64>().sqrt()
}

/// Thousandths of an Å are more than can be seen.
fn rounded(position: [f64; 3]) -> [f64; 3] {
    position.map(|x| (1000.0 * x).round() / 1000.0 + 0.0)
}

fn line((x1, y1): (f64, f64), (x2, y2): (f64, f64), attributes: &str) -> String {
    let (x1, y1, x2, y2) = (short(x1), short(y1), short(x2), short(y2));
    format!(r#"<line x1="{x1}" y1="{y1}" x2="{x2}" y2="{y2}" {attributes}/>"#)
}

/// Light from the upper left.
fn gradient(colour: &str, id: &str) -> String {
    format!(
        r#"<radialGradient id="{id}" cx=".35" cy=".32" r=".75"><stop offset="0" stop-color="{}"/><stop offset=".45" stop-color="{colour}"/><stop offset="1" stop-color="{}"/></radialGradient>"#,
        mixed_with_white(colour, 0.72),
        shaded(colour, 0.58)
    )
}

fn channels(colour: &str) -> [f64; 3] {
    let value = u32::from_str_radix(colour.trim_start_matches('#'), 16).unwrap_or(0x90_90_90);
    [value >> 16, (value >> 8) & 255, value & 255].map(f64::from)
}

fn hex(channels: [f64; 3]) -> String {
    let [r, g, b] = channels.map(|channel| channel.round().clamp(0.0, 255.0) as u8);
    format!("#{r:02x}{g:02x}{b:02x}")
}

fn shaded(colour: &str, light: f64) -> String {
    hex(channels(colour).map(|channel| light * channel))
}

fn mixed_with_white(colour: &str, white: f64) -> String {
    hex(channels(colour).map(|channel| channel + white * (255.0 - channel)))
}

#[cfg(test)]
mod tests {
    use crystalgym_crystal::{Crystal, Skeleton};

    use super::*;

    /// Oracle: a perovskite by hand. A corner site is at 8 corners, a face site on 2 faces, the body
    /// centre within; V touches the six F, not the eight Rb beyond them.
    #[test]
    fn a_perovskite_has_its_atoms_on_all_faces() {
        let skeleton = Skeleton::builtin("C1").unwrap();
        let corner = skeleton
            .frac_coords
            .iter()
            .map(|frac| on_all_faces(*frac).len());
        let mut counts: Vec<usize> = corner.collect();
        counts.sort_unstable();
        assert_eq!(counts, [1, 2, 2, 2, 8]);
        let elements = skeleton.frac_coords.iter().map(|frac| {
            match on_all_faces(*frac).len() {
                8 => "Rb",
                1 => "V",
                _ => "F",
            }
            .parse()
            .unwrap()
        });
        let crystal = Crystal::new(skeleton.clone(), elements.collect()).unwrap();
        let scene = Scene::of(&crystal.structure());
        let bonds_of = |symbol: &str| {
            let at = scene
                .atoms
                .iter()
                .position(|atom| atom.symbol == symbol)
                .unwrap();
            scene.bonds.iter().filter(|bond| bond.contains(&at)).count()
        };
        assert_eq!(
            (scene.atoms.len(), scene.edges.len(), bonds_of("V")),
            (15, 12, 6)
        );
    }

    /// Identity: a turn leaves lengths as they are.
    #[test]
    fn the_view_is_a_rotation() {
        for position in [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.3, -2.0, 0.7]] {
            let length = distance(turned(position), [0.0; 3]);
            assert!((length - distance(position, [0.0; 3])).abs() < 1e-12);
        }
    }
}
