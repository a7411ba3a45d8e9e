//! Special points by the definition of the Brillouin zone, and by a textbook.

use super::*;
use crate::Element;

fn structure(lattice: Lattice, sites: &[(&str, [f64; 3])]) -> Structure {
    Structure {
        lattice,
        elements: sites
            .iter()
            .map(|(symbol, _)| symbol.parse::<Element>().unwrap())
            .collect(),
        frac_coords: sites.iter().map(|(_, x)| *x).collect(),
    }
}

fn cell(lengths: [f64; 3], angles: [f64; 3]) -> Lattice {
    Lattice::from_parameters(lengths, angles).unwrap()
}

/// A crystal of each kind of lattice: conventional cells, and centrings as atoms.
fn crystals() -> Vec<(&'static str, Structure)> {
    const FACES: [[f64; 3]; 4] = [[0.0; 3], [0.0, 0.5, 0.5], [0.5, 0.0, 0.5], [0.5, 0.5, 0.0]];
    const BODY: [[f64; 3]; 2] = [[0.0; 3], [0.5; 3]];
    const BASE: [[f64; 3]; 2] = [[0.0; 3], [0.5, 0.5, 0.0]];
    let right = [90.0; 3];
    let of = |lattice: Lattice, places: &[[f64; 3]]| {
        let sites: Vec<(&str, [f64; 3])> = places.iter().map(|&x| ("Cu", x)).collect();
        structure(lattice, &sites)
    };
    let rhombohedral = |angle: f64| of(cell([4.0; 3], [angle; 3]), &[[0.0; 3]]);
    vec![
        ("CUB", of(cell([3.0; 3], right), &[[0.0; 3]])),
        ("FCC", of(cell([3.6; 3], right), &FACES)),
        ("BCC", of(cell([3.2; 3], right), &BODY)),
        ("TET", of(cell([3.0, 3.0, 4.1], right), &[[0.0; 3]])),
        ("BCT1", of(cell([4.0, 4.0, 3.1], right), &BODY)),
        ("BCT2", of(cell([3.0, 3.0, 5.1], right), &BODY)),
        ("ORC", of(cell([3.0, 3.7, 4.4], right), &[[0.0; 3]])),
        // Lengths in no order, so that axes have to be exchanged.
        ("ORCF1", of(cell([7.1, 3.0, 5.2], right), &FACES)),
        ("ORCF2", of(cell([4.2, 4.8, 4.0], right), &FACES)),
        ("ORCF3", of(cell([20.0 / 3.0, 5.0, 4.0], right), &FACES)),
        ("ORCI", of(cell([4.9, 3.1, 4.0], right), &BODY)),
        ("ORCC", of(cell([5.3, 3.1, 4.0], right), &BASE)),
        (
            "HEX",
            of(cell([3.0, 3.0, 4.7], [90.0, 90.0, 120.0]), &[[0.0; 3]]),
        ),
        ("RHL1", rhombohedral(70.0)),
        ("RHL2", rhombohedral(101.0)),
        (
            "MCL",
            of(cell([5.0, 3.4, 3.9], [90.0, 107.0, 90.0]), &[[0.0; 3]]),
        ),
        (
            "TRI1a",
            of(cell([3.1, 3.6, 4.4], [75.0, 82.0, 69.0]), &[[0.0; 3]]),
        ),
        (
            "TRI1b",
            of(cell([3.1, 3.6, 4.4], [97.0, 104.0, 99.0]), &[[0.0; 3]]),
        ),
    ]
}

/// The primitive cell in an odd setting.
fn skewed(structure: &Structure) -> Structure {
    let kinds = vec![29; structure.elements.len()];
    let found = dataset(&structure.lattice, &structure.frac_coords, &kinds, 1e-4).unwrap();
    let primitive = transpose(found.prim_std_linear_as_array());
    let odd = [[1.0, 0.0, 0.0], [1.0, 1.0, 0.0], [-1.0, 1.0, 1.0]];
    let vectors = multiply(multiply(odd, primitive), structure.lattice.vectors());
    let elements = vec![structure.elements[0]];
    Structure {
        lattice: Lattice::new(vectors).unwrap(),
        elements,
        frac_coords: vec![[0.0; 3]],
    }
}

/// By definition: every point of a path lies in the first Brillouin zone, no nearer to another reciprocal
/// lattice vector than to Γ, and every special point but Γ on its surface.
#[test]
fn special_points_lie_on_the_surface_of_the_brillouin_zone() {
    for (name, crystal) in crystals() {
        let crystal = skewed(&crystal);
        let path = KPath::of(&crystal, 1e-4).unwrap();
        assert_eq!(path.lattice, name);
        let reciprocal = transpose(crystal.lattice.reciprocal());
        let shifts = || (-4..=4).map(f64::from);
        let vectors: Vec<[f64; 3]> = shifts()
            .flat_map(|x| shifts().flat_map(move |y| shifts().map(move |z| [x, y, z])))
            .filter(|&g| g != [0.0; 3])
            .collect();
        // How much nearer Γ is than the nearest of the others, in Å⁻².
        let depth = |k: [f64; 3]| {
            let length2 = |k: [f64; 3]| dot(apply(reciprocal, k), apply(reciprocal, k));
            let others = vectors.iter().map(|&g| length2(subtract(k, g)));
            others.fold(f64::INFINITY, f64::min) - length2(k)
        };
        for point in path.branches.iter().flatten() {
            let found = depth(point.k_frac);
            match point.label {
                "Γ" => assert_eq!(point.k_frac, [0.0; 3]),
                label => assert!(found.abs() < 1e-9, "{name} {label}: {found}"),
            }
        }
        for point in path.points(&crystal.lattice, 0.1).unwrap() {
            assert!(depth(point.k_frac) > -1e-9, "{name} {point:?}");
        }
    }
}

/// By definition: a path does not depend on the cell that a structure lists.
#[test]
fn the_setting_of_the_cell_changes_nothing() {
    for (name, crystal) in crystals() {
        let odd = skewed(&crystal);
        let [one, other] = [&crystal, &odd].map(|structure| {
            let path = KPath::of(structure, 1e-4).unwrap();
            path.points(&structure.lattice, 0.2).unwrap()
        });
        assert_eq!(one.len(), other.len(), "{name}");
        for (a, b) in one.iter().zip(&other) {
            assert_eq!(a.label, b.label);
            assert!(
                (a.distance_per_ang - b.distance_per_ang).abs() < 1e-6,
                "{name}"
            );
        }
    }
}

/// Oracle: the textbook coordinates of the face-centred cubic lattice in the primitive cell with vectors
/// (0, ½, ½), (½, 0, ½), (½, ½, 0) a: X is half
/// the sum of two reciprocal vectors, L of all three.
#[test]
fn face_centred_cubic_primitive_cell() {
    let h = 2.715;
    let lattice = Lattice::new([[0.0, h, h], [h, 0.0, h], [h, h, 0.0]]).unwrap();
    let silicon = structure(lattice, &[("Si", [0.0; 3]), ("Si", [0.25; 3])]);
    let path = KPath::of(&silicon, 1e-4).unwrap();
    assert_eq!(path.lattice, "FCC");
    let labels: Vec<Vec<&str>> = (path.branches.iter())
        .map(|branch| branch.iter().map(|point| point.label).collect())
        .collect();
    let expected = vec![
        vec!["Γ", "X", "W", "K", "Γ", "L", "U", "W", "L", "K"],
        vec!["U", "X"],
    ];
    assert_eq!(labels, expected);
    let sorted = |label: &str| {
        let found = path.branches[0].iter().find(|point| point.label == label);
        let mut k = found.unwrap().k_frac.map(|x| (x * 1e9).round() / 1e9);
        k.sort_by(f64::total_cmp);
        k
    };
    assert_eq!(sorted("X"), [0.0, 0.5, 0.5]);
    assert_eq!(sorted("L"), [0.5, 0.5, 0.5]);
    assert_eq!(sorted("K"), [0.375, 0.375, 0.75]);
    assert_eq!(sorted("W"), [0.25, 0.5, 0.75]);
    let points = path.points(&lattice, 0.05).unwrap();
    let steps = points
        .windows(2)
        .filter(|pair| pair[0].branch == pair[1].branch);
    for pair in steps {
        let step = pair[1].distance_per_ang - pair[0].distance_per_ang;
        assert!(step > 0.0 && step <= 0.05 + 1e-9);
    }
    // Γ–X is 2π/a long.
    let x = points
        .iter()
        .find(|point| point.label == Some("X"))
        .unwrap();
    assert!((x.distance_per_ang - TAU / (2.0 * h)).abs() < 1e-9);
    assert!(path.points(&lattice, 0.0).is_err());
    assert!(path.points(&lattice, 1e-9).is_err());
}
