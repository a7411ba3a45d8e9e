//! What structure files may look like, and what is refused: one crystal in many dialects.
//!
//! All accepted texts were written, by hand and arithmetic, to say the same crystal; where pymatgen or
//! ASE read the dialect, they are asked too.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::{
    fs,
    io::Write,
    path::Path,
    process::{Command, Stdio},
};

use crystalgym_crystal::{CrystalError, Lattice, Structure, StructureFormat};
use serde_json::{Value, json};

use StructureFormat::{ExtXyz, Json, Poscar};

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

/// Name, format, the programs that read it alike, text.
type Accepted = (
    &'static str,
    StructureFormat,
    &'static [&'static str],
    String,
);

const VECTORS: &str = "4 0.1 0\n0 4.2 0.3\n0.2 0 4.4\n";
const DIRECT: &str = "0.1 0.2 0.3\n0.6 0.55 0.7\n";
const CARTESIAN: &str = "0.46 0.85 1.38\n2.54 2.37 3.245\n";
const BOTH: &[&str] = &["ase", "pymatgen"];

fn poscar(top: &str, species: &str, positions: &str) -> String {
    format!("{top}{species}{positions}")
}

fn accepted_poscars() -> Vec<Accepted> {
    let top = format!("a comment\n1.0\n{VECTORS}");
    let species = "Na Cl\n1 1\n";
    let direct = format!("Direct\n{DIRECT}");
    let plain = poscar(&top, species, &direct);
    let velocities = "\n0.01 0.02 0.03\n0.00 0.00 0.01\n";
    let predictor = "\n1\n0.5E+00\n0.1 0.2 0.3 0.4\n0.1 0.2 0.3\n0.4 0.5 0.6\n0.1 0.2 0.3\n\
        0.4 0.5 0.6\n0.1 0.2 0.3\n0.4 0.5 0.6\n";
    let lattice_velocities = format!("Lattice velocities and vectors\n  1\n{VECTORS}{VECTORS}");
    let with_top = |top: &str| poscar(top, species, &direct);
    let with_species = |species: &str| poscar(&top, species, &direct);
    let with_positions = |positions: &str| poscar(&top, species, positions);
    let many = "Na Cl Na Cl\n1 1\n0 0\n";
    vec![
        ("plain", Poscar, BOTH, plain.clone()),
        ("crlf", Poscar, BOTH, plain.replace('\n', "\r\n")),
        ("tabs", Poscar, BOTH, plain.replace(' ', "\t")),
        (
            "no comment",
            Poscar,
            BOTH,
            plain.replacen("a comment", "", 1),
        ),
        (
            "blank lines at the end",
            Poscar,
            BOTH,
            plain.clone() + "\n\n\n",
        ),
        ("velocities", Poscar, BOTH, plain.clone() + velocities),
        (
            "velocities and predictor",
            Poscar,
            &["ase"],
            plain.clone() + velocities + predictor,
        ),
        (
            "lattice velocities",
            Poscar,
            &["ase"],
            plain.clone() + &lattice_velocities + velocities,
        ),
        (
            "comments behind numbers",
            Poscar,
            &[],
            plain
                .replace("1.0\n", "1.0  ! scale\n")
                .replace("4 0.1 0\n", "4 0.1 0 # first\n")
                .replace("Na Cl\n", "Na Cl ! salt\n")
                .replace("1 1\n", "1 1 # counts 3\n")
                .replace("0.1 0.2 0.3\n", "0.1 0.2 0.3 ! Cl\n"),
        ),
        (
            "a comment behind counts",
            Poscar,
            &["ase"],
            with_species("Na Cl\n1 1 ! counts\n"),
        ),
        (
            "a scale",
            Poscar,
            BOTH,
            with_top("x\n2.0\n2 0.05 0\n0 2.1 0.15\n0.1 0 2.2\n"),
        ),
        // 73.926 Å³ = 4 (4.2 · 4.4) + 0.1 (0.3 · 0.2), by hand.
        (
            "minus the volume",
            Poscar,
            BOTH,
            with_top("x\n-73.926\n2 0.05 0\n0 2.1 0.15\n0.1 0 2.2\n"),
        ),
        // ASE turns the sign of the determinant into that of the scale, and the crystal inside out.
        (
            "minus the volume of a left-handed cell",
            Poscar,
            &["pymatgen"],
            poscar(
                "x\n-73.926\n2 0.05 0\n0 2.1 0.15\n-0.1 0 -2.2\n",
                species,
                "Direct\n0.1 0.2 -0.3\n0.6 0.55 -0.7\n",
            ),
        ),
        (
            "a left-handed cell",
            Poscar,
            BOTH,
            poscar(
                "x\n1\n4 0.1 0\n0 4.2 0.3\n-0.2 0 -4.4\n",
                species,
                "Direct\n0.1 0.2 -0.3\n0.6 0.55 -0.7\n",
            ),
        ),
        (
            "three scales",
            Poscar,
            &["ase"],
            with_top("x\n2.0 0.5 4\n2 0.2 0\n0 8.4 0.075\n0.1 0 1.1\n"),
        ),
        (
            "three scales, Cartesian",
            Poscar,
            &["ase"],
            poscar(
                "x\n2.0 0.5 4\n2 0.2 0\n0 8.4 0.075\n0.1 0 1.1\n",
                species,
                "Cartesian\n0.23 1.7 0.345\n1.27 4.74 0.81125\n",
            ),
        ),
        (
            "Cartesian",
            Poscar,
            BOTH,
            with_positions(&format!("Cartesian\n{CARTESIAN}")),
        ),
        (
            "k means Cartesian",
            Poscar,
            BOTH,
            with_positions(&format!("kartesisch\n{CARTESIAN}")),
        ),
        (
            "a scale and Cartesian",
            Poscar,
            BOTH,
            poscar(
                "x\n2.0\n2 0.05 0\n0 2.1 0.15\n0.1 0 2.2\n",
                species,
                "cartesian\n0.23 0.425 0.69\n1.27 1.185 1.6225\n",
            ),
        ),
        (
            "Fractional",
            Poscar,
            BOTH,
            with_positions(&format!("Fractional\n{DIRECT}")),
        ),
        (
            "selective dynamics",
            Poscar,
            BOTH,
            with_positions(
                "Selective dynamics\nDirect\n0.1 0.2 0.3 T T F\n0.6 0.55 0.7 F F F Cl\n",
            ),
        ),
        (
            "one step of an XDATCAR",
            Poscar,
            BOTH,
            with_positions(&format!("Direct configuration=     1\n{DIRECT}")),
        ),
        ("potentials", Poscar, BOTH, with_species("Na_pv Cl\n1 1\n")),
        (
            "hashes",
            Poscar,
            BOTH,
            with_species("Na_pv/6a2f546d Cl/79d9987ad87\n1 1\n"),
        ),
        (
            "Fortran's exponents",
            Poscar,
            &[],
            with_positions("Direct\n0.1D+00 2.0d-1 0.3\n0.6 0.55D0 0.7\n"),
        ),
        (
            "outside the cell",
            Poscar,
            BOTH,
            with_positions("Direct\n-0.9 3.2 0.3\n0.6 0.55 -11.3\n"),
        ),
        (
            "an element twice",
            Poscar,
            BOTH,
            with_species("Na Na Cl\n0 1 1\n"),
        ),
        ("species on two lines", Poscar, &[], with_species(many)),
        (
            "VASP 4 with symbols in the comment",
            Poscar,
            &["ase"],
            poscar(&format!("Na Cl\n1.0\n{VECTORS}"), "1 1\n", &direct),
        ),
        (
            "VASP 4 with symbols behind the positions",
            Poscar,
            &["pymatgen"],
            poscar(&top, "1 1\n", "Direct\n0.1 0.2 0.3 Na\n0.6 0.55 0.7 Cl\n"),
        ),
    ]
}

fn accepted_extxyz() -> Vec<Accepted> {
    let lattice = "Lattice=\"4 0.1 0 0 4.2 0.3 0.2 0 4.4\"";
    let atoms = "Na 0.46 0.85 1.38\nCl 2.54 2.37 3.245\n";
    let ase: &[&str] = &["ase"];
    let with = |comment: &str| format!("2\n{comment}\n{atoms}");
    let keys = |more: &str| with(&format!("{lattice} {more}"));
    let columns =
        |properties: &str, atoms: &str| format!("2\n{lattice} Properties={properties}\n{atoms}");
    vec![
        ("plain", ExtXyz, ase, with(lattice)),
        ("crlf", ExtXyz, ase, with(lattice).replace('\n', "\r\n")),
        (
            "blank lines at the end",
            ExtXyz,
            ase,
            with(lattice) + "\n\n",
        ),
        ("pbc=T", ExtXyz, ase, keys("pbc=T")),
        ("pbc of letters", ExtXyz, ase, keys("pbc=\"T T T\"")),
        ("pbc of digits", ExtXyz, ase, keys("pbc=\"1 1 1\"")),
        ("pbc as a list", ExtXyz, ase, keys("pbc=[True, True, True]")),
        ("pbc in braces", ExtXyz, ase, keys("pbc={true true true}")),
        (
            "a note about boundaries",
            ExtXyz,
            ase,
            keys("note='pbc=\"F F F\" or not' flag"),
        ),
        (
            "an escaped quote",
            ExtXyz,
            ase,
            keys("note=\"5\\\" pbc=\\\"F F F\\\"\""),
        ),
        (
            "brackets and commas",
            ExtXyz,
            ase,
            with("Lattice=[4, 0.1, 0, 0, 4.2, 0.3, 0.2, 0, 4.4]"),
        ),
        (
            "blanks around the sign",
            ExtXyz,
            ase,
            with("Lattice = \"4 0.1 0 0 4.2 0.3 0.2 0 4.4\" pbc =\"T T T\""),
        ),
        (
            "an origin",
            ExtXyz,
            ase,
            keys("Origin=\"1 2 3\" cell=\"9 9 9\""),
        ),
        (
            "another order of columns",
            ExtXyz,
            ase,
            columns(
                "tag:I:1:pos:R:3:move_mask:L:1:species:S:1:charge:R:1",
                "7 0.46 0.85 1.38 T Na 0.5\n8 2.54 2.37 3.245 F Cl -0.5\n",
            ),
        ),
        (
            "atomic numbers",
            ExtXyz,
            ase,
            columns("Z:I:1:pos:R:3", "11 0.46 0.85 1.38\n17 2.54 2.37 3.245\n"),
        ),
        (
            "symbols and atomic numbers",
            ExtXyz,
            ase,
            columns(
                "species:S:1:Z:I:1:pos:R:3",
                "Na 11 0.46 0.85 1.38\nCl 17 2.54 2.37 3.245\n",
            ),
        ),
        (
            "capitals",
            ExtXyz,
            ase,
            with(lattice).replace("Na", "NA").replace("Cl", "cl"),
        ),
        (
            "a left-handed cell",
            ExtXyz,
            ase,
            with("Lattice=\"4 0.1 0 0 4.2 0.3 -0.2 0 -4.4\" pbc=\"T T T\""),
        ),
        (
            "outside the cell",
            ExtXyz,
            ase,
            with(lattice).replace("0.46 0.85", "4.46 0.95"),
        ),
        (
            "Fortran's exponents",
            ExtXyz,
            &[],
            with(lattice).replace("2.54", "0.254D+01"),
        ),
    ]
}

fn accepted_json() -> Vec<Accepted> {
    let matrix = json!([[4.0, 0.1, 0.0], [0.0, 4.2, 0.3], [0.2, 0.0, 4.4]]);
    let own = json!({"lattice": matrix, "elements": ["Na", "Cl"],
        "frac_coords": [[0.1, 0.2, 0.3], [0.6, 0.55, 0.7]]});
    let pymatgen = json!({"@module": "pymatgen.core.structure", "@class": "Structure", "charge": 0,
        "lattice": {"matrix": matrix, "pbc": [true, true, true]}, "properties": {},
        "sites": [
            {"species": [{"element": "Na", "oxidation_state": 1, "occu": 1}],
             "abc": [0.1, 0.2, 0.3], "xyz": [0.46, 0.85, 1.38],
             "properties": {"magmom": 0.5}, "label": "Na1"},
            {"species": [{"element": "Cl", "occu": 1.0}],
             "abc": [0.6, 0.55, 0.7], "xyz": [2.54, 2.37, 3.245], "label": "Cl"}]});
    let mut oxidised = pymatgen.clone();
    oxidised["@class"] = "IStructure".into();
    oxidised["sites"][1]["species"][0]["element"] = "Cl-".into();
    let text = |value: &Value| serde_json::to_string_pretty(value).unwrap();
    vec![
        ("own", Json, &[], text(&own)),
        ("one in a list", Json, &[], text(&json!([own]))),
        ("pymatgen", Json, &["pymatgen"], text(&pymatgen)),
        ("pymatgen, charges in names", Json, &[], text(&oxidised)),
    ]
}

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

/// Name, format, what the message says, text.
type Refused = (&'static str, StructureFormat, &'static str, String);

fn refused_poscars() -> Vec<Refused> {
    let plain = format!("a comment\n1.0\n{VECTORS}Na Cl\n1 1\nDirect\n{DIRECT}");
    let with = |old: &str, new: &str| plain.replace(old, new);
    let step = |number: u8| format!("Direct configuration= {number}\n{DIRECT}");
    vec![
        (
            "a position too many",
            Poscar,
            "more than the counts",
            with("1 1\n", "1 0\n"),
        ),
        (
            "a position too few",
            Poscar,
            "site 3 of 3",
            with("1 1\n", "1 2\n") + "\n",
        ),
        (
            "many more sites than lines",
            Poscar,
            "ends after 3 more lines",
            with("1 1\n", "9 9\n"),
        ),
        (
            "half a site",
            Poscar,
            "'1.5' is no count",
            with("1 1\n", "1 1.5\n"),
        ),
        (
            "a negative count",
            Poscar,
            "'-1' is no count",
            with("1 1\n", "2 -1\n"),
        ),
        (
            "a count too few",
            Poscar,
            "1 counts for 2",
            with("1 1\n", "2\n"),
        ),
        (
            "a count too many",
            Poscar,
            "3 counts for 2",
            with("1 1\n", "1 1 0\n"),
        ),
        (
            "scale 0",
            Poscar,
            "scale factor is [0.0]",
            with("1.0\n", "0\n"),
        ),
        (
            "two scales",
            Poscar,
            "scale factor is [1.0, 2.0]",
            with("1.0\n", "1 2\n"),
        ),
        (
            "a scale below 0",
            Poscar,
            "scale factor is [1.0, -1.0, 1.0]",
            with("1.0\n", "1 -1 1\n"),
        ),
        (
            "scale 1e308",
            Poscar,
            "expected 0.01 to 10000 Å",
            with("1.0\n", "1e308\n"),
        ),
        (
            "scale 1e-308",
            Poscar,
            "expected 0.01 to 10000 Å",
            with("1.0\n", "1e-308\n"),
        ),
        (
            "a volume of 1e300",
            Poscar,
            "expected 0.01 to 10000 Å",
            with("1.0\n", "-1e300\n"),
        ),
        (
            "scale NaN",
            Poscar,
            "expected a finite number",
            with("1.0\n", "nan\n"),
        ),
        (
            "neither mode",
            Poscar,
            "neither Direct",
            with("Direct", "Reciprocal"),
        ),
        (
            "a fraction of hydrogen",
            Poscar,
            "'H.75' is no element",
            with("Na Cl", "H.75 Cl"),
        ),
        (
            "no element",
            Poscar,
            "'Qq' names no element",
            with("Na Cl", "Qq Cl"),
        ),
        (
            "VASP 4 without names",
            Poscar,
            "which elements",
            with("Na Cl\n", ""),
        ),
        (
            "VASP 4 with two opinions",
            Poscar,
            "which elements",
            with("Na Cl\n", "")
                .replace("a comment", "Na Cl")
                .replace("0.3\n0.6", "0.3 Cl\n0.6")
                .replace("0.7\n", "0.7 Na\n"),
        ),
        (
            "flat",
            Poscar,
            "span a volume",
            with("0.2 0 4.4", "4 4.3 0.3"),
        ),
        (
            "coordinate 1e308",
            Poscar,
            "site 0 is at",
            with("0.1 0.2", "1e308 0.2"),
        ),
        (
            "coinciding",
            Poscar,
            "sites 0 and 1 are 0.0000 Å",
            with("0.6 0.55 0.7", "1.1 0.2 -0.7"),
        ),
        ("tiny", Poscar, "from its own image", with("1.0\n", "0.1\n")),
        (
            "two in a row",
            Poscar,
            "2 structures, expected one",
            plain.repeat(2),
        ),
        (
            "two with a blank line",
            Poscar,
            "2 structures",
            format!("{plain}\n{plain}"),
        ),
        (
            "an XDATCAR",
            Poscar,
            "3 structures, expected one: pick one by its number, 0 to 2",
            with(&format!("Direct\n{DIRECT}"), "") + &step(1) + &step(2) + &step(3),
        ),
        ("cut", Poscar, "the file ends", plain[..30].to_owned()),
        (
            "empty",
            Poscar,
            "the file ends where the comment",
            String::new(),
        ),
    ]
}

fn refused_extxyz() -> Vec<Refused> {
    let lattice = "Lattice=\"4 0.1 0 0 4.2 0.3 0.2 0 4.4\"";
    let atoms = "Na 0.46 0.85 1.38\nCl 2.54 2.37 3.245\n";
    let with = |comment: &str| format!("2\n{comment}\n{atoms}");
    let keys = |more: &str| with(&format!("{lattice} {more}"));
    let columns = |properties: &str| keys(&format!("Properties={properties}"));
    let open = "leaves a boundary open";
    vec![
        (
            "a count alone",
            ExtXyz,
            "line 2: the file ends before the comment line",
            "0".to_owned(),
        ),
        (
            "a count alone behind a frame",
            ExtXyz,
            "the file ends before the comment line",
            format!("{}0\n", keys("")),
        ),
        ("an open box", ExtXyz, open, keys("pbc=\"F F F\"")),
        ("a slab", ExtXyz, open, keys("pbc=\"T T F\"")),
        ("pbc=F", ExtXyz, open, keys("pbc=F")),
        ("pbc=false", ExtXyz, open, keys("pbc=false")),
        ("a list", ExtXyz, open, keys("pbc=[True, True, False]")),
        ("braces", ExtXyz, open, keys("pbc={T F T}")),
        ("digits", ExtXyz, open, keys("pbc=\"0 0 0\"")),
        (
            "JSON",
            ExtXyz,
            open,
            keys("pbc=\"_JSON [true, false, true]\""),
        ),
        ("two flags", ExtXyz, "pbc is 'T T'", keys("pbc=\"T T\"")),
        ("a word", ExtXyz, "pbc is 'xyz'", keys("pbc=xyz")),
        (
            "pbc in capitals",
            ExtXyz,
            "'PBC' is written pbc",
            keys("PBC=\"F F F\""),
        ),
        (
            "pbc twice",
            ExtXyz,
            "pbc is given twice",
            keys("pbc=\"T T T\" pbc=\"F F F\""),
        ),
        ("no lattice", ExtXyz, "no Lattice", with("")),
        (
            "a lattice in small letters",
            ExtXyz,
            "'lattice' is written",
            with(&lattice.to_lowercase()),
        ),
        (
            "cell",
            ExtXyz,
            "no Lattice",
            with("cell=\"4 0 0 0 4 0 0 0 4\""),
        ),
        (
            "three numbers",
            ExtXyz,
            "3 numbers, expected nine",
            with("Lattice=\"4 4 4\""),
        ),
        (
            "six numbers",
            ExtXyz,
            "6 numbers, expected nine",
            with("Lattice=\"4 4 4 90 90 90\""),
        ),
        (
            "nested lists",
            ExtXyz,
            "Lattice is '[4'",
            with("Lattice=[[4,0,0],[0,4,0],[0,0,4]]"),
        ),
        (
            "no volume",
            ExtXyz,
            "is 0.0 Å long",
            with("Lattice=\"0 0 0 0 0 0 0 0 0\""),
        ),
        (
            "flat",
            ExtXyz,
            "span a volume",
            with("Lattice=\"4 0 0 0 4 0 4 4 0\""),
        ),
        ("an open quote", ExtXyz, "no closing \"", keys("note=\"a")),
        (
            "no positions",
            ExtXyz,
            "lacks pos:R:3",
            columns("species:S:1:scaled_positions:R:3"),
        ),
        (
            "no species",
            ExtXyz,
            "lacks species",
            columns("tag:S:1:pos:R:3"),
        ),
        (
            "two coordinates",
            ExtXyz,
            "pos:R:2 is not",
            columns("species:S:1:pos:R:2"),
        ),
        (
            "species as numbers",
            ExtXyz,
            "species:I:1 is not",
            columns("species:I:1:pos:R:3"),
        ),
        (
            "half a column",
            ExtXyz,
            "not made of name:type:width",
            columns("species:S:1:pos:R"),
        ),
        (
            "pos twice",
            ExtXyz,
            "pos twice",
            columns("species:S:1:pos:R:3:pos:R:3"),
        ),
        (
            "two opinions",
            ExtXyz,
            "the species is Na, but Z is that of Cl",
            format!("1\n{lattice} Properties=species:S:1:Z:I:1:pos:R:3\nNa 17 0 0 0\n"),
        ),
        (
            "an atom too few",
            ExtXyz,
            "ends after 2 of 3 atoms",
            with(lattice).replacen('2', "3", 1),
        ),
        (
            "a count beyond all",
            ExtXyz,
            "ends after 2 of 999999999999999999 atoms",
            with(lattice).replacen('2', "999999999999999999", 1),
        ),
        ("no atom", ExtXyz, "no atom", format!("0\n{lattice}\n")),
        (
            "no number",
            ExtXyz,
            "the position is 'nan'",
            with(lattice).replace("2.54", "nan"),
        ),
        (
            "coinciding",
            ExtXyz,
            "sites 0 and 1",
            with(lattice).replace("2.54 2.37 3.245", "0.46 0.85 1.38"),
        ),
        (
            "two frames",
            ExtXyz,
            "2 structures, expected one",
            with(lattice).repeat(2),
        ),
        (
            "a cut second frame",
            ExtXyz,
            "ends after 1 of 2",
            with(lattice) + "2\n\nNa 0 0 0\n",
        ),
    ]
}

fn refused_json() -> Vec<Refused> {
    let matrix = json!([[4, 0, 0], [0, 4, 0], [0, 0, 4]]);
    let own = json!({"lattice": matrix, "elements": ["Na"], "frac_coords": [[0, 0, 0]]});
    let site =
        json!({"species": [{"element": "Na", "occu": 1}], "abc": [0.5, 0, 0], "xyz": [2, 0, 0]});
    let pymatgen = json!({"lattice": {"matrix": matrix}, "sites": [site]});
    let change = |value: &Value, pointer: &str, new: Value| {
        let mut changed = value.clone();
        let (parent, key) = pointer.rsplit_once('/').unwrap();
        changed.pointer_mut(parent).unwrap()[key] = new;
        changed.to_string()
    };
    let open = "leaves a boundary open";
    let species = |species: Value| {
        let mut changed = pymatgen.clone();
        changed["sites"][0]["species"] = species;
        changed.to_string()
    };
    let place = |key: &str, x: f64| {
        let mut changed = pymatgen.clone();
        changed["sites"][0][key][0] = x.into();
        changed.to_string()
    };
    let na = |occu: f64| json!({"element": "Na", "occu": occu});
    vec![
        ("own with pbc", Json, open, change(&own, "/pbc", json!([true, true, false]))),
        ("pbc=false", Json, open, change(&own, "/pbc", json!(false))),
        ("a slab", Json, open, change(&pymatgen, "/lattice/pbc", json!([true, true, false]))),
        ("two flags", Json, open, change(&pymatgen, "/lattice/pbc", json!([true, true]))),
        ("digits", Json, open, change(&pymatgen, "/lattice/pbc", json!([1, 1, 0]))),
        ("a molecule", Json, "a molecule is no crystal", json!({"sites": [site]}).to_string()),
        (
            "a dictionary of ASE",
            Json,
            "ASE's JSON",
            json!({"cell": matrix, "numbers": [11], "positions": [[0, 0, 0]], "pbc": [true, true, true]})
                .to_string(),
        ),
        (
            "a data base of ASE",
            Json,
            "ASE's JSON",
            json!({"1": {"cell": matrix}, "ids": [1], "nextid": 2}).to_string(),
        ),
        ("half occupied", Json, "occupied by 0.5", species(json!([na(0.5)]))),
        ("disordered", Json, "has 2 species", species(json!([na(0.5), na(0.5)]))),
        ("empty site", Json, "has 0 species", species(json!([]))),
        ("a dummy", Json, "'X' names no element", species(json!([{"element": "X", "occu": 1}]))),
        ("two places", Json, "but has xyz", place("xyz", 2.5)),
        ("two places, other way", Json, "but has xyz", place("abc", 0.6)),
        ("a and matrix", Json, "a = 5, but its matrix says 4", change(&pymatgen, "/lattice/a", json!(5))),
        ("no matrix", Json, "no matrix", json!({"lattice": {"a": 4.0}, "sites": [site]}).to_string()),
        ("two", Json, "2 structures, expected one", json!([own, pymatgen]).to_string()),
        ("none", Json, "list is empty", "[]".to_owned()),
        ("numbers", Json, "JSON line 1", "[0,0,0]".to_owned()),
        ("a number", Json, "expected an object or a list", "7".to_owned()),
        ("no site", Json, "no site", json!({"lattice": matrix, "elements": [], "frac_coords": []}).to_string()),
        ("too few positions", Json, "2 elements for 1 pos", change(&own, "/elements", json!(["Na", "Cl"]))),
        ("coordinate 1e308", Json, "site 0 is at", change(&own, "/frac_coords", json!([[1e308, 0, 0]]))),
        ("coordinate null", Json, "JSON line 1", change(&own, "/frac_coords", json!([[null, 0, 0]]))),
        ("tiny", Json, "0.0100 Å from its own image",
            change(&own, "/lattice", json!([[0.01, 0, 0], [0, 0.01, 0], [0, 0, 0.01]]))),
        ("tinier", Json, "is 0.001 Å long",
            change(&own, "/lattice", json!([[1e-3, 0, 0], [0, 1e-3, 0], [0, 0, 1e-3]]))),
        ("tiny along one vector", Json, "from its own image",
            change(&own, "/lattice", json!([[0.2, 0, 0], [0, 0.2, 0], [0, 0, 1000]]))),
        ("huge", Json, "expected 0.01 to 10000 Å",
            change(&own, "/lattice", json!([[1e308, 0, 0], [0, 4, 0], [0, 0, 4]]))),
    ]
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
