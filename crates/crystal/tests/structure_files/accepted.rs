//! Texts of one crystal in many dialects, and which other programs read them alike.

use crystalgym_crystal::StructureFormat;
use serde_json::{Value, json};

use StructureFormat::{ExtXyz, Json, Poscar};

use crate::{CARTESIAN, DIRECT, VECTORS};

/// Name, format, the programs that read it alike, text.
pub(crate) type Accepted = (
    &'static str,
    StructureFormat,
    &'static [&'static str],
    String,
);

const BOTH: &[&str] = &["ase", "pymatgen"];

fn poscar(top: &str, species: &str, positions: &str) -> String {
    format!("{top}{species}{positions}")
}

pub(crate) fn accepted_poscars() -> Vec<Accepted> {
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

pub(crate) fn accepted_extxyz() -> Vec<Accepted> {
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

pub(crate) fn accepted_json() -> Vec<Accepted> {
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
