//! Structures of the elements in their ground states, from the literature.

use crystalgym_crystal::{CrystalError, Element, Lattice, Structure};

/// A structure that an element's energy is taken from.
#[derive(Debug, Clone)]
pub struct ElementalStructure {
    /// Its cell.
    pub structure: Structure,
    /// Whether it is a molecule alone in its cell, so that bands have no width.
    pub is_molecule: bool,
    /// What it is, with the source of its numbers.
    pub description: &'static str,
}

/// Shapes of elemental structures, lengths in Å.
#[derive(Debug, Clone, Copy)]
enum Shape {
    BodyCentred(f64),
    FaceCentred(f64),
    HexagonalClosePacked(f64, f64),
    Diamond(f64),
    Graphite(f64, f64),
    /// Two atoms at this distance.
    Dimer(f64),
    BlackPhosphorus,
    AlphaBoron,
    SulphurRing,
    TrigonalSelenium,
}

/// Room between the surfaces of neighbouring molecules.
const GAP_ANG: f64 = 5.0;

const KITTEL: &str = "experimental lattice constants, C. Kittel, Introduction to Solid State Physics, \
                      table of crystal structures";
const HUBER: &str =
    "bond length r_e of K. P. Huber and G. Herzberg, Constants of Diatomic Molecules";

/// Structures by element: the ground state, or what stands for it where that is said.
const STRUCTURES: [(&str, Shape, &str); 30] = [
    ("Li", Shape::BodyCentred(3.491), KITTEL),
    ("Na", Shape::BodyCentred(4.225), KITTEL),
    ("K", Shape::BodyCentred(5.225), KITTEL),
    ("Rb", Shape::BodyCentred(5.585), KITTEL),
    ("Be", Shape::HexagonalClosePacked(2.27, 3.59), KITTEL),
    ("Mg", Shape::HexagonalClosePacked(3.21, 5.21), KITTEL),
    ("Ca", Shape::FaceCentred(5.58), KITTEL),
    ("Sr", Shape::FaceCentred(6.08), KITTEL),
    ("H", Shape::Dimer(0.7414), HUBER),
    ("N", Shape::Dimer(1.0977), HUBER),
    ("O", Shape::Dimer(1.2075), HUBER),
    ("F", Shape::Dimer(1.4119), HUBER),
    ("Cl", Shape::Dimer(1.9879), HUBER),
    ("Br", Shape::Dimer(2.2811), HUBER),
    (
        "C",
        Shape::Graphite(2.464, 6.711),
        "graphite, P. Trucano and R. Chen, Nature 258, 136 (1975)",
    ),
    (
        "P",
        Shape::BlackPhosphorus,
        "black phosphorus, A. Brown and S. Rundqvist, Acta Cryst. 19, 684 (1965)",
    ),
    (
        "S",
        Shape::SulphurRing,
        "the molecule S8 for orthorhombic sulphur of 128 atoms: bonds of 2.055 Å and angles of \
         108.2°, S. J. Rettig and J. Trotter, Acta Cryst. C 43, 2260 (1987)",
    ),
    (
        "Se",
        Shape::TrigonalSelenium,
        "trigonal selenium, P. Cherin and P. Unger, Inorg. Chem. 6, 1589 (1967)",
    ),
    (
        "B",
        Shape::AlphaBoron,
        "α-boron, B. F. Decker and J. S. Kasper, Acta Cryst. 12, 503 (1959)",
    ),
    ("Si", Shape::Diamond(5.430), KITTEL),
    ("Ge", Shape::Diamond(5.658), KITTEL),
    ("Sn", Shape::Diamond(6.49), KITTEL),
    ("Al", Shape::FaceCentred(4.05), KITTEL),
    ("Cu", Shape::FaceCentred(3.61), KITTEL),
    ("Ni", Shape::FaceCentred(3.52), KITTEL),
    ("Fe", Shape::BodyCentred(2.87), KITTEL),
    ("Cr", Shape::BodyCentred(2.88), KITTEL),
    ("Co", Shape::HexagonalClosePacked(2.51, 4.07), KITTEL),
    ("Zn", Shape::HexagonalClosePacked(2.66, 4.95), KITTEL),
    (
        "Mn",
        Shape::FaceCentred(3.655),
        "face-centred at the volume per atom of α-manganese, whose cell has 58 atoms",
    ),
];

/// The structure that stands for an element; `None` for elements outside the small and medium action
/// sets.
///
/// # Errors
/// None in practice: the numbers are built in and tested.
pub fn reference_structure(element: Element) -> Result<Option<ElementalStructure>, CrystalError> {
    let known = STRUCTURES
        .iter()
        .find(|(symbol, ..)| *symbol == element.symbol());
    let Some((_, shape, description)) = known else {
        return Ok(None);
    };
    let (vectors, frac_coords) = shape.cell();
    let lattice = Lattice::new(vectors)?;
    let frac_coords = match shape {
        // Given as Cartesian positions.
        Shape::Dimer(_) | Shape::SulphurRing | Shape::BlackPhosphorus => frac_coords
            .into_iter()
            .map(|cart| lattice.to_frac(cart))
            .collect(),
        _ => frac_coords,
    };
    Ok(Some(ElementalStructure {
        structure: Structure {
            lattice,
            elements: vec![element; frac_coords.len()],
            frac_coords,
        },
        is_molecule: matches!(shape, Shape::Dimer(_) | Shape::SulphurRing),
        description,
    }))
}

type Cell = ([[f64; 3]; 3], Vec<[f64; 3]>);

fn face_centred(a: f64) -> [[f64; 3]; 3] {
    let h = 0.5 * a;
    [[0.0, h, h], [h, 0.0, h], [h, h, 0.0]]
}

fn hexagonal(a: f64, c: f64) -> [[f64; 3]; 3] {
    [
        [a, 0.0, 0.0],
        [-0.5 * a, 0.75f64.sqrt() * a, 0.0],
        [0.0, 0.0, c],
    ]
}

impl Shape {
    fn cell(self) -> Cell {
        const THIRD: f64 = 1.0 / 3.0;
        match self {
            Self::BodyCentred(a) => {
                let h = 0.5 * a;
                (([[-h, h, h], [h, -h, h], [h, h, -h]]), vec![[0.0; 3]])
            }
            Self::FaceCentred(a) => (face_centred(a), vec![[0.0; 3]]),
            Self::HexagonalClosePacked(a, c) => (
                hexagonal(a, c),
                vec![[THIRD, 2.0 * THIRD, 0.25], [2.0 * THIRD, THIRD, 0.75]],
            ),
            Self::Diamond(a) => (face_centred(a), vec![[0.0; 3], [0.25; 3]]),
            Self::Graphite(a, c) => (
                hexagonal(a, c),
                vec![
                    [0.0, 0.0, 0.25],
                    [0.0, 0.0, 0.75],
                    [THIRD, 2.0 * THIRD, 0.25],
                    [2.0 * THIRD, THIRD, 0.75],
                ],
            ),
            Self::Dimer(bond) => {
                // Face-centred, each molecule along a body diagonal of the cube.
                let cell = face_centred((bond + GAP_ANG) * 2f64.sqrt());
                let half = 0.5 * bond / 3f64.sqrt();
                (cell, vec![[half; 3], [-half; 3]])
            }
            Self::BlackPhosphorus => black_phosphorus(),
            Self::AlphaBoron => alpha_boron(),
            Self::SulphurRing => sulphur_ring(),
            Self::TrigonalSelenium => {
                let x = 0.2254;
                let cell = hexagonal(4.3662, 4.9536);
                (
                    cell,
                    vec![[x, 0.0, THIRD], [0.0, x, 2.0 * THIRD], [-x, -x, 0.0]],
                )
            }
        }
    }
}

/// Cmce, P at 8f (0, y, z), in the primitive cell.
fn black_phosphorus() -> Cell {
    let (a, b, c) = (3.3136, 10.478, 4.3763);
    let (y, z) = (0.101_68 * b, 0.080_56 * c);
    let cell = [
        [0.5 * a, -0.5 * b, 0.0],
        [0.5 * a, 0.5 * b, 0.0],
        [0.0, 0.0, c],
    ];
    let positions = vec![
        [0.0, y, z],
        [0.0, -y, -z],
        [0.0, 0.5 * b - y, 0.5 * c + z],
        [0.0, 0.5 * b + y, 0.5 * c - z],
    ];
    (cell, positions)
}

/// R-3m, an icosahedron of two sets of six atoms (x, x, z) in the rhombohedral cell.
fn alpha_boron() -> Cell {
    let (a, angle) = (5.057f64, 58.06f64.to_radians());
    let (cos, sin) = (angle.cos(), angle.sin());
    let y = (cos - cos * cos) / sin;
    let cell = [
        [a, 0.0, 0.0],
        [a * cos, a * sin, 0.0],
        [a * cos, a * y, a * (1.0 - cos * cos - y * y).sqrt()],
    ];
    let mut positions = Vec::new();
    for (x, z) in [(0.0104, -0.3427), (0.2206, -0.3677)] {
        for position in [[x, x, z], [x, z, x], [z, x, x]] {
            positions.push(position);
            positions.push(position.map(|u: f64| -u));
        }
    }
    (cell, positions)
}

/// A crown of eight atoms.
fn sulphur_ring() -> Cell {
    let (bond, angle) = (2.055f64, 108.2f64.to_radians());
    let radius = bond * 2f64.sqrt() * (0.5 * angle).sin();
    let chord = 2.0 * radius * (std::f64::consts::PI / 8.0).sin();
    let height = 0.5 * (bond * bond - chord * chord).sqrt();
    let positions = (0..8).map(|index| {
        let turn = f64::from(index) * std::f64::consts::FRAC_PI_4;
        let up = if index % 2 == 0 { height } else { -height };
        [radius * turn.cos(), radius * turn.sin(), up]
    });
    let (width, depth) = (2.0 * radius + GAP_ANG, 2.0 * height + GAP_ANG);
    let cell = [[width, 0.0, 0.0], [0.0, width, 0.0], [0.0, 0.0, depth]];
    (cell, positions.collect())
}
