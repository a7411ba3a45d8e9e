//! The other commands, as a user runs them.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::{
    fs,
    process::{Command, Output, Stdio},
};

use common::{run_at_home as run, text};
use serde_json::Value;

fn json(output: &Output) -> Value {
    assert!(output.status.success(), "{}", text(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn lists() {
    let folder = tempfile::tempdir().unwrap();
    for (what, count) in [
        ("skeletons", 7),
        ("actions", 3),
        // 336 of one property, 224 of one and stability.
        ("tasks", 560),
        ("properties", 7),
        ("calculators", 6),
    ] {
        let rows = json(&run(folder.path(), &["list", what, "--json"]));
        assert_eq!(rows.as_array().unwrap().len(), count, "{what}");
        let table = text(&run(folder.path(), &["list", what]).stdout);
        assert_eq!(table.lines().count(), count + 1, "{what}");
    }
    let rows = json(&run(folder.path(), &["list", "skeletons", "--json"]));
    assert_eq!(
        (&rows[5]["label"], &rows[5]["mp20_row"]),
        (&"C6".into(), &8354.into())
    );
}

#[test]
fn evaluate_by_skeleton_and_by_file() {
    let folder = tempfile::tempdir().unwrap();
    let by_name = json(&run(
        folder.path(),
        &[
            "evaluate",
            "--skeleton",
            "C2",
            "--elements",
            "Rb,Ca,H,H,H",
            "--property",
            "density",
            "--calculator",
            "rigid",
            "--json",
        ],
    ));
    assert_eq!(by_name["formula"], "RbCaH3");
    let density = by_name["outcome"]["value"].as_f64().unwrap();
    // Oracle: the mass of RbCaH3 in its cubic cell, by hand.
    let expected = 1.660_539_066_6 * (85.4678 + 40.078 + 3.0 * 1.008) / 4.544346f64.powi(3);
    assert!((density - expected).abs() < 1e-9);

    let cell = "RbCaH3\n4.544346\n1 0 0\n0 1 0\n0 0 1\nRb Ca H\n1 1 3\nDirect\n0 0 0\n.5 .5 .5\n\
        .5 0 .5\n.5 .5 0\n0 .5 .5\n";
    fs::write(folder.path().join("POSCAR"), cell).unwrap();
    let evaluate = [
        "evaluate",
        "POSCAR",
        "--property",
        "density",
        "--calculator",
        "rigid",
    ];
    let by_file = json(&run(folder.path(), &[&evaluate[..], &["--json"]].concat()));
    assert!((by_file["outcome"]["value"].as_f64().unwrap() - density).abs() < 1e-9);
    let table = run(folder.path(), &evaluate);
    assert!(
        text(&table.stdout).contains("2.2"),
        "{}",
        text(&table.stdout)
    );
}

/// What somebody gets who says nothing about calculators: a real calculation, stored.
///
/// Oracle: the second run finds the value of the first in the store, and the same case is compared
/// with pw.x in the tests of the evaluation crate.
#[test]
fn evaluate_computes_with_nothing_installed() {
    let folder = tempfile::tempdir().unwrap();
    let arguments = [
        "evaluate",
        "--skeleton",
        "C2",
        "--elements",
        "Rb,Ca,H,H,H",
        "--property",
        "band_gap",
        "--set",
        "native.ecutwfc_ry=16",
        "--set",
        "native.kppa=100",
        "--json",
    ];
    let [first, second] = [(); 2].map(|()| json(&run(folder.path(), &arguments)));
    assert_eq!(
        (&first["calculator"], &first["source"]),
        (&"native".into(), &"computed".into())
    );
    assert_eq!(second["source"], "store");
    assert_eq!(first["outcome"], second["outcome"]);
    let gap = first["outcome"]["value"].as_f64().unwrap();
    assert!((gap - 3.5719).abs() < 2e-3, "{gap}");
}

/// Two crystals with electrons that pair up or do not; the second time from the store.
#[test]
fn coverage_counts_outcomes_and_goes_on_from_the_store() {
    let folder = tempfile::tempdir().unwrap();
    let arguments = [
        "bench",
        "coverage",
        "--count",
        "6",
        "--seed",
        "3",
        "--skeleton",
        "C2,C6",
        "--set",
        "native.ecutwfc_ry=8",
        "--set",
        "native.kppa=1",
        "--csv",
        "rows.csv",
    ];
    let first = run(folder.path(), &arguments);
    assert!(first.status.success(), "{}", text(&first.stderr));
    let rows = fs::read_to_string(folder.path().join("rows.csv")).unwrap();
    assert_eq!(rows.lines().count(), 7, "{rows}");
    let odd = rows
        .lines()
        .filter(|row| row.contains(",odd_electron_count,,0,"))
        .count();
    assert!(odd > 0, "{rows}");
    let line = format!("| odd_electron_count | {odd} |");
    assert!(
        text(&first.stdout).contains(&line),
        "{}",
        text(&first.stdout)
    );
    // What numbers are worth depends on what they were computed with.
    let settings = "the first success computed with GTH-PBE, fast, 8/32 Ry, 1×1×1 k-points";
    assert!(
        text(&first.stdout).contains(settings),
        "{}",
        text(&first.stdout)
    );
    let second = run(folder.path(), &arguments);
    assert!(
        !text(&second.stderr).contains("computed"),
        "{}",
        text(&second.stderr)
    );
    assert_eq!(
        fs::read_to_string(folder.path().join("rows.csv")).unwrap(),
        rows
    );
}

#[test]
fn evaluate_says_what_is_wrong() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(
        folder.path().join("bad.cif"),
        "data_x\n_cell_length_a abc\n",
    )
    .unwrap();
    let five = [
        "evaluate",
        "--skeleton",
        "C2",
        "--property",
        "density",
        "--elements",
    ];
    for (arguments, status, expected) in [
        (
            [&five[..], &["Rb,Ca,H"]].concat(),
            2,
            "has 5 sites, but 3 elements",
        ),
        (
            [&five[..], &["Rb,Ca,H,H,Xy"]].concat(),
            2,
            "unknown element symbol 'Xy'",
        ),
        (
            [&five[..], &["H,H,H,H,H", "--calculator", "vasp"]].concat(),
            2,
            "unknown variant `vasp`",
        ),
        (
            vec!["evaluate", "bad.cif", "--property", "density"],
            1,
            "bad.cif: CIF line 2",
        ),
        (
            vec!["evaluate", "none.cif", "--property", "density"],
            1,
            "none.cif",
        ),
        (
            vec!["evaluate", "a.cif", "--property", "colour"],
            2,
            "unknown property 'colour'",
        ),
    ] {
        let output = run(folder.path(), &arguments);
        let message = text(&output.stderr);
        assert!(message.contains(expected), "{arguments:?}: {message}");
        assert_eq!(output.status.code(), Some(status), "{message}");
    }
}

#[test]
fn convert_keeps_the_structure() {
    let folder = tempfile::tempdir().unwrap();
    let original = "2\nLattice=\"4 0 0 0.1 4 0 0 0 4.5\" Properties=species:S:1:pos:R:3\n\
        Na 0 0 0\nCl 2 2 2.25\n";
    fs::write(folder.path().join("a.extxyz"), original).unwrap();
    for pair in [
        ["a.extxyz", "b.cif"],
        ["b.cif", "c.vasp"],
        ["c.vasp", "d.json"],
    ] {
        let output = run(folder.path(), &["convert", pair[0], pair[1]]);
        assert!(output.status.success(), "{}", text(&output.stderr));
    }
    let output = run(folder.path(), &["convert", "d.json", "-", "--to", "poscar"]);
    assert!(
        text(&output.stdout).contains("Na Cl\n1 1\nDirect"),
        "{}",
        text(&output.stdout)
    );
    let output = run(folder.path(), &["convert", "a.extxyz", "b.txt"]);
    assert!(text(&output.stderr).contains("'b.txt' tells no structure format"));
}

#[test]
fn looking_into_a_store_does_not_create_one() {
    let folder = tempfile::tempdir().unwrap();
    let output = run(folder.path(), &["store", "stats"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("no store at"));
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

/// A reader that has seen enough, such as `head`, is no error.
#[test]
fn a_closed_pipe_is_no_failure() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_crystalgym"))
        .args(["list", "tasks"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert_eq!(text(&output.stderr), "");
}
