//! `crystalgym relax`.
//!
//! What needs CHGNet's weights is skipped without the Python package `chgnet`.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::{fs, process::Output};

use common::run_at_home as run;
use crystalgym_crystal::{Structure, StructureFormat};

fn said(output: &Output) -> String {
    let [out, err] = [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes));
    format!("{out}{err}")
}

fn poscar(symbols: &str, counts: &str, a: f64, sites: &[[f64; 3]]) -> String {
    let h = a / 2.0;
    let sites: Vec<String> = sites
        .iter()
        .map(|[x, y, z]| format!("{x} {y} {z}\n"))
        .collect();
    format!(
        "cell\n1.0\n0 {h} {h}\n{h} 0 {h}\n{h} {h} 0\n{symbols}\n{counts}\nDirect\n{}",
        sites.concat()
    )
}

#[test]
fn what_is_wrong_is_said_before_anything_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let salt = poscar("Na Cl", "1 1", 5.4, &[[0.0; 3], [0.5; 3]]);
    fs::write(folder.path().join("salt.vasp"), salt).unwrap();
    let not_installed = run(folder.path(), &["relax", "salt.vasp", "out.cif"]);
    assert_eq!(not_installed.status.code(), Some(1));
    let text = said(&not_installed);
    assert!(
        text.contains("run 'crystalgym model install chgnet'"),
        "{text}"
    );
    let wrong = ["relax", "salt.vasp", "out.cif", "--force-tolerance", "0"];
    let usage = run(folder.path(), &wrong);
    assert_eq!(usage.status.code(), Some(2));
    assert!(said(&usage).contains("--force-tolerance is 0"));
    let mixed = [
        "relax",
        "salt.vasp",
        "out.cif",
        "--by",
        "engine",
        "--references",
        ".",
    ];
    let usage = run(folder.path(), &mixed);
    assert_eq!(usage.status.code(), Some(2));
    assert!(said(&usage).contains("energies by CHGNet"));
    assert!(!folder.path().join("out.cif").exists());
}

/// The engine goes on where CHGNet ends, and needs few evaluations there.
#[test]
fn the_engine_goes_on_from_where_chgnet_ends() {
    let Some(package) = crystalgym_testing::python_package("chgnet") else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let from = package.display().to_string();
    let installed = run(
        folder.path(),
        &["model", "install", "chgnet", "--from", &from],
    );
    assert!(installed.status.success(), "{}", said(&installed));
    let silicon = poscar("Si", "2", 5.3, &[[0.0; 3], [0.255; 3]]);
    fs::write(folder.path().join("start.vasp"), silicon).unwrap();
    let mut arguments = vec!["relax", "start.vasp", "rest.cif", "--by", "both"];
    arguments.extend([
        "--set",
        "native.gth_cutoff_ry=20",
        "--set",
        "native.kppa=200",
    ]);
    arguments.extend(["--stress-tolerance", "0.3"]);
    let relaxed = run(folder.path(), &arguments);
    let text = said(&relaxed);
    assert!(relaxed.status.success(), "{text}");
    assert!(text.contains("Si by chgnet-0.3.0: converged"), "{text}");
    let mut lines = text.lines();
    let engine = lines.find(|line| line.contains("Si by native: converged"));
    let engine = engine.unwrap_or_else(|| unreachable!("{text}"));
    let words: Vec<&str> = engine.split(' ').collect();
    let evaluations: usize = words[words.len() - 2].parse().unwrap();
    assert!(evaluations <= 5, "{engine}");
}

#[test]
fn rock_salt_comes_to_rest_below_its_elements() {
    let Some(_) = crystalgym_testing::python_with(&["chgnet"]) else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let installed = run(folder.path(), &["model", "install", "chgnet"]);
    assert!(installed.status.success(), "{}", said(&installed));
    let list = said(&run(folder.path(), &["model", "list"]));
    assert!(
        list.starts_with("chgnet  chgnet-0.3.0  installed  "),
        "{list}"
    );

    fs::create_dir(path("references")).unwrap();
    let body_centred = "Na\n1.0\n-2.1 2.1 2.1\n2.1 -2.1 2.1\n2.1 2.1 -2.1\nNa\n1\nDirect\n0 0 0\n";
    fs::write(path("references/Na.vasp"), body_centred).unwrap();
    let chlorine = poscar("Cl", "2", 7.0, &[[0.0; 3], [0.16, 0.16, 0.16]]);
    fs::write(path("references/Cl.vasp"), chlorine).unwrap();
    fs::write(path("references/notes.txt"), "no structure").unwrap();
    let salt = poscar("Na Cl", "1 1", 5.4, &[[0.0; 3], [0.5; 3]]);
    fs::write(path("salt.vasp"), salt).unwrap();
    let arguments = [
        "relax",
        "salt.vasp",
        "out.cif",
        "--trajectory",
        "steps.extxyz",
        "--references",
        "references",
    ];
    let output = run(folder.path(), &arguments);
    let text = said(&output);
    assert!(output.status.success(), "{text}");
    assert!(
        text.contains("NaCl by chgnet-0.3.0: converged after"),
        "{text}"
    );
    assert!(text.contains("above the hull"), "{text}");
    // Oracle: ASE's FIRE with the package comes to 46.2 Å³ (a = 5.695 Å).
    let relaxed = Structure::from_file(&path("out.cif")).unwrap();
    assert!((relaxed.lattice.volume() - 46.2).abs() < 1.0, "{text}");
    let steps = fs::read_to_string(path("steps.extxyz")).unwrap();
    let first = Structure::from_text_at(&steps, StructureFormat::ExtXyz, 0).unwrap();
    assert!((first.lattice.volume() - 5.4_f64.powi(3) / 4.0).abs() < 1e-6);
    assert!(Structure::from_text_at(&steps, StructureFormat::ExtXyz, 2).is_ok());

    // From a step on, and with too few evaluations.
    let shorter = run(
        folder.path(),
        &["relax", "steps.extxyz@2", "out.cif", "--move", "volume"],
    );
    assert!(shorter.status.success(), "{}", said(&shorter));
    let short = run(
        folder.path(),
        &["relax", "salt.vasp", "out.cif", "--max-evaluations", "2"],
    );
    assert_eq!(short.status.code(), Some(1));
    assert!(said(&short).contains("not converged: evaluations used up"));
}
