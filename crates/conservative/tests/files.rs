//! Crystals with values out of small files of our own.

// Helpers outside of #[test] functions unwrap too.
#![allow(clippy::unwrap_used)]

use std::path::PathBuf;

use crystalgym_conservative::{Examples, Truth};
use crystalgym_environment::{Task, TaskConfig};
use crystalgym_evaluation::Property;

const CIF: &str = "data_NaCl
_cell_length_a 3.99
_cell_length_b 3.99
_cell_length_c 3.99
_cell_angle_alpha 60
_cell_angle_beta 60
_cell_angle_gamma 60
loop_
_atom_site_type_symbol
_atom_site_label
_atom_site_fract_x
_atom_site_fract_y
_atom_site_fract_z
Na Na0 0 0 0
Cl Cl1 0.5 0.5 0.5
";

fn task() -> Task {
    Task::new(&TaskConfig {
        skeletons: vec!["C4".into(), "C2".into()],
        elements: ["H", "Na", "Mg", "Cl"].map(|e| e.parse().unwrap()).into(),
        property: Property::BandGap,
        target: 1.12,
        ..TaskConfig::default()
    })
    .unwrap()
}

fn read(text: &str, column: &str, most: usize) -> Result<Examples, String> {
    let folder = tempfile::tempdir().unwrap();
    let path: PathBuf = folder.path().join("crystals.csv");
    std::fs::write(&path, text).unwrap();
    let all = column == "all";
    let columns: &[&str] = if all { &["gap"] } else { &[column, "gap"] };
    Examples::read(&path, &task(), columns, all, most, 1).map_err(|error| error.to_string())
}

/// Oracle: the cell by hand, two sites with six bonds each.
#[test]
fn structures_become_skeletons() {
    let text = format!(
        "band_gap,cif\n5.0,\"{CIF}\"\n1.0,\"{}\"\n",
        CIF.replace("Na", "Cs")
    );
    let found = read(&text, "band_gap", 0).unwrap();
    assert_eq!((found.all.len(), found.left_out), (1, 1));
    let example = &found.all[0];
    // After the two of the task.
    assert_eq!((example.skeleton, &*example.node_types), (2, &[1, 3][..]));
    assert_eq!(example.truth, Truth::Value(5.0));
    let skeleton = &found.skeletons[0];
    assert_eq!((skeleton.sites(), skeleton.graph.edges.len()), (2, 12));
    assert_eq!(found.sha256.len(), 64);
}

/// Elements that the task does not have come after its own, where they are asked for.
#[test]
fn other_elements_are_taken_where_they_are_asked_for() {
    let cif = CIF.replace("Na Na0", "Cs Na0");
    let text = format!("gap,cif\n5.0,\"{cif}\"\n1.0,\"{CIF}\"\n");
    let found = read(&text, "all", 0).unwrap();
    assert_eq!((found.all.len(), found.left_out), (2, 0));
    assert_eq!(&*found.all[0].node_types, [4, 3]);
    assert_eq!(&*found.all[1].node_types, [1, 3]);
    assert_eq!(found.elements, ["Cs".parse().unwrap()]);
}

/// Rows of an export name the atoms of a stored structure, whatever site of the skeleton they stand for.
#[test]
fn an_export_of_a_store_is_refused() {
    for elements in ["structure_elements", "elements"] {
        let text = format!(
            "skeleton,{elements},formula,property,value,failure,calculator,key\n\
             C2,H H H Mg Na,NaMgH3,band_gap,2.5,,native,abc\n"
        );
        let error = read(&text, "value", 0).unwrap_err().to_string();
        assert!(error.contains("export of a store"), "{error}");
    }
}

#[test]
fn rows_of_a_run_are_fillings_and_failures() {
    let text = "skeleton,elements,value,failure\n\
                C2,Na Mg H H H,2.5,\n\
                C4,Na Na Na Na,,odd_electron_count\n\
                C7,Na,1.0,\n";
    let found = read(text, "value", 0).unwrap();
    let truths: Vec<(usize, Truth)> = found.all.iter().map(|e| (e.skeleton, e.truth)).collect();
    assert_eq!(truths, [(1, Truth::Value(2.5)), (0, Truth::Failure)]);
    assert_eq!(&*found.all[0].node_types, [1, 2, 0, 0, 0]);
    assert_eq!(found.left_out, 1);
}

/// Oracle: by hand. NaCl fills the four sites of C4 twice over, NaMgH3 the five of C2, NaCl2 neither.
#[test]
fn formulas_fill_the_skeletons_that_they_fit() {
    let text = "formula,gap\nNaCl,5.0\nNaMgH3,3.0\nNaCl2,0\nNaK,0\n";
    let found = read(text, "gap", 0).unwrap();
    let mut filled: Vec<(usize, Vec<u8>)> = found
        .all
        .iter()
        .map(|example| {
            let mut sorted = example.node_types.to_vec();
            sorted.sort_unstable();
            (example.skeleton, sorted)
        })
        .collect();
    filled.sort();
    assert_eq!(filled, [(0, vec![1, 1, 3, 3]), (1, vec![0, 0, 0, 1, 2])]);
    assert_eq!(found.left_out, 2);
    let one = read(text, "gap", 1).unwrap();
    assert_eq!(one.all.len(), 1);
}

#[test]
fn what_is_wrong_is_named_with_its_line() {
    for (text, parts) in [
        (
            "formula,x\nNaCl,1\n",
            &["no column 'gap' or 'gap'", "formula, x"][..],
        ),
        ("name,gap\nNaCl,1\n", &["expected a column cif"]),
        (
            "formula,gap\nNaCl,1\nNaCl,wide\n",
            &["line 3", "gap is 'wide'"],
        ),
        ("formula,gap\nNaCl,inf\n", &["line 2", "'inf'"]),
        ("formula,gap\nNa(Cl,1\n", &["line 2", "formula"]),
        ("cif,gap\nnothing,1\n", &["line 2", "cif"]),
        (
            "skeleton,elements,gap\nC2,Na Na,1\n",
            &["line 2", "elements: 2 of them, expected 5"],
        ),
        (
            "skeleton,elements,gap\nC2,Na Xx H H H,1\n",
            &["line 2", "elements", "Xx"],
        ),
        ("formula,gap\nCsI,1\n", &["none of its 1 lines"]),
    ] {
        let message = read(text, "gap", 0).err().unwrap_or_default();
        for part in parts {
            assert!(message.contains(part), "{text:?}: {message}");
        }
    }
    let missing = Examples::read("missing.csv".as_ref(), &task(), &["gap"], false, 0, 1);
    assert!(missing.unwrap_err().to_string().contains("missing.csv"));
}
