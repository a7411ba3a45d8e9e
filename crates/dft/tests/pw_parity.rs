//! Oracle of this file: `pw.x`, run live on the same UPF files, cutoffs, meshes and smearing.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "tests fail by panicking and report the differences"
)]

mod common;

use std::{fs, num::NonZeroUsize, path::Path};

use common::{Case, fcc, gth, silicon};
use crystalgym_dft::{
    BandEdges, HARTREE_EV, HARTREE_PER_BOHR3_GPA, Smearing, pressure, pseudo::Pseudopotential,
};
use crystalgym_testing::program;

/// The parity asked for: 1e-5 Ry an atom, 2 meV for the levels; for pressures a tenth of the
/// kilobar asked for.
const ENERGY_RY_PER_ATOM: f64 = 1e-5;
const LEVEL_EV: f64 = 2e-3;
const PRESSURE_KBAR: f64 = 0.1;
const KBAR_PER_GPA: f64 = 10.0;

fn check(case: &Case, upf: impl Fn(&str) -> String) {
    let Some(pw) = program("pw.x") else { return };
    let expected = case.run_pw(&pw, &upf);
    let read = |s: &str| Pseudopotential::from_upf(&upf(s), Path::new("test.upf")).unwrap();
    let basis = case.basis(read);
    let result = case.solve_on(&basis);
    assert!(
        result.is_converged(),
        "{:?} {:#?}",
        result.end,
        result.history
    );

    let parts = result.energies;
    let in_ry = |ha: f64| 2.0 * ha;
    for (name, found, expected) in [
        ("Ewald", in_ry(parts.ewald_ha), expected.ewald_ry),
        ("Hartree", in_ry(parts.hartree_ha), expected.hartree_ry),
        ("xc", in_ry(parts.xc_ha), expected.xc_ry),
        (
            "total",
            in_ry(result.total_energy_ha()),
            expected.total_energy_ry,
        ),
    ] {
        println!(
            "{name}: {found:.8} Ry, pw.x {expected:.8} Ry, {:.1e}",
            found - expected
        );
    }
    let energy_error = in_ry(result.total_energy_ha()) - expected.total_energy_ry;
    let limit = ENERGY_RY_PER_ATOM * case.atoms.len() as f64;
    assert!(
        energy_error.abs() < limit,
        "energy differs by {energy_error} Ry"
    );

    let pressure = pressure(&basis, &result, NonZeroUsize::MIN);
    let found = pressure * HARTREE_PER_BOHR3_GPA * KBAR_PER_GPA;
    let expected_kbar = expected.pressure_kbar;
    println!("pressure: {found:.4} kbar, pw.x {expected_kbar:.4} kbar");
    assert!(
        (found - expected_kbar).abs() < PRESSURE_KBAR,
        "{found} {expected_kbar}"
    );

    let compare = |name: &str, found_ha: f64, expected_ev: f64| {
        let found = found_ha * HARTREE_EV;
        println!("{name}: {found:.5} eV, pw.x {expected_ev:.5} eV");
        assert!(
            (found - expected_ev).abs() < LEVEL_EV,
            "{name}: {found} {expected_ev}"
        );
    };
    match case.smearing {
        None => {
            let edges = BandEdges::of(&result).unwrap();
            compare("HOMO", edges.homo_ha, expected.homo_ev.unwrap());
            compare("LUMO", edges.lumo_ha, expected.lumo_ev.unwrap());
        }
        Some(_) => {
            let fermi = result.fermi_level_ha.unwrap();
            compare("Fermi level", fermi, expected.fermi_ev.unwrap());
        }
    }
}

fn gth_upf(symbol: &str) -> String {
    gth(symbol).to_upf()
}

#[test]
fn silicon_gth_pbe() {
    check(&silicon(), gth_upf);
}

/// The same crystal away from its symmetric positions, in a skewed setting of the cell.
#[test]
fn distorted_silicon() {
    let [a, b, c] = fcc(5.43);
    let case = Case {
        lattice_ang: [a, b, std::array::from_fn(|i| c[i] + a[i])],
        atoms: vec![("Si", [0.01, 0.0, 0.02]), ("Si", [0.0, 0.25, 0.25])],
        divisions: [2; 3],
        ..silicon()
    };
    check(&case, gth_upf);
}

#[test]
fn lithium_hydride_rock_salt() {
    let case = Case {
        lattice_ang: fcc(4.08),
        atoms: vec![("Li", [0.0; 3]), ("H", [0.5; 3])],
        ecutwfc_ry: 30.0,
        ecutrho_ry: 150.0,
        divisions: [3; 3],
        smearing: None,
        bands: 4,
        use_symmetry: true,
    };
    check(&case, gth_upf);
}

#[test]
fn aluminium_with_each_smearing() {
    for smearing in [
        Smearing::Gaussian,
        Smearing::MethfesselPaxton,
        Smearing::MarzariVanderbilt,
        Smearing::FermiDirac,
    ] {
        let case = Case {
            lattice_ang: fcc(4.04),
            atoms: vec![("Al", [0.0; 3])],
            ecutwfc_ry: 12.0,
            ecutrho_ry: 48.0,
            divisions: [4; 3],
            smearing: Some((smearing, 0.03)),
            bands: 6,
            use_symmetry: true,
        };
        check(&case, gth_upf);
    }
}

/// LDA with a tabulated pseudopotential that others made, where it is installed.
#[test]
fn silicon_lda_tabulated() {
    let path = "/usr/share/espresso/pseudo/Si.pz-vbc.UPF";
    match fs::read_to_string(path) {
        Ok(text) => check(&silicon(), |_| text.clone()),
        Err(error) => eprintln!("skipped: {path}: {error}"),
    }
}
