//! Ultrasoft and PAW potentials. Oracle of this file: `pw.x`, run live on the same UPF files that
//! others made, where they are installed.

mod common;

use std::{fs, path::Path};

use common::{Case, Parity, fcc};
use crystalgym_dft::{Smearing, pseudo::Pseudopotential};

/// Where Debian's `quantum-espresso-data` puts its files.
const FOLDER: &str = "/usr/share/espresso/pseudo";

fn check(case: &Case, parity: Parity, files: &[(&str, &str)]) {
    let mut texts = Vec::new();
    for (symbol, file) in files {
        let path = Path::new(FOLDER).join(file);
        match fs::read_to_string(&path) {
            Ok(text) => texts.push((*symbol, text)),
            Err(error) => {
                crystalgym_testing::missing(&format!("{}: {error}", path.display()));
                return;
            }
        }
    }
    let upf = |symbol: &str| {
        let found = texts.iter().find(|(name, _)| *name == symbol);
        found.map(|(_, text)| text.clone()).unwrap_or_default()
    };
    common::check_parity(case, parity, upf);
}

fn diamond_like(symbols: [&'static str; 2], lattice_ang: f64) -> Case {
    Case {
        lattice_ang: fcc(lattice_ang),
        atoms: vec![(symbols[0], [0.0; 3]), (symbols[1], [0.25; 3])],
        ecutwfc_ry: 20.0,
        ecutrho_ry: 160.0,
        divisions: [2; 3],
        smearing: None,
        bands: 5,
        use_symmetry: true,
    }
}

#[test]
fn diamond_ultrasoft() {
    let case = diamond_like(["C", "C"], 3.57);
    check(&case, Parity::ULTRASOFT, &[("C", "C.pbe-rrkjus.UPF")]);
}

#[test]
fn boron_nitride_paw() {
    let case = diamond_like(["B", "N"], 3.62);
    let files = [
        ("B", "B.pbe-n-kjpaw_psl.1.0.0.UPF"),
        ("N", "N.pbe-n-kjpaw_psl.1.0.0.UPF"),
    ];
    check(&case, Parity::PAW, &files);
}

/// Low symmetry, and two kinds of potential in one cell.
#[test]
fn distorted_boron_nitride_with_a_mixture() {
    let mut case = diamond_like(["B", "N"], 3.62);
    case.lattice_ang[2][0] += 0.1;
    case.atoms[1].1 = [0.26, 0.23, 0.27];
    let files = [
        ("B", "B.pbe-n-rrkjus_psl.1.0.0.UPF"),
        ("N", "N.pbe-n-kjpaw_psl.1.0.0.UPF"),
    ];
    check(&case, Parity::PAW, &files);
}

/// d projectors.
#[test]
fn copper_paw_and_nickel_ultrasoft() {
    let mut case = Case {
        lattice_ang: fcc(3.6),
        atoms: vec![("Cu", [0.0; 3])],
        ecutwfc_ry: 25.0,
        ecutrho_ry: 200.0,
        divisions: [2; 3],
        smearing: Some((Smearing::MarzariVanderbilt, 0.02)),
        bands: 9,
        use_symmetry: true,
    };
    check(&case, Parity::PAW, &[("Cu", "Cu.pbe-kjpaw.UPF")]);
    case.atoms[0].0 = "Ni";
    check(&case, Parity::ULTRASOFT, &[("Ni", "Ni.pbe-nd-rrkjus.UPF")]);
}

/// Identity: the whole mesh without symmetry gives the energy of the wedge, whose occupations of
/// the d projectors are symmetrised.
#[test]
fn symmetry_changes_nothing() {
    let path = Path::new(FOLDER).join("Ni.pbe-nd-rrkjus.UPF");
    let (ni, cu) = (path.clone(), path.with_file_name("Cu.pbe-kjpaw.UPF"));
    if !ni.exists() || !cu.exists() {
        crystalgym_testing::missing(FOLDER);
        return;
    }
    let mut case = Case {
        lattice_ang: [[2.55, 0.0, 0.0], [0.0, 2.55, 0.0], [0.0, 0.0, 3.6]],
        atoms: vec![("Cu", [0.0; 3]), ("Ni", [0.5; 3])],
        ecutwfc_ry: 16.0,
        ecutrho_ry: 128.0,
        divisions: [2; 3],
        smearing: Some((Smearing::Gaussian, 0.03)),
        bands: 16,
        use_symmetry: true,
    };
    let read = |symbol: &str| {
        let path = if symbol == "Ni" { &ni } else { &cu };
        Pseudopotential::from_upf_file(path).unwrap()
    };
    let with = case.solve(read);
    case.use_symmetry = false;
    let without = case.solve(read);
    assert!(with.k_points.len() < without.k_points.len());
    assert!(with.is_converged() && without.is_converged());
    let difference = with.total_energy_ha() - without.total_energy_ha();
    assert!(difference.abs() < 1e-8, "{difference} Ha");
}
