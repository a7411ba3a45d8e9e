//! Oracle of this file: `pw.x`, run live on the same UPF files, cutoffs, meshes and smearing.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "tests fail by panicking and report the differences"
)]

mod common;

use std::fs;

use common::{Case, Parity, fcc, gth, silicon};
use crystalgym_dft::Smearing;
use crystalgym_testing::missing;

fn check(case: &Case, upf: impl Fn(&str) -> String) {
    common::check_parity(case, Parity::NORM_CONSERVING, upf);
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

/// Polar, several components in a cell of low symmetry, with forces.
#[test]
fn distorted_lithium_hydride() {
    let case = Case {
        lattice_ang: [[0.1, 2.0, 2.1], [1.9, 0.1, 2.0], [2.1, 2.0, -0.2]],
        atoms: vec![("Li", [0.02, 0.0, -0.01]), ("H", [0.47, 0.55, 0.5])],
        ecutwfc_ry: 25.0,
        ecutrho_ry: 125.0,
        divisions: [2; 3],
        smearing: None,
        bands: 4,
        use_symmetry: true,
    };
    check(&case, gth_upf);
}

/// A norm-conserving potential with core correction, in LDA.
#[test]
fn magnesium_silicide_layer_with_core_correction() {
    let path = |symbol: &str| match symbol {
        "Mg" => "/usr/share/espresso/pseudo/Mg.pz-n-vbc.UPF",
        _ => "/usr/share/espresso/pseudo/Si.pz-vbc.UPF",
    };
    let mut texts = Vec::new();
    for symbol in ["Mg", "Si"] {
        match fs::read_to_string(path(symbol)) {
            Ok(text) => texts.push((symbol, text)),
            Err(error) => return missing(&format!("{}: {error}", path(symbol))),
        }
    }
    let case = Case {
        lattice_ang: [[3.1, 0.0, 0.0], [0.0, 3.1, 0.2], [0.0, 0.0, 3.6]],
        atoms: vec![("Mg", [0.0; 3]), ("Si", [0.5, 0.5, 0.46])],
        ecutwfc_ry: 12.0,
        ecutrho_ry: 60.0,
        divisions: [2; 3],
        smearing: Some((Smearing::Gaussian, 0.02)),
        bands: 8,
        use_symmetry: true,
    };
    let text = |symbol: &str| texts.iter().find(|(name, _)| *name == symbol);
    check(&case, |symbol| {
        text(symbol)
            .map(|(_, text)| text.clone())
            .unwrap_or_default()
    });
}

/// LDA with a tabulated pseudopotential that others made, where it is installed.
#[test]
fn silicon_lda_tabulated() {
    let path = "/usr/share/espresso/pseudo/Si.pz-vbc.UPF";
    match fs::read_to_string(path) {
        Ok(text) => check(&silicon(), |_| text.clone()),
        Err(error) => missing(&format!("{path}: {error}")),
    }
}
