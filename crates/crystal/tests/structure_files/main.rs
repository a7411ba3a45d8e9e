//! What structure files may look like, and what is refused: one crystal in many dialects.
//!
//! All accepted texts were written, by hand and arithmetic, to say the same crystal; where pymatgen or
//! ASE read the dialect, they are asked too.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod accepted;
mod refused;

use std::{
    fs,
    io::Write,
    path::Path,
    process::{Command, Stdio},
};

use crystalgym_crystal::{CrystalError, Lattice, Structure, StructureFormat};
use serde_json::{Value, json};

use StructureFormat::{ExtXyz, Json, Poscar};

use self::{
    accepted::{accepted_extxyz, accepted_json, accepted_poscars},
    refused::{refused_extxyz, refused_json, refused_poscars},
};

fn reference() -> Structure {
    let lattice = Lattice::new([[4.0, 0.1, 0.0], [0.0, 4.2, 0.3], [0.2, 0.0, 4.4]]).unwrap();
    let elements = vec!["Na".parse().unwrap(), "Cl".parse().unwrap()];
    Structure::new(lattice, elements, vec![[0.1, 0.2, 0.3], [0.6, 0.55, 0.7]]).unwrap()
}

/// Whether two structures are the same crystal in the same orientation: each lattice spans the other,
/// and atom after atom they differ by whole lattice vectors.
fn same_crystal(one: &Structure, other: &Structure) -> bool {
    let whole = |frac: [f64; 3]| frac.iter().all(|x| (x - x.round()).abs() < 1e-6);
    let spans = |lattice: &Lattice, vectors: &Lattice| {
        vectors.vectors().iter().all(|v| whole(lattice.to_frac(*v)))
    };
    one.elements == other.elements
        && spans(&one.lattice, &other.lattice)
        && spans(&other.lattice, &one.lattice)
        && one
            .frac_coords
            .iter()
            .zip(&other.frac_coords)
            .all(|(x, y)| {
                let y = one.lattice.to_frac(other.lattice.to_cart(*y));
                whole(std::array::from_fn(|axis| x[axis] - y[axis]))
            })
}

const VECTORS: &str = "4 0.1 0\n0 4.2 0.3\n0.2 0 4.4\n";
const DIRECT: &str = "0.1 0.2 0.3\n0.6 0.55 0.7\n";
const CARTESIAN: &str = "0.46 0.85 1.38\n2.54 2.37 3.245\n";

#[test]
fn dialects_say_the_same_crystal() {
    let all = [accepted_poscars(), accepted_extxyz(), accepted_json()].concat();
    let reference = reference();
    for (name, format, _, text) in &all {
        match Structure::from_text(text, *format) {
            Ok(found) => assert!(
                same_crystal(&found, &reference),
                "{format:?} {name}: {found:?}"
            ),
            Err(error) => panic!("{format:?} {name}: {error}"),
        }
    }
}

fn run_oracle(script: &str, input: &Value) -> Option<Value> {
    let python = crystalgym_testing::python_with(&["pymatgen.core", "ase"])?;
    let script = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/oracle")
        .join(script);
    let mut child = Command::new(python)
        .arg(script)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(input.to_string().as_bytes())
        .unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    Some(serde_json::from_slice(&output.stdout).unwrap())
}

/// Oracle: pymatgen and ASE on the same files.
#[test]
fn other_programs_read_the_dialects_alike() {
    let folder = tempfile::tempdir().unwrap();
    let mut asked = Vec::new();
    let all = [accepted_poscars(), accepted_extxyz(), accepted_json()].concat();
    for (number, (name, format, programs, text)) in all.iter().enumerate() {
        let extension = match format {
            Poscar => "vasp",
            ExtXyz => "xyz",
            _ => "json",
        };
        let path = folder.path().join(format!("{number}.{extension}"));
        fs::write(&path, text).unwrap();
        asked.extend(
            programs
                .iter()
                .map(|program| (path.clone(), *program, *name)),
        );
    }
    let input = asked
        .iter()
        .map(|(path, program, _)| json!([path, program]))
        .collect();
    let Some(read) = run_oracle("read_structures.py", &input) else {
        return;
    };
    let reference = reference();
    assert_eq!(read.as_array().unwrap().len(), asked.len());
    for (value, (path, program, name)) in read.as_array().unwrap().iter().zip(asked) {
        let found: Structure = serde_json::from_value(value.clone())
            .unwrap_or_else(|error| panic!("{program} {name} {path:?}: {error}"));
        assert!(
            same_crystal(&found, &reference),
            "{program} {name}: {found:?}"
        );
    }
}

#[test]
fn what_is_no_crystal_is_refused_with_the_reason() {
    for (name, format, reason, text) in
        [refused_poscars(), refused_extxyz(), refused_json()].concat()
    {
        match Structure::from_text(&text, format) {
            Ok(found) => panic!("{format:?} {name}: read as {found:?}"),
            Err(error) => {
                let message = error.to_string();
                assert!(message.contains(reason), "{format:?} {name}: {message}");
            }
        }
    }
}

/// By the lengths and angles of a cell alone, its orientation is pymatgen's.
#[test]
fn a_lattice_by_its_parameters() {
    let text = r#"{"lattice": {"a": 4, "b": 5, "c": 6, "alpha": 90, "beta": 90, "gamma": 120},
        "sites": [{"species": [{"element": "D", "occu": 1}], "abc": [0, 0, 0]}]}"#;
    let found = Structure::from_text(text, Json).unwrap();
    assert_eq!(found.formula(), "H");
    let expected = Lattice::from_parameters([4.0, 5.0, 6.0], [90.0, 90.0, 120.0]).unwrap();
    assert_eq!(found.lattice, expected);
}

/// Structure `number` of three, told apart by where its chlorine is.
fn three(format: StructureFormat) -> String {
    let one = |number: u8| {
        let mut structure = reference();
        structure.frac_coords[1][0] = 0.5 + 0.1 * f64::from(number);
        structure.to_text(format)
    };
    match format {
        Json => format!("[{},{},{}]", one(0), one(1), one(2)),
        _ => one(0) + &one(1) + &one(2),
    }
}

#[test]
fn one_of_several_is_picked_by_its_number() {
    let folder = tempfile::tempdir().unwrap();
    for (format, name) in [(Poscar, "a.vasp"), (ExtXyz, "a.xyz"), (Json, "a.json")] {
        let text = three(format);
        let path = folder.path().join(name);
        fs::write(&path, &text).unwrap();
        for (number, x) in [(0, 0.5), (1, 0.6), (2, 0.7)] {
            let by_name = folder.path().join(format!("{name}@{number}"));
            for found in [
                Structure::from_text_at(&text, format, number).unwrap(),
                Structure::from_file_at(&path, format, number).unwrap(),
                Structure::from_file(&by_name).unwrap(),
            ] {
                assert!(
                    (found.frac_coords[1][0] - x).abs() < 1e-12,
                    "{format:?} {number}"
                );
            }
        }
        let error = Structure::from_text(&text, format).unwrap_err();
        assert!(
            matches!(error, CrystalError::SeveralStructures { count: 3 }),
            "{error}"
        );
        let error = Structure::from_text_at(&text, format, 3).unwrap_err();
        assert_eq!(error.to_string(), "no structure 3: the last of 3 is 2");
        // A file of the whole name comes first.
        fs::write(
            folder.path().join(format!("{name}@1")),
            reference().to_text(format),
        )
        .unwrap();
        let found = Structure::from_file(&folder.path().join(format!("{name}@1"))).unwrap();
        assert!(same_crystal(&found, &reference()));
    }
    let missing = Structure::from_file(&folder.path().join("b.xyz@1")).unwrap_err();
    assert!(missing.to_string().contains("b.xyz: "), "{missing}");
}

#[test]
fn an_xdatcar_of_a_changing_cell() {
    let step = |a: f64, number: u8| {
        format!(
            "salt\n1\n{a} 0 0\n0 4 0\n0 0 4\nNa Cl\n1 1\nDirect configuration= {number}\n{DIRECT}"
        )
    };
    let text = step(4.0, 1) + &step(5.0, 2);
    let found = Structure::from_text_at(&text, Poscar, 1).unwrap();
    assert_eq!(found.lattice.lengths()[0], 5.0);
}

#[test]
fn pipes_devices_and_folders_in_place_of_files_are_refused_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let pipe = folder.path().join("POSCAR");
    assert!(
        Command::new("mkfifo")
            .arg(&pipe)
            .status()
            .unwrap()
            .success()
    );
    std::os::unix::fs::symlink("/dev/zero", folder.path().join("a.cif")).unwrap();
    fs::create_dir(folder.path().join("a.json")).unwrap();
    for (name, reason) in [
        ("POSCAR", "this is a pipe or a device"),
        ("a.cif", "this is a pipe or a device"),
        ("a.json", "this is a folder"),
    ] {
        let error = Structure::from_file(&folder.path().join(name))
            .unwrap_err()
            .to_string();
        assert!(error.contains(reason) && error.contains(name), "{error}");
    }
}

#[test]
fn serialised_structures_are_judged_too() {
    let good = serde_json::to_string(&reference()).unwrap();
    let back: Structure = serde_json::from_str(&good).unwrap();
    assert_eq!(back, reference());
    for (old, new) in [
        ("4.4", "1e9"),
        ("0.6,0.55,0.7", "0.1,0.2,0.3"),
        ("\"Na\",", ""),
    ] {
        let bad = good.replace(old, new);
        assert_ne!(bad, good);
        assert!(serde_json::from_str::<Structure>(&bad).is_err(), "{bad}");
    }
}
