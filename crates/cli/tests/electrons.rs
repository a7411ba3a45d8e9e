//! Bands, densities of states and convergence, as a user asks for them.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may panic")]

mod common;

use std::{
    fs,
    io::{BufRead, BufReader},
    process::{Command, Output, Stdio},
};

use common::{at_home as command, run_at_home as run, text};
use serde_json::Value;

const SILICON: &str = "Si\n1.0\n0.0 2.715 2.715\n2.715 0.0 2.715\n2.715 2.715 0.0\nSi\n2\ndirect\n\
                       0 0 0\n0.25 0.25 0.25\n";
const SMALL: [&str; 4] = [
    "--set",
    "native.ecutwfc_ry=10",
    "--set",
    "calculator.native.kppa=60",
];

fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", text(&output.stderr)))
}

fn silicon() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("si.vasp"), SILICON).unwrap();
    folder
}

/// Identity: the same bands in each format; the gap is that of the edges.
#[test]
fn bands_as_table_csv_json_and_plot() {
    let folder = silicon();
    let ask = |more: &[&str]| {
        let arguments = [&["bands", "si.vasp", "--spacing", "0.4"], &SMALL[..], more].concat();
        run(folder.path(), &arguments)
    };
    let found = json(&ask(&["--format", "json", "--svg", "si.svg"]));
    let bands = &found["bands"];
    assert_eq!(
        (&bands["lattice"], &bands["labels"][0]),
        (&"FCC".into(), &"Γ".into())
    );
    let energies = bands["energies_ev"].as_array().unwrap();
    let edges = &bands["edges"];
    let number = |value: &Value| value.as_f64().unwrap();
    let gap = number(&edges["conduction"]["energy_ev"]) - number(&edges["valence"]["energy_ev"]);
    assert!(gap > 0.1 && gap < 1.5, "{gap}");
    assert_eq!(edges["valence"]["label"], "Γ");
    assert_eq!(bands["reference_ev"], edges["valence"]["energy_ev"]);

    let csv = text(&ask(&["--format", "csv"]).stdout);
    assert_eq!(csv.lines().count(), energies.len() + 1);
    assert!(csv.starts_with("branch,label,distance_per_ang,k1,k2,k3,band_1_ev"));
    let first: Vec<&str> = csv.lines().nth(1).unwrap().split(',').collect();
    let lowest: f64 = first[6].parse().unwrap();
    assert!((lowest - number(&energies[0][0])).abs() < 1e-6);

    let table = text(&ask(&["--bands", "5"]).stdout);
    assert!(
        table.contains(&format!("band gap {gap:.4} eV, indirect")),
        "{table}"
    );
    assert!(table.contains("10/40 Ry"), "{table}");
    let svg = fs::read_to_string(folder.path().join("si.svg")).unwrap();
    assert!(svg.contains("Bands of Si") && svg.contains(">Γ<") && svg.contains("K|U"));
    let wrong = ask(&["--bands", "2"]);
    assert_eq!(wrong.status.code(), Some(1));
    assert!(text(&wrong.stderr).contains("bands is 2"));
}

#[test]
fn a_window_is_two_energies_the_lower_one_first() {
    let folder = silicon();
    for command in ["bands", "dos"] {
        for window in [["nan", "1"], ["5", "-5"], ["0", "0"], ["0", "inf"]] {
            let arguments = [command, "si.vasp", "--svg", "x.svg", "--window"];
            let found = run(folder.path(), &[&arguments[..], &window].concat());
            assert_eq!(found.status.code(), Some(2), "{command} {window:?}");
            assert!(text(&found.stderr).contains("--window is"));
        }
    }
    assert!(!folder.path().join("x.svg").exists());
}

/// By definition: eight electrons below the gap, and four bands hold eight.
#[test]
fn states_hold_the_electrons() {
    let folder = silicon();
    let ask = |more: &[&str]| {
        let arguments = [&["dos", "si.vasp", "--mesh", "4,4,4"], &SMALL[..], more].concat();
        run(folder.path(), &arguments)
    };
    let found = json(&ask(&["--format", "json", "--svg", "dos.svg"]));
    let states = &found["density_of_states"];
    assert_eq!(states["k_mesh"], serde_json::json!([4, 4, 4]));
    let energies = states["energies_ev"].as_array().unwrap();
    let below = states["electrons_below"].as_array().unwrap();
    let edges = &states["edges"];
    let middle = 0.5
        * (edges["valence"]["energy_ev"].as_f64().unwrap()
            + edges["conduction"]["energy_ev"].as_f64().unwrap());
    let place = energies.iter().position(|e| e.as_f64().unwrap() > middle);
    assert!((below[place.unwrap()].as_f64().unwrap() - 8.0).abs() < 1e-9);
    let csv = text(&ask(&["--format", "csv", "--gaussian", "0.1"]).stdout);
    assert!(
        csv.starts_with("energy_ev,states_per_ev,electrons_below\n") && csv.lines().count() > 100
    );
    assert!(text(&ask(&[]).stdout).contains("4×4×4 k-points, 8 of them irreducible"));
    let svg = fs::read_to_string(folder.path().join("dos.svg")).unwrap();
    assert!(svg.contains("Density of states of Si"));
    let wrong = run(folder.path(), &["dos", "si.vasp", "--mesh", "4,4"]);
    assert_eq!(wrong.status.code(), Some(2));
}

const CONVERGE: [&str; 13] = [
    "converge",
    "si.vasp",
    "--property",
    "band_gap",
    "--cutoffs",
    "12,8,10",
    "--meshes",
    "30,100,300",
    "--tolerance",
    "0.3",
    "--store",
    "results.sqlite",
    "--format",
];

/// By definition: what is enough is within the tolerance of the last, and a second run computes nothing.
#[test]
fn convergence_goes_on_from_the_store() {
    let folder = silicon();
    let ask = |more: &[&str]| run(folder.path(), &[&CONVERGE[..], more].concat());
    let first = json(&ask(&["json", "--svg", "curve.svg"]));
    let curves = first["curves"].as_array().unwrap();
    assert_eq!(
        (&curves[0]["axis"], &curves[1]["axis"]),
        (&"cutoff".into(), &"mesh".into())
    );
    for curve in curves {
        let points = curve["points"].as_array().unwrap();
        assert_eq!(points.len(), 3);
        assert_eq!(points[2]["error"], 0.0);
    }
    let cutoffs: Vec<f64> = (curves[0]["points"].as_array().unwrap().iter())
        .map(|point| point["ecutwfc_ry"].as_f64().unwrap())
        .collect();
    assert_eq!(cutoffs, [8.0, 10.0, 12.0]);
    let enough = &curves[0]["enough"];
    assert!(enough["error"].as_f64().unwrap().abs() <= 0.3, "{enough}");
    // The mesh is judged at that cutoff.
    assert_eq!(curves[1]["points"][0]["ecutwfc_ry"], enough["ecutwfc_ry"]);
    let svg = fs::read_to_string(folder.path().join("curve.svg")).unwrap();
    assert!(svg.contains("band_gap of Si over the mesh"));

    let again = ask(&["csv"]);
    assert!(
        !text(&again.stderr).contains("(computed)"),
        "{}",
        text(&again.stderr)
    );
    let csv = text(&again.stdout);
    assert_eq!(csv.lines().count(), 7, "{csv}");
    let table = text(&ask(&["table"]).stdout);
    assert!(
        table.contains("--set native.ecutwfc_ry=") && table.contains("enough"),
        "{table}"
    );
    let strict = [
        &CONVERGE[..8],
        &["--tolerance", "1e-7", "--store", "results.sqlite"],
    ]
    .concat();
    let strict = run(folder.path(), &strict);
    assert_eq!(strict.status.code(), Some(1));
    assert!(text(&strict.stdout).contains("give larger --cutoffs"));
    let wrong = run(
        folder.path(),
        &[&CONVERGE[..4], &["--cutoffs", "20"]].concat(),
    );
    assert_eq!(wrong.status.code(), Some(2));
}

/// Ctrl-C ends it between two calculations or within one; what is done is kept.
#[test]
fn convergence_stops_when_asked() {
    let folder = silicon();
    let arguments = [
        &CONVERGE[..4],
        &["--cutoffs", "8,60,70", "--store", "results.sqlite"],
    ]
    .concat();
    let mut child = command(folder.path(), &arguments)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    assert!(lines.next().unwrap().unwrap().starts_with("8 Ry"));
    let id = child.id().to_string();
    let sent = Command::new("kill").args(["-INT", &id]).status().unwrap();
    assert!(sent.success());
    let rest: Vec<String> = lines.map_while(Result::ok).collect();
    assert_eq!(child.wait().unwrap().code(), Some(130), "{rest:?}");
    assert!(
        rest.last().unwrap().contains("goes on from the store"),
        "{rest:?}"
    );
    let only_first = [&CONVERGE[..4], &["--cutoffs", "8,9", "--meshes", "30,60"]].concat();
    let only_first = [&only_first[..], &["--store", "results.sqlite"]].concat();
    let again = run(folder.path(), &only_first);
    assert!(
        text(&again.stderr).contains("(store)"),
        "{}",
        text(&again.stderr)
    );
}

/// By definition: the gap along the path is never larger than that of a mesh whose points lie on the dense one
/// or the path; both spellings are one setting.
#[test]
fn a_gap_along_the_path() {
    let folder = silicon();
    let ask = |kind: &str| {
        let arguments = [
            "evaluate",
            "si.vasp",
            "--property",
            "band_gap",
            "--store",
            "none",
        ];
        let more = ["--json", "--set", kind];
        let found = json(&run(
            folder.path(),
            &[&arguments[..], &SMALL, &more].concat(),
        ));
        found["outcome"].clone()
    };
    let mesh = ask("native.gap.kind='mesh'");
    let path = ask("native.gap.kind='path'");
    let full = ask("calculator.native.gap.kind=path");
    let value = |values: &Value| values["value"].as_f64().unwrap();
    assert!(mesh["gap_edges"].is_null());
    assert!(
        value(&path) < value(&mesh) - 1e-3,
        "{} {}",
        value(&path),
        value(&mesh)
    );
    assert_eq!(value(&path), value(&full));
    assert_eq!(path["gap_edges"]["valence"]["label"], "Γ");
    let codes = |values: &Value| values["warnings"].to_string();
    assert!(
        !codes(&path).contains("mesh_misses_band_edges"),
        "{}",
        codes(&path)
    );
}
