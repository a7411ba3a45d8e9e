//! Oracle: pymatgen 2025.1.9, ASE 3.29 and spglib, run here: some 2000 CIF files of all 530 settings
//! of the 230 space groups, read as those programs read them, and our own files read back by them.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::{collections::BTreeMap, fs, path::Path, process::Command};

use crystalgym_crystal::{
    Lattice, SYMMETRY_TOLERANCE_ANG, Structure, StructureFormat, space_group,
};
use serde::{Deserialize, de::DeserializeOwned};

#[derive(Debug, Deserialize)]
struct Expected {
    source: String,
    elements: Vec<String>,
    frac_coords: Vec<[f64; 3]>,
    density: f64,
    number: u16,
    may_be_refused: bool,
}

#[derive(Debug, Deserialize)]
struct ReadBack {
    formula: String,
    density: f64,
    number: u16,
}

fn group_of(structure: &Structure) -> u16 {
    let kinds: Vec<i32> = structure
        .elements
        .iter()
        .map(|element| i32::from(element.atomic_number()))
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

/// Runs a script of `oracle/` on a folder; its output.
fn run(python: &Path, script: &str, folder: &Path) -> Vec<u8> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/oracle")
        .join(script);
    let output = Command::new(python)
        .arg(script)
        .arg(folder)
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    output.stdout
}

fn parsed<T: DeserializeOwned>(json: &[u8]) -> T {
    serde_json::from_slice(json).unwrap()
}

/// Whether every expected site is one of the found ones, to 0.02 Å (the cell is written to 1e-5 Å,
/// positions to 1e-5 of it).
fn same_sites(found: &Structure, expected: &Expected) -> bool {
    let near = |x: [f64; 3], y: [f64; 3]| {
        let delta: [f64; 3] = std::array::from_fn(|i| {
            let d = x[i] - y[i];
            d - d.round()
        });
        let cart = found.lattice.to_cart(delta);
        cart.iter().map(|d| d * d).sum::<f64>().sqrt() < 0.02
    };
    let has = |symbol: &str, x: [f64; 3]| {
        let mut sites = found.elements.iter().zip(&found.frac_coords);
        sites.any(|(element, y)| element.symbol() == symbol && near(x, *y))
    };
    let mut sites = expected.elements.iter().zip(&expected.frac_coords);
    found.elements.len() == expected.elements.len() && sites.all(|(symbol, x)| has(symbol, *x))
}

/// The groups that are mirror images of others, and every twelfth setting.
fn is_written_back(hall: usize, number: u16) -> bool {
    let pairs = [
        76, 78, 91, 92, 95, 96, 144, 145, 151, 152, 153, 154, 169, 170, 171, 172, 178, 179, 180,
        181, 212, 213,
    ];
    pairs.contains(&number) || hall.is_multiple_of(12)
}

#[test]
fn files_of_all_settings_are_read_as_pymatgen_and_ase_read_them() {
    let Some(python) = crystalgym_testing::python_with(&["pymatgen.core", "ase", "spglib"]) else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let written_back = tempfile::tempdir().unwrap();
    run(&python, "cif_oracle.py", folder.path());
    let json = fs::read(folder.path().join("expected.json")).unwrap();
    let all: BTreeMap<String, Expected> = parsed(&json);
    let mut wrong = Vec::new();
    let (mut read, mut refused) = (0, Vec::new());
    let mut groups = BTreeMap::new();
    for (name, expected) in &all {
        let structure = match Structure::from_file(&folder.path().join(name)) {
            Ok(structure) => structure,
            Err(error)
                if expected.may_be_refused && error.to_string().contains("not determined") =>
            {
                refused.push(name);
                continue;
            }
            Err(error) => {
                wrong.push(format!("{name} ({}): {error}", expected.source));
                continue;
            }
        };
        read += 1;
        let density = structure.density_g_cm3();
        // Searching for the symmetry is what takes time: one file of each setting.
        let hall: usize = name[..3].parse().unwrap();
        let number = match name.ends_with("_hall.cif") || name.ends_with("symmetry.cif") {
            true => group_of(&structure),
            false => expected.number,
        };
        if !same_sites(&structure, expected)
            || (density / expected.density - 1.0).abs() > 1e-3
            || number != expected.number
        {
            wrong.push(format!(
                "{name} ({}): {} atoms, {density} g/cm³, {number}; expected {}, {}, {}",
                expected.source,
                structure.elements.len(),
                expected.elements.len(),
                expected.density,
                expected.number
            ));
        }
        if name.ends_with("_hall.cif") && is_written_back(hall, number) {
            let [a, b, c] = structure.lattice.vectors();
            let swapped = structure.frac_coords.iter().map(|[x, y, z]| [*y, *x, *z]);
            let left_handed = Structure {
                lattice: Lattice::new([b, a, c]).unwrap(),
                elements: structure.elements.clone(),
                frac_coords: swapped.collect(),
            };
            for (hand, structure) in [("right", &structure), ("left", &left_handed)] {
                let name = format!("{hall:03}_{hand}.cif");
                let path = written_back.path().join(&name);
                structure.to_file_as(&path, StructureFormat::Cif).unwrap();
                groups.insert(
                    name,
                    (number, structure.cell_formula(), structure.density_g_cm3()),
                );
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "{} wrong:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
    assert!(read > 1700, "{read} read, refused: {refused:?}");
    println!("{read} read, {} left open by their names", refused.len());

    let found: BTreeMap<String, Vec<ReadBack>> =
        parsed(&run(&python, "cif_read_back.py", written_back.path()));
    assert_eq!(found.len(), groups.len());
    for (name, (number, formula, density)) in &groups {
        for program in &found[name] {
            assert_eq!(program.number, *number, "{name}");
            assert_eq!(program.formula, *formula, "{name}");
            assert!(
                (program.density / density - 1.0).abs() < 1e-3,
                "{name} {program:?}"
            );
        }
    }
}
