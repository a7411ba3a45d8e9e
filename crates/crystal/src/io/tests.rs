//! All formats of structure files: round trips, damaged text, and errors that name the line.

use proptest::prelude::*;

use super::*;
use crate::{Element, Lattice};

const FORMATS: [StructureFormat; 4] = [
    StructureFormat::Cif,
    StructureFormat::Poscar,
    StructureFormat::ExtXyz,
    StructureFormat::Json,
];

fn structures() -> impl Strategy<Value = Structure> {
    let sites = prop::collection::vec((1u8..=118, prop::array::uniform3(0.0..1.0f64)), 1..9);
    let lengths = prop::array::uniform3(2.0..12.0f64);
    let angles = prop::array::uniform3(60.0..115.0f64);
    (lengths, angles, sites).prop_filter_map("no such cell", |(lengths, angles, sites)| {
        let lattice = Lattice::from_parameters(lengths, angles).ok()?;
        if lattice.volume() < 0.1 * lengths.iter().product::<f64>() {
            return None;
        }
        let (elements, frac_coords) = sites
            .into_iter()
            .filter_map(|(z, frac)| Some((Element::from_atomic_number(z)?, frac)))
            .unzip();
        Structure::new(lattice, elements, frac_coords).ok()
    })
}

fn largest_difference(a: &Structure, b: &Structure) -> f64 {
    let lattices = a.lattice.vectors().as_flattened().to_vec();
    let others = b.lattice.vectors().as_flattened().to_vec();
    let coords = lattices.iter().chain(a.frac_coords.as_flattened());
    let other_coords = others.iter().chain(b.frac_coords.as_flattened());
    coords
        .zip(other_coords)
        .map(|(x, y)| (x - y).abs())
        .fold(0.0, f64::max)
}

proptest! {
    /// Round trip: JSON and POSCAR to the bit; CIF and extxyz, which store lengths and angles or
    /// Cartesian positions, to rounding.
    #[test]
    fn round_trip(structure in structures()) {
        for format in FORMATS {
            let text = structure.to_text(format);
            let back = Structure::from_text(&text, format).unwrap();
            prop_assert_eq!(&back.elements, &structure.elements);
            let difference = largest_difference(&back, &structure);
            let allowed = match format {
                StructureFormat::Json | StructureFormat::Poscar => 0.0,
                StructureFormat::ExtXyz => 1e-13,
                StructureFormat::Cif => 1e-11,
            };
            prop_assert!(difference <= allowed, "{:?} {}", format, difference);
        }
    }

    /// Damaged text is read or refused with an error, but never panics.
    #[test]
    fn damaged_text_never_panics(
        structure in structures(),
        at in 0.0..1.0f64,
        cut in 0usize..40,
        insert in "[ -~\n'\";_()=]{0,6}",
    ) {
        for format in FORMATS {
            let text = structure.to_text(format);
            let start = text.floor_char_boundary((at * text.len() as f64) as usize);
            let end = text.floor_char_boundary((start + cut).min(text.len()));
            let damaged = format!("{}{insert}{}", &text[..start], &text[end.max(start)..]);
            let _ = Structure::from_text(&damaged, format);
        }
    }
}

fn message(text: &str, format: StructureFormat) -> String {
    Structure::from_text(text, format).unwrap_err().to_string()
}

/// The farthest coordinate is the same for every format, so that what one holds the others do too.
#[test]
fn the_farthest_site_is_as_far_in_every_format() {
    let sodium = |x: f64| Structure {
        lattice: Lattice::from_parameters([4.0; 3], [90.0; 3]).unwrap(),
        elements: vec!["Na".parse().unwrap()],
        frac_coords: vec![[x, 0.0, -x]],
    };
    for format in FORMATS {
        let text = sodium(99_999.5).to_text(format);
        let read = Structure::from_text(&text, format).unwrap();
        assert!(
            (read.frac_coords[0][0] - 99_999.5).abs() < 1e-6,
            "{format:?}"
        );
        let error = message(&sodium(100_000.5).to_text(format), format);
        assert!(error.contains("100000"), "{format:?}: {error}");
    }
}

/// Oracle: the rock-salt cell has 8 atoms, counted by hand.
#[test]
fn cif_with_symmetry_operations_uncertainties_and_quotes() {
    let text = "# a comment\ndata_NaCl\n_cell_length_a 5.6402(2)\n_cell_length_b 5.6402(2)\n\
        _cell_length_c 5.6402(2)\n_cell_angle_alpha 90\n_cell_angle_beta 90\n_cell_angle_gamma 90\n\
        _publ_section_title\n;\nloop_ is a word here\n;\n\
        loop_\n_symmetry_equiv_pos_as_xyz\n'x, y, z'\nx,y+1/2,z+1/2\nx+1/2,y,z+1/2\n'x+1/2, 1/2+y, z'\n\
        loop_\n_atom_site_label\n_atom_site_type_symbol\n_atom_site_fract_x\n_atom_site_fract_y\n\
        _atom_site_fract_z\n_atom_site_occupancy\nNa1 Na1+ 0 0 0 1.0\nCl1 Cl1- 0.5 0.5 .5000(3) 1\n";
    let structure = Structure::from_text(text, StructureFormat::Cif).unwrap();
    assert_eq!(structure.cell_formula(), "Cl4Na4");
    assert_eq!(structure.lattice.lengths(), [5.6402; 3]);
}

#[test]
fn cif_errors_name_the_line() {
    let good = Structure {
        lattice: Lattice::from_parameters([4.0; 3], [90.0; 3]).unwrap(),
        elements: vec!["Na".parse().unwrap()],
        frac_coords: vec![[0.0; 3]],
    }
    .to_text(StructureFormat::Cif);
    let bad = message(
        &good.replace("_cell_length_b   4", "_cell_length_b   four"),
        StructureFormat::Cif,
    );
    assert!(
        bad.starts_with("CIF line 4:") && bad.contains("'four'"),
        "{bad}"
    );
    let bad = message(
        &good.replace("  0  0  0  1", "  0  0  0  0.5"),
        StructureFormat::Cif,
    );
    assert!(bad.contains("occupied by 0.5"), "{bad}");
    let bad = message(
        &good.replace("  Na  Na0", "  Qq  Qq0"),
        StructureFormat::Cif,
    );
    assert!(bad.contains("'Qq' names no element"), "{bad}");
    let bad = message(
        &good.replace("  0  0  0  1", "  0  0  0"),
        StructureFormat::Cif,
    );
    assert!(bad.contains("7 columns but 6 values"), "{bad}");
}

#[test]
fn poscar_dialects() {
    let text = "NaCl\n-179.4\n 1 0 0\n 0 1 0\n 0 0 1\nNa Cl\n1 1\nSelective dynamics\nCartesian\n\
        0 0 0 T T T\n0.5 0.5 0.5 F F F\n";
    let structure = Structure::from_text(text, StructureFormat::Poscar).unwrap();
    assert!((structure.lattice.volume() - 179.4).abs() < 1e-10);
    assert!((structure.frac_coords[1][2] - 0.5).abs() < 1e-15);
    let bad = message(&text.replace("1 1\n", "1 2\n"), StructureFormat::Poscar);
    assert!(bad.starts_with("POSCAR line 12:"), "{bad}");
    let bad = message(
        &text.replace("Cartesian", "Somewhere"),
        StructureFormat::Poscar,
    );
    assert!(
        bad.starts_with("POSCAR line 9:") && bad.contains("Somewhere"),
        "{bad}"
    );
}

#[test]
fn extxyz_columns_may_come_in_any_order() {
    let text = "1\nenergy=-1.5 Lattice=\"4 0 0 0 4 0 0 0 4\" note=\"a = b\" \
        Properties=tag:I:1:pos:R:3:species:S:1\n7 1 2 3 Fe\n";
    let structure = Structure::from_text(text, StructureFormat::ExtXyz).unwrap();
    assert_eq!(structure.frac_coords, [[0.25, 0.5, 0.75]]);
    let bad = message(
        "2\nLattice=\"4 0 0 0 4 0 0 0 4\"\nFe 0 0 0\n",
        StructureFormat::ExtXyz,
    );
    assert!(
        bad.starts_with("extxyz line 4:") && bad.contains("after 1 of 2"),
        "{bad}"
    );
}

#[test]
fn pymatgen_dictionary() {
    let text = r#"{"@module": "pymatgen.core.structure", "@class": "Structure",
        "lattice": {"matrix": [[4,0,0],[0,4,0],[0,0,4]], "a": 4},
        "sites": [{"species": [{"element": "Fe", "occu": 1}], "abc": [0, 0.5, 0], "label": "Fe"}]}"#;
    let structure = Structure::from_text(text, StructureFormat::Json).unwrap();
    assert_eq!(structure.formula(), "Fe");
    let bad = message("{\n\"lattice\": [,\n}", StructureFormat::Json);
    assert!(bad.starts_with("JSON line 2:"), "{bad}");
}

#[test]
fn files_are_replaced_in_one_step_and_errors_name_them() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("POSCAR");
    std::fs::write(&path, "not a POSCAR").unwrap();
    let error = Structure::from_file(&path).unwrap_err().to_string();
    assert!(error.contains("POSCAR: POSCAR line 2"), "{error}");
    let structure = Structure {
        lattice: Lattice::from_parameters([4.0; 3], [90.0; 3]).unwrap(),
        elements: vec!["Na".parse().unwrap()],
        frac_coords: vec![[0.0; 3]],
    };
    structure.to_file(&path).unwrap();
    assert_eq!(Structure::from_file(&path).unwrap(), structure);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    assert!(structure.to_file(&folder.path().join("a.txt")).is_err());
}
