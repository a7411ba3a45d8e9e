//! Texts that are no crystal, and what the message must say.

use crystalgym_crystal::StructureFormat;
use serde_json::{Value, json};

use StructureFormat::{ExtXyz, Json, Poscar};

use crate::{DIRECT, VECTORS};

/// Name, format, what the message says, text.
pub(crate) type Refused = (&'static str, StructureFormat, &'static str, String);

pub(crate) fn refused_poscars() -> Vec<Refused> {
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

pub(crate) fn refused_extxyz() -> Vec<Refused> {
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

pub(crate) fn refused_json() -> Vec<Refused> {
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
