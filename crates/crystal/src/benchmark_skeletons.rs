//! The seven crystals of the CrystalGym paper, as the MP-20 validation split lists them
//! (Materials Project, CC BY 4.0): primitive P1 cells before the Niggli reduction.
//!
//! C1 is the paper's; C2 to C4 follow the order of its evaluation; C5 to C7 are numbered here by
//! row, since the paper's text does not tell them apart. The row never moves.

use crate::{CrystalError, Element};

/// A benchmark crystal as published.
pub(crate) struct BenchmarkCrystal {
    pub(crate) label: &'static str,
    pub(crate) mp20_row: u32,
    pub(crate) name: &'static str,
    pub(crate) material_id: &'static str,
    pub(crate) formula: &'static str,
    pub(crate) space_group_number: u16,
    /// a = b = c in Å.
    pub(crate) length_ang: f64,
    /// α = β = γ in degrees.
    pub(crate) angle_degrees: f64,
    pub(crate) frac_coords: &'static [[f64; 3]],
    /// Symbols by site.
    pub(crate) elements: &'static [&'static str],
}

impl BenchmarkCrystal {
    /// The elements by site.
    ///
    /// # Errors
    /// None in practice: the symbols are built in and tested.
    pub(crate) fn elements(&self) -> Result<Vec<Element>, CrystalError> {
        let symbols = self.elements.iter();
        symbols.map(|symbol| symbol.parse()).collect()
    }
}

pub(crate) static BENCHMARK_CRYSTALS: [BenchmarkCrystal; 7] = [
    BenchmarkCrystal {
        label: "C1",
        mp20_row: 3403,
        name: "perovskite-RbVF3",
        material_id: "mp-556424",
        formula: "RbVF3",
        space_group_number: 221,
        length_ang: 4.274799,
        angle_degrees: 90.0,
        frac_coords: &[
            [0.0, 0.0, 0.0],
            [0.5, 0.5, 0.5],
            [0.0, 0.5, 0.5],
            [0.5, 0.0, 0.5],
            [0.5, 0.5, 0.0],
        ],
        elements: &["Rb", "V", "F", "F", "F"],
    },
    BenchmarkCrystal {
        label: "C2",
        mp20_row: 630,
        name: "perovskite-RbCaH3",
        material_id: "mp-23949",
        formula: "RbCaH3",
        space_group_number: 221,
        length_ang: 4.544346,
        angle_degrees: 90.0,
        frac_coords: &[
            [0.0, 0.0, 0.0],
            [0.5, 0.5, 0.5],
            [0.5, 0.0, 0.5],
            [0.5, 0.5, 0.0],
            [0.0, 0.5, 0.5],
        ],
        elements: &["Rb", "Ca", "H", "H", "H"],
    },
    BenchmarkCrystal {
        label: "C3",
        mp20_row: 2271,
        name: "a15-Nb6AlGe",
        material_id: "mp-1220344",
        formula: "Nb6AlGe",
        space_group_number: 200,
        length_ang: 5.193789,
        angle_degrees: 90.0,
        frac_coords: &[
            [0.0, 0.5, 0.74995],
            [0.5, 0.25005, 0.0],
            [0.74995, 0.0, 0.5],
            [0.0, 0.5, 0.25005],
            [0.5, 0.74995, 0.0],
            [0.25005, 0.0, 0.5],
            [0.5, 0.5, 0.5],
            [0.0, 0.0, 0.0],
        ],
        elements: &["Nb", "Nb", "Nb", "Nb", "Nb", "Nb", "Al", "Ge"],
    },
    BenchmarkCrystal {
        label: "C4",
        mp20_row: 8906,
        name: "heusler-NbAlCo2",
        material_id: "mp-5149",
        formula: "NbAlCo2",
        space_group_number: 225,
        length_ang: 4.22388963,
        angle_degrees: 60.0,
        frac_coords: &[
            [0.0, 0.0, 0.0],
            [0.5, 0.5, 0.5],
            [0.75, 0.75, 0.75],
            [0.25, 0.25, 0.25],
        ],
        elements: &["Nb", "Al", "Co", "Co"],
    },
    BenchmarkCrystal {
        label: "C5",
        mp20_row: 2190,
        name: "antiperovskite-Yb3SnO",
        material_id: "mp-11651",
        formula: "Yb3SnO",
        space_group_number: 221,
        length_ang: 4.768475,
        angle_degrees: 90.0,
        frac_coords: &[
            [0.5, 0.0, 0.5],
            [0.5, 0.5, 0.0],
            [0.0, 0.5, 0.5],
            [0.0, 0.0, 0.0],
            [0.5, 0.5, 0.5],
        ],
        elements: &["Yb", "Yb", "Yb", "Sn", "O"],
    },
    BenchmarkCrystal {
        label: "C6",
        mp20_row: 8354,
        name: "bcc-AuSb3",
        material_id: "mp-29665",
        formula: "Sb3Au",
        space_group_number: 229,
        length_ang: 5.16929871,
        angle_degrees: 109.47122063,
        frac_coords: &[
            [0.5, 0.0, 0.5],
            [0.5, 0.5, 0.0],
            [0.0, 0.5, 0.5],
            [0.0, 0.0, 0.0],
        ],
        elements: &["Sb", "Sb", "Sb", "Au"],
    },
    BenchmarkCrystal {
        label: "C7",
        mp20_row: 8666,
        name: "tetraiodide-SnI4",
        material_id: "mp-571436",
        formula: "SnI4",
        space_group_number: 215,
        length_ang: 6.686428,
        angle_degrees: 90.0,
        frac_coords: &[
            [0.0, 0.0, 0.0],
            [0.233903, 0.766097, 0.766097],
            [0.766097, 0.233903, 0.766097],
            [0.766097, 0.766097, 0.233903],
            [0.233903, 0.233903, 0.233903],
        ],
        elements: &["Sn", "I", "I", "I", "I"],
    },
];
