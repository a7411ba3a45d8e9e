//! `crystalgym search` on structures of one's own: what is searched, ranked, written and resumed; the
//! commands of docs/search.md run.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

fn docs() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs")
}

fn run(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_crystalgym"))
        .current_dir(folder)
        .env("XDG_DATA_HOME", folder.join("data"))
        .args(arguments)
        .output()
        .unwrap()
}

fn shown(output: &Output) -> (String, String) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (text(&output.stdout), text(&output.stderr))
}

fn with_structures() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for entry in fs::read_dir(docs().join("structures")).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), folder.path().join(entry.file_name())).unwrap();
    }
    folder
}

const DOUBLE_PEROVSKITE: [&str; 14] = [
    "search",
    "cs2agbibr6.vasp",
    "--sites",
    "A=Cs,Rb",
    "B=Ag,Na",
    "B2=Bi,Sb",
    "X=Cl,Br,I",
    "--tie",
    "X",
    "--charge-balanced",
    "--property",
    "density",
    "--target",
    "4.9",
];

/// Oracle: mass over volume by hand, 1.66054 · M / V; Cs₂AgBiBr₆ on its own cell has 4.954 g/cm³.
#[test]
fn a_double_perovskite_is_ranked() {
    let folder = with_structures();
    let mut arguments = DOUBLE_PEROVSKITE.to_vec();
    arguments.extend(["--calculator", "rigid", "--output", "found"]);
    let output = run(folder.path(), &arguments);
    let (out, err) = shown(&output);
    assert!(output.status.success(), "{err}");
    assert!(err.contains("36 different fillings of 48"), "{err}");
    assert!(
        out.contains("36 of 36 fillings by the exhaustive search"),
        "{out}"
    );
    let table = fs::read_to_string(folder.path().join("found/ranking.csv")).unwrap();
    assert_eq!(table.lines().count(), 37);
    let row = |formula: &str| {
        let mut rows = table
            .lines()
            .map(|line| line.split(',').collect::<Vec<_>>());
        rows.find(|row| row[1] == formula).unwrap()[3]
            .parse::<f64>()
            .unwrap()
    };
    let volume = 11.25f64.powi(3) / 4.0;
    let mass = 2.0 * 132.905_451_96 + 107.8682 + 208.980_40 + 6.0 * 79.904;
    assert!((row("Cs2AgBiBr6") - 1.660_539_066_60 * mass / volume).abs() < 1e-6);
    let first = table
        .lines()
        .nth(1)
        .unwrap()
        .split(',')
        .nth(1)
        .unwrap()
        .to_owned();
    let best = folder.path().join(format!("found/01_{first}.cif"));
    let cif = fs::read_to_string(best).unwrap();
    assert!(cif.contains(&format!("data_{first}")), "{cif}");
    assert_eq!(
        fs::read_dir(folder.path().join("found")).unwrap().count(),
        11
    );
}

#[test]
fn a_range_has_no_distance_within() {
    let folder = with_structures();
    let mut arguments = DOUBLE_PEROVSKITE.to_vec();
    arguments[13] = "4.5..5.0";
    arguments.extend(["--calculator", "rigid", "--show", "40"]);
    let (out, _) = shown(&run(folder.path(), &arguments));
    let within = out
        .lines()
        .filter(|line| line.contains("  0.0000  "))
        .count();
    assert!(within >= 2, "{out}");
    assert!(
        folder
            .path()
            .join("searches/cs2agbibr6-density/ranking.csv")
            .is_file()
    );
}

/// 2 × 2 × 2 of wurtzite: the primitive cell is offered, and searched if wanted.
#[test]
fn the_primitive_cell_of_a_supercell_is_offered() {
    let folder = with_structures();
    let zno = fs::read_to_string(folder.path().join("zno.vasp")).unwrap();
    let mut lines = zno.lines();
    let (title, scale) = (lines.next().unwrap(), lines.next().unwrap());
    let lattice: Vec<&str> = lines.by_ref().take(3).collect();
    let species = lines.next().unwrap();
    let positions: Vec<Vec<f64>> = lines
        .skip(2)
        .map(|line| {
            line.split_whitespace()
                .map(|x| x.parse().unwrap())
                .collect()
        })
        .collect();
    let mut text = format!("{title}\n{scale}\n");
    for row in lattice {
        let doubled: Vec<String> = row
            .split_whitespace()
            .map(|x| (2.0 * x.parse::<f64>().unwrap()).to_string())
            .collect();
        text += &format!("{}\n", doubled.join(" "));
    }
    text += &format!("{species}\n16 16\nDirect\n");
    for position in positions {
        for image in 0..8 {
            let moved: Vec<String> = (0..3)
                .map(|axis| {
                    let shift = f64::from(image >> axis & 1);
                    ((position[axis] + shift) / 2.0).to_string()
                })
                .collect();
            text += &format!("{}\n", moved.join(" "));
        }
    }
    fs::write(folder.path().join("large.vasp"), text).unwrap();
    let common = [
        "search",
        "large.vasp",
        "--sites",
        "Zn=Zn,Mg",
        "O=O,S",
        "--tie",
        "Zn",
        "O",
        "--property",
        "density",
        "--target",
        "4",
        "--calculator",
        "rigid",
    ];
    let (_, err) = shown(&run(folder.path(), &common));
    assert!(
        err.contains(
            "large is a supercell of 32 sites, its primitive cell has 4: --cell primitive"
        ),
        "{err}"
    );
    let mut arguments = common.to_vec();
    arguments.extend(["--cell", "primitive"]);
    let (out, err) = shown(&run(folder.path(), &arguments));
    assert!(!err.contains("supercell"), "{err}");
    assert!(out.contains("ZnO (Zn Zn O O)"), "{out}");
}

/// A search that is asked for again, or after half of it, computes nothing twice.
#[test]
fn a_search_goes_on_from_the_store() {
    let folder = with_structures();
    let arguments = |budget: &'static str| {
        [
            "search",
            "zno.vasp",
            "--sites",
            "A=Be,Mg",
            "X=O,S",
            "--tie",
            "A",
            "X",
            "--property",
            "band_gap",
            "--target",
            "3",
            "--accuracy",
            "fast",
            "--set",
            "native.kppa=1",
            "--set",
            "native.ecutwfc_ry=10",
            "--budget",
            budget,
            "--store",
            "store.sqlite",
        ]
    };
    let (out, err) = shown(&run(folder.path(), &arguments("2")));
    assert!(out.contains("2 of 4 fillings"), "{out}{err}");
    assert!(out.contains("0 known before"), "{out}");
    let (out, _) = shown(&run(folder.path(), &arguments("200")));
    assert!(
        out.contains("4 of 4 fillings") && out.contains("2 known before"),
        "{out}"
    );
}

#[test]
fn mistakes_are_named() {
    let folder = with_structures();
    let fails = |change: &dyn Fn(&mut Vec<&'static str>), said: &str| {
        let mut arguments = DOUBLE_PEROVSKITE.to_vec();
        change(&mut arguments);
        let output = run(folder.path(), &arguments);
        let (_, err) = shown(&output);
        assert_eq!(output.status.code(), Some(2), "{err}");
        assert!(err.contains(said), "{err}");
    };
    fails(
        &|a| a[3] = "K=Cs,Rb",
        "no site 'K', expected one of 0 to 9, Cs (A), Ag (B)",
    );
    fails(&|a| a[3] = "A=Cs,Cs", "A has Cs twice");
    fails(&|a| a[8] = "Y", "Y has no choice of elements");
    fails(
        &|a| a[13] = "2..1",
        "expected two numbers from 0 up in ascending order",
    );
    fails(&|a| a[1] = "nothing.cif", "unknown skeleton 'nothing.cif'");
}

/// Every command of the page, with textbook formulas in place of the engine.
#[test]
fn the_commands_of_the_page_run() {
    let folder = with_structures();
    let page = fs::read_to_string(docs().join("search.md")).unwrap();
    let mut commands = 0;
    for block in page.split("```sh\n").skip(1) {
        let block = block.split("```").next().unwrap().replace("\\\n", " ");
        for line in block
            .lines()
            .filter(|line| line.starts_with("crystalgym search"))
        {
            let words: Vec<&str> = line.split_whitespace().skip(1).collect();
            let mut arguments: Vec<&str> = Vec::new();
            let mut words = words.into_iter();
            while let Some(word) = words.next() {
                match word {
                    "--accuracy" | "--confirm" | "--geometry" | "--set" | "--pseudo" => {
                        words.next();
                    }
                    word => arguments.push(word.trim_matches('\'')),
                }
            }
            arguments.extend(["--calculator", "empirical"]);
            let output = run(folder.path(), &arguments);
            let (out, err) = shown(&output);
            assert!(output.status.success(), "{line}: {out}{err}");
            commands += 1;
        }
    }
    assert!(commands >= 4, "{commands}");
}
