//! Bands along a path and densities of states from a converged density.
//!
//! Oracle: `pw.x` (`bands` and `nscf` after an `scf` of the same case) and `dos.x`, run live on the same
//! UPF files.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "tests fail by panicking and report the differences"
)]

mod common;

use std::{fmt::Write as _, fs, path::Path, process::Command};

use common::{Case, fcc, gth, silicon};
use crystalgym_dft::{
    BandOptions, Broadening, DensityOfStates, HARTREE_EV, KMesh, MeshBands, PlaneWaveBasis,
    RYDBERG_HARTREE, ScfResult, Smearing, band_energies, pseudo::Pseudopotential,
};
use crystalgym_testing::{missing, program, pw_x_in};

/// Levels of band structures: what is left of both programs' densities and eigensolvers.
const LEVEL_EV: f64 = 2e-4;
/// Some way through the Brillouin zone, with points of no symmetry.
const POINTS: [[f64; 3]; 6] = [
    [0.0, 0.0, 0.0],
    [0.1, 0.0, 0.1],
    [0.5, 0.0, 0.5],
    [0.5, 0.5, 0.5],
    [0.375, 0.375, 0.75],
    [0.13, -0.21, 0.37],
];

fn aluminium() -> Case {
    Case {
        lattice_ang: fcc(4.04),
        atoms: vec![("Al", [0.0; 3])],
        ecutwfc_ry: 12.0,
        ecutrho_ry: 48.0,
        divisions: [4; 3],
        smearing: Some((Smearing::Gaussian, 0.03)),
        bands: 6,
        use_symmetry: true,
    }
}

fn gth_upf(symbol: &str) -> String {
    gth(symbol).to_upf()
}

/// `pw.x`, self-consistent, then at other k-points; the folder with its output.
fn run(
    pw: &Path,
    case: &Case,
    upf: impl Fn(&str) -> String,
    second: &Case,
    calculation: &str,
    occupations: &str,
    k_points: &str,
) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for symbol in case.symbols() {
        fs::write(folder.path().join(format!("{symbol}.upf")), upf(symbol)).unwrap();
    }
    let [a, b, c] = case.divisions;
    let mesh = format!("K_POINTS automatic\n{a} {b} {c} 0 0 0");
    let here = folder.path();
    for deck in [
        case.deck_of("scf", here, &case.occupations(), &mesh),
        second.deck_of(calculation, here, occupations, k_points),
    ] {
        let file = folder.path().join("pw.in");
        fs::write(&file, deck).unwrap();
        let output = pw_x_in(pw, folder.path()).arg("-in").arg(&file).output();
        let output = output.unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(text.contains("JOB DONE"), "{text}");
    }
    folder
}

/// The levels in hartree that `pw.x` wrote into its data file, k-point by k-point.
fn levels_of(folder: &Path) -> Vec<Vec<f64>> {
    let text = fs::read_to_string(folder.join("p.save/data-file-schema.xml")).unwrap();
    let blocks = text.split("<eigenvalues").skip(1).map(|rest| {
        let (_, rest) = rest.split_once('>').unwrap();
        let (numbers, _) = rest.split_once("</eigenvalues>").unwrap();
        let numbers = numbers.split_whitespace();
        numbers.map(|number| number.parse().unwrap()).collect()
    });
    blocks.collect()
}

fn solve(case: &Case, upf: impl Fn(&str) -> String) -> (PlaneWaveBasis, ScfResult) {
    let read = |s: &str| Pseudopotential::from_upf(&upf(s), Path::new("test.upf")).unwrap();
    let basis = case.basis(read);
    let result = case.solve_on(&basis);
    assert!(result.is_converged());
    (basis, result)
}

fn compare_bands(case: &Case, upf: impl Fn(&str) -> String, bands: usize) {
    let Some(pw) = program("pw.x") else { return };
    let mut list = format!("K_POINTS crystal\n{}", POINTS.len());
    for [a, b, c] in POINTS {
        let _ = write!(list, "\n{a} {b} {c} 1.0");
    }
    let second = Case {
        bands,
        ..case.clone()
    };
    let occupations = case.occupations();
    let folder = run(&pw, case, &upf, &second, "bands", &occupations, &list);
    let expected = levels_of(folder.path());
    let (basis, result) = solve(case, upf);
    let options = BandOptions {
        bands: Some(bands),
        ..BandOptions::default()
    };
    let found = band_energies(&basis, &result, &POINTS, options).unwrap();
    let mut most = 0.0_f64;
    assert_eq!(found.len(), expected.len());
    for (found, expected) in found.iter().zip(&expected) {
        assert_eq!((found.len(), expected.len()), (bands, bands));
        for (found, expected) in found.iter().zip(expected) {
            most = most.max((found - expected).abs() * HARTREE_EV);
        }
    }
    println!("{:?}: {most:.1e} eV", case.atoms);
    assert!(most < LEVEL_EV, "{most} eV\n{found:?}\n{expected:?}");
    // By definition: threads change nothing.
    let threads = std::num::NonZeroUsize::new(2).unwrap();
    let again = band_energies(&basis, &result, &POINTS, BandOptions { threads, ..options });
    assert_eq!(again.unwrap(), found);
}

#[test]
fn bands_of_silicon() {
    compare_bands(&silicon(), gth_upf, 9);
}

#[test]
fn bands_of_a_metal() {
    compare_bands(&aluminium(), gth_upf, 9);
}

#[test]
fn bands_with_overlap() {
    let path = "/usr/share/espresso/pseudo/C.pbe-rrkjus.UPF";
    let Ok(text) = fs::read_to_string(path) else {
        return missing(&format!("{path} is not there"));
    };
    let case = Case {
        lattice_ang: fcc(3.57),
        atoms: vec![("C", [0.0; 3]), ("C", [0.25; 3])],
        ecutwfc_ry: 20.0,
        ecutrho_ry: 160.0,
        divisions: [2; 3],
        ..silicon()
    };
    compare_bands(&case, |_| text.clone(), 8);
}

/// `dos.x` prints four digits of the states per eV and of the electrons below.
fn compare_states(case: &Case, divisions: u32, gaussian_ry: Option<f64>, window_ev: [f64; 2]) {
    const STEP_EV: f64 = 0.25;
    let (Some(pw), Some(dos)) = (program("pw.x"), program("dos.x")) else {
        return;
    };
    let bands = 8;
    let second = Case {
        bands,
        ..case.clone()
    };
    let mesh = format!("K_POINTS automatic\n{divisions} {divisions} {divisions} 0 0 0");
    let (occupations, broadening) = match gaussian_ry {
        None => ("occupations = 'tetrahedra_lin'".to_owned(), String::new()),
        Some(width) => (
            case.occupations(),
            format!("bz_sum = 'smearing', ngauss = 0, degauss = {width},"),
        ),
    };
    let folder = run(&pw, case, gth_upf, &second, "nscf", &occupations, &mesh);
    let [from_ev, to_ev] = window_ev;
    let input = format!(
        "&dos prefix = 'p', outdir = '{}', {broadening} Emin = {from_ev}, Emax = {to_ev}, \
         DeltaE = {STEP_EV}, fildos = 'dos.dat' /\n",
        folder.path().display()
    );
    let file = folder.path().join("dos.in");
    fs::write(&file, input).unwrap();
    let mut command = Command::new(&dos);
    command
        .current_dir(folder.path())
        .env("OMPI_MCA_ess_singleton_isolated", "1")
        .env("TMPDIR", folder.path());
    let output = command.arg("-in").arg(&file).output().unwrap();
    let text = fs::read_to_string(folder.path().join("dos.dat"))
        .unwrap_or_else(|_| String::from_utf8_lossy(&output.stdout).into_owned());
    let expected: Vec<Vec<f64>> = (text.lines())
        .filter(|line| !line.starts_with('#'))
        .map(|line| {
            let words = line.split_whitespace();
            words.map(|word| word.parse().unwrap()).collect()
        })
        .collect();
    assert!(expected.len() > 20, "{text}");

    let (basis, result) = solve(case, gth_upf);
    let options = BandOptions {
        bands: Some(bands),
        ..BandOptions::default()
    };
    let k_mesh = KMesh::gamma_centred([divisions; 3]);
    let mesh_bands = MeshBands::of(&basis, &result, k_mesh, options).unwrap();
    let broadening = match gaussian_ry {
        None => Broadening::Tetrahedra,
        Some(width) => Broadening::Gaussian {
            width_ha: width * RYDBERG_HARTREE,
        },
    };
    let in_ha = |ev: f64| ev / HARTREE_EV;
    let found = DensityOfStates::of(
        &mesh_bands,
        window_ev.map(in_ha),
        in_ha(STEP_EV),
        broadening,
    )
    .unwrap();
    let mut most = 0.0_f64;
    for (place, row) in expected.iter().take(found.energies_ha.len()).enumerate() {
        let energy_ev = found.energies_ha[place] * HARTREE_EV;
        assert!((energy_ev - row[0]).abs() < 1e-3, "{energy_ev} {row:?}");
        let states_per_ev = found.states_per_ha[place] / HARTREE_EV;
        most = most.max((states_per_ev - row[1]).abs());
        if gaussian_ry.is_none() {
            let electrons = found.electrons_below[place];
            assert!(
                (electrons - row[2]).abs() < 2e-3 + 5e-4 * row[2],
                "{electrons} {row:?}"
            );
        }
    }
    println!("{:?}, {broadening:?}: {most:.1e} states/eV", case.atoms);
    assert!(most < 2e-3, "{most}\n{text}\n{found:?}");
}

#[test]
fn density_of_states_by_tetrahedra() {
    compare_states(&silicon(), 6, None, [-6.0, 10.0]);
    compare_states(&aluminium(), 6, None, [-4.0, 12.0]);
}

#[test]
fn density_of_states_of_gaussians() {
    compare_states(&silicon(), 4, Some(0.02), [-6.0, 10.0]);
    compare_states(&aluminium(), 6, Some(0.03), [-4.0, 12.0]);
}
