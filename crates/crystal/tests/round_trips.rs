//! Random crystals through the files of this project, pymatgen and ASE, on left- and right-handed
//! cells: each program reads the others' files as the same crystal.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::{fs, path::Path, process::Command, sync::Arc};

use crystalgym_crystal::{
    CanonicalCrystal, Crystal, Element, Lattice, SYMMETRY_TOLERANCE_ANG, Skeleton, Structure,
    StructureFormat, space_group,
};
use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64;

const VARIANTS: usize = 4;

/// The images of a position under `x → R x + t` in units of 1/12, the identity first.
fn images(operations: &[([[i32; 3]; 3], [i32; 3])], x: [f64; 3]) -> Vec<[f64; 3]> {
    let image = |(rotation, shift): &([[i32; 3]; 3], [i32; 3])| {
        std::array::from_fn(|i| {
            let turned: f64 = (0..3).map(|j| f64::from(rotation[i][j]) * x[j]).sum();
            turned + f64::from(shift[i]) / 12.0
        })
    };
    operations.iter().map(image).collect()
}

/// Crystals by the operations and Wyckoff positions of the International Tables, with the number of
/// their space group; 152, 154 and 76 are those whose mirror images have another one.
fn prototypes() -> Vec<(u16, Structure)> {
    let threefold = |third: i32| {
        vec![
            ([[1, 0, 0], [0, 1, 0], [0, 0, 1]], [0, 0, 0]),
            ([[0, -1, 0], [1, -1, 0], [0, 0, 1]], [0, 0, third]),
            ([[-1, 1, 0], [-1, 0, 0], [0, 0, 1]], [0, 0, 12 - third]),
            ([[0, 1, 0], [1, 0, 0], [0, 0, -1]], [0, 0, 0]),
            ([[1, -1, 0], [0, -1, 0], [0, 0, -1]], [0, 0, 12 - third]),
            ([[-1, 0, 0], [-1, 1, 0], [0, 0, -1]], [0, 0, third]),
        ]
    };
    let fourfold = [
        ([[1, 0, 0], [0, 1, 0], [0, 0, 1]], [0, 0, 0]),
        ([[-1, 0, 0], [0, -1, 0], [0, 0, 1]], [0, 0, 6]),
        ([[0, -1, 0], [1, 0, 0], [0, 0, 1]], [0, 0, 3]),
        ([[0, 1, 0], [-1, 0, 0], [0, 0, 1]], [0, 0, 9]),
    ];
    let hexagonal = |a, c| Lattice::from_parameters([a, a, c], [90.0, 90.0, 120.0]).unwrap();
    let build = |lattice: Lattice, sites: Vec<(&str, Vec<[f64; 3]>)>| {
        let (mut elements, mut frac_coords) = (Vec::new(), Vec::new());
        for (symbol, places) in sites {
            elements.extend(vec![symbol.parse::<Element>().unwrap(); places.len()]);
            frac_coords.extend(places);
        }
        Structure::new(lattice, elements, frac_coords).unwrap()
    };
    // The special position 3a of P3₁21 and P3₂21, each site once.
    let on_axis = |third: i32, x: f64| {
        let z = f64::from(third) / 12.0;
        vec![[x, 0.0, z], [0.0, x, 2.0 * z], [-x, -x, 0.0]]
    };
    let third = 1.0 / 3.0;
    vec![
        (
            152,
            build(hexagonal(4.458, 5.925), vec![("Te", on_axis(4, 0.2636))]),
        ),
        (
            154,
            build(
                hexagonal(4.913, 5.405),
                vec![
                    ("Si", on_axis(8, 0.4697)),
                    ("O", images(&threefold(8), [0.4133, 0.2672, 0.7855])),
                ],
            ),
        ),
        (
            76,
            build(
                Lattice::from_parameters([6.0, 6.0, 7.0], [90.0; 3]).unwrap(),
                vec![
                    ("Na", images(&fourfold, [0.1, 0.2, 0.3])),
                    ("Cl", images(&fourfold, [0.35, 0.6, 0.05])),
                ],
            ),
        ),
        (
            225,
            build(
                Lattice::from_parameters([3.988; 3], [60.0; 3]).unwrap(),
                vec![("Na", vec![[0.0; 3]]), ("Cl", vec![[0.5; 3]])],
            ),
        ),
        (
            186,
            build(
                hexagonal(3.25, 5.207),
                vec![
                    (
                        "Zn",
                        vec![[third, 2.0 * third, 0.0], [2.0 * third, third, 0.5]],
                    ),
                    (
                        "O",
                        vec![[third, 2.0 * third, 0.3819], [2.0 * third, third, 0.8819]],
                    ),
                ],
            ),
        ),
        (
            1,
            build(
                Lattice::from_parameters([4.1, 5.2, 6.3], [75.0, 82.0, 66.0]).unwrap(),
                vec![
                    ("Ca", vec![[0.1, 0.2, 0.3]]),
                    ("F", vec![[0.4, 0.7, 0.9], [0.75, 0.35, 0.55]]),
                ],
            ),
        ),
    ]
}

/// The same crystal on other vectors, left-handed ones for odd variants, with another origin and the
/// atoms in other cells.
fn rewritten(structure: &Structure, variant: usize, rng: &mut Pcg64) -> Structure {
    let mut vectors = structure.lattice.vectors();
    for _ in 0..rng.random_range(0..3) {
        let (i, j) = (rng.random_range(0..3), rng.random_range(0..3));
        let sign = f64::from(rng.random_range(-1..=1));
        if i != j {
            vectors[i] = std::array::from_fn(|x| vectors[i][x] + sign * vectors[j][x]);
        }
    }
    if variant % 2 == 1 {
        let (i, j) = [(0, 1), (1, 2), (0, 2)][rng.random_range(0..3)];
        vectors.swap(i, j);
    }
    let lattice = Lattice::new(vectors).unwrap();
    assert_eq!(lattice.is_left_handed(), variant % 2 == 1);
    let shift: [f64; 3] = std::array::from_fn(|_| rng.random_range(0.0..1.0));
    let frac_coords = structure
        .frac_coords
        .iter()
        .map(|x| {
            let x = lattice.to_frac(structure.lattice.to_cart(*x));
            std::array::from_fn(|i| x[i] + shift[i] + f64::from(rng.random_range(-3..=3)))
        })
        .collect();
    Structure::new(lattice, structure.elements.clone(), frac_coords).unwrap()
}

fn number(structure: &Structure) -> u16 {
    let kinds: Vec<i32> = structure
        .elements
        .iter()
        .map(|e| e.atomic_number().into())
        .collect();
    space_group(
        &structure.lattice,
        &structure.frac_coords,
        &kinds,
        SYMMETRY_TOLERANCE_ANG,
    )
    .unwrap()
    .0
}

fn variants() -> Vec<(u16, Structure)> {
    let mut rng = Pcg64::seed_from_u64(3);
    let mut all = Vec::new();
    for (group, prototype) in prototypes() {
        assert_eq!(number(&prototype), group);
        all.extend((0..VARIANTS).map(|v| (group, rewritten(&prototype, v, &mut rng))));
    }
    all
}

/// As results are kept: symmetric to the last bit, in the canonical writing.
fn canonical(structure: &Structure) -> CanonicalCrystal {
    let skeleton = Skeleton::from_structure("x", structure, SYMMETRY_TOLERANCE_ANG).unwrap();
    let crystal = Crystal::new(Arc::new(skeleton), structure.elements.clone()).unwrap();
    CanonicalCrystal::of(&crystal.structure()).unwrap()
}

/// Oracle: the International Tables, by which a mirror image of P3₁21 is P3₂21.
#[test]
fn skeletons_and_our_own_files_keep_the_hand() {
    let prototypes = prototypes();
    for (group, structure) in variants() {
        let (_, prototype) = prototypes.iter().find(|(g, _)| *g == group).unwrap();
        let result = canonical(prototype);
        assert!(canonical(&structure).is_same_crystal(&result), "{group}");
        let skeleton = Skeleton::from_structure("x", &structure, SYMMETRY_TOLERANCE_ANG).unwrap();
        assert_eq!(skeleton.source.space_group_number, group);
        let crystal = Crystal::new(Arc::new(skeleton), structure.elements.clone()).unwrap();
        for found in [
            crystal.structure(),
            crystal.published_structure(),
            crystal.oriented_structure().unwrap(),
        ] {
            assert_eq!(number(&found), group);
            assert!((found.density_g_cm3() / structure.density_g_cm3() - 1.0).abs() < 1e-9);
        }
        for format in [
            StructureFormat::Cif,
            StructureFormat::Poscar,
            StructureFormat::ExtXyz,
            StructureFormat::Json,
        ] {
            let found = Structure::from_text(&structure.to_text(format), format).unwrap();
            assert_eq!(number(&found), group, "{format:?}");
            let found = canonical(&found);
            assert!(found.is_same_crystal(&result), "{group} {format:?}");
        }
    }
}

/// Oracle: what pymatgen and ASE read in our files and in their own. (Of a left-handed cell
/// their CIF writers and pymatgen's POSCAR writer make the mirror image; the question is what the file
/// says.)
#[test]
fn other_programs_read_our_files_and_we_read_theirs() {
    let Some(python) = crystalgym_testing::python_with(&["pymatgen.core", "ase"]) else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let crystals = variants();
    for (n, (_, structure)) in crystals.iter().enumerate() {
        for extension in ["json", "vasp", "xyz", "cif"] {
            structure
                .to_file(&folder.path().join(format!("{n}.{extension}")))
                .unwrap();
        }
    }
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/oracle/round_trips.py");
    let output = Command::new(python)
        .arg(script)
        .arg(folder.path())
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let rows: Vec<(String, String, f64, u16)> = serde_json::from_slice(&output.stdout).unwrap();
    assert!(rows.len() > crystals.len() * 18, "{}", rows.len());
    for (file, formula, volume, group) in rows {
        let stem = file.trim_start_matches("theirs/");
        let n: usize = stem.split(['-', '.']).next().unwrap().parse().unwrap();
        let (expected, structure) = &crystals[n];
        let mirrored = file.starts_with("theirs/")
            && (file.ends_with(".cif") || file.contains("pymatgen") && file.ends_with(".vasp"))
            && structure.lattice.is_left_handed();
        if !mirrored {
            assert_eq!(group, *expected, "{file}: as the other program reads it");
        }
        // Files of the others have up to eight decimals. (Their densities have other masses.)
        let close = |x: f64, y: f64| (x / y - 1.0).abs() < 1e-5;
        let per_atom = |one: &Structure| one.lattice.volume() / one.elements.len() as f64;
        let read = Structure::from_file(&fs::canonicalize(folder.path().join(&file)).unwrap());
        let read = read.unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(number(&read), group, "{file}: as we read it");
        assert!(close(read.lattice.volume(), volume), "{file}");
        assert!(close(per_atom(&read), per_atom(structure)), "{file}");
        assert_eq!(read.cell_formula(), formula, "{file}");
    }
}
