//! `crystalgym bench genbench` on a small benchmark.
//!
//! Skipped where the Python package `chgnet`, which brings the weights, is not at hand.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::{
    fs,
    path::Path,
    process::{Command, Output},
};

use serde_json::Value;

fn run(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_crystalgym"))
        .current_dir(folder)
        .env("XDG_DATA_HOME", folder)
        .args(arguments)
        .output()
        .unwrap()
}

fn said(output: &Output) -> String {
    let [out, err] = [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes));
    format!("{out}{err}")
}

/// Identities: the table counts what the file of crystals holds, and an energy above the hull is what
/// `evaluate` gives for the same crystal.
#[test]
fn the_table_follows_from_its_crystals() {
    let Some(package) = crystalgym_testing::python_package("chgnet") else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let from = package.display().to_string();
    let installed = run(folder, &["model", "install", "chgnet", "--from", &from]);
    assert!(installed.status.success(), "{}", said(&installed));
    let mut arguments = vec![
        "bench",
        "run",
        "paper-exp1",
        "--scale",
        "smoke",
        "--output",
        "b",
    ];
    arguments.extend(["--algorithms", "random_search", "--properties", "density"]);
    arguments.extend(["--skeletons", "C4", "--set", "calculator.name=rigid"]);
    let ran = run(folder, &arguments);
    assert!(ran.status.success(), "{}", said(&ran));
    // No reference for any element but these: a crystal of others has no energy, and is counted so.
    let hull = "formula,formation_energy_ev_per_atom\nNaCl,-2.1\nLiF,-3.1\nK2O,-1.2\nBeS,-1.2\n\
                SrH2,-0.6\nMg3N2,-1.0\nCaSe,-1.9\nRbBr,-2.0\nCO2,-1.4\nPCl3,-0.8\n";
    fs::write(folder.join("hull.csv"), hull).unwrap();
    let arguments = [
        "bench",
        "genbench",
        "b",
        "--references",
        "hull.csv",
        "--training",
    ];
    let judged = run(folder, &arguments);
    assert!(judged.status.success(), "{}", said(&judged));
    let table = said(&judged);
    assert_eq!(
        table,
        fs::read_to_string(folder.join("b/genbench.md")).unwrap()
    );
    assert!(
        table.contains("stable by chgnet, hull of hull.csv"),
        "{table}"
    );

    let text = fs::read_to_string(folder.join("b/genbench.csv")).unwrap();
    let rows: Vec<Vec<&str>> = text
        .lines()
        .skip(1)
        .map(|row| row.split(',').collect())
        .collect();
    assert!(rows.len() >= 10, "{}", rows.len());
    let is_valid = |row: &&Vec<&str>| row[2..5].iter().all(|flag| *flag == "true");
    let valid = rows.iter().filter(is_valid).count();
    assert!(
        table.contains(&format!("({valid} of {})", rows.len())),
        "{table}"
    );
    for row in &rows {
        let has_answer = !row[7].is_empty() || !row[8].is_empty();
        assert_eq!(has_answer, is_valid(&row), "{row:?}");
    }
    let energies = rows.iter().filter(|row| !row[7].is_empty());
    let energies: Vec<f64> = energies.map(|row| row[7].parse().unwrap()).collect();
    if let Some(row) = rows.iter().find(|row| !row[7].is_empty()) {
        let mean = energies.iter().sum::<f64>() / energies.len() as f64;
        assert!(table.contains(&format!("{mean:.3} eV/atom")), "{table}");
        let elements = row[1].replace(' ', ",");
        let mut arguments = vec!["evaluate", "--skeleton", row[0], "--json"];
        arguments.extend(["--elements", elements.as_str()]);
        arguments.extend(["--property", "energy_above_hull", "--calculator", "chgnet"]);
        arguments.extend(["--references", "hull.csv", "--store", "none"]);
        let alone = run(folder, &arguments);
        let found: Value = serde_json::from_slice(&alone.stdout).unwrap();
        let value = found["outcome"]["value"]
            .as_f64()
            .unwrap_or_else(|| unreachable!("{found}"));
        assert!(
            (value - row[7].parse::<f64>().unwrap()).abs() < 1e-9,
            "{found} {row:?}"
        );
    }
    // The report has the same rows.
    let report = run(folder, &["bench", "report", "b", "--tables"]);
    let report = said(&report);
    for line in table.lines().skip(2) {
        assert!(report.contains(line), "{line}: {report}");
    }
    let absent = run(
        folder,
        &["bench", "genbench", "b", "--references", "absent.csv"],
    );
    assert!(said(&absent).contains("absent.csv"), "{}", said(&absent));
}
