//! Cutoffs, mesh and pseudopotentials of a calculation, as people and tables want to know them.

use std::fmt;

use crystalgym_crystal::{Element, Structure, automatic_density};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{Accuracy, StatedError, gth_cutoff_ry, gth_error};

/// The name of the built-in pseudopotentials in tables.
pub const BUILT_IN: &str = "GTH-PBE";

/// What a calculation was made with.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CalculationSettings {
    /// Name of the pseudopotential family, [`BUILT_IN`] for the built-in table.
    pub pseudopotentials: String,
    /// The accuracy that was asked for, where the calculator knows such names.
    pub accuracy: Option<Accuracy>,
    /// Cutoff of the wave functions in Ry.
    pub ecutwfc_ry: f64,
    /// Cutoff of the density in Ry.
    pub ecutrho_ry: f64,
    /// Cutoff of the wave functions that the elements need in Ry: measured for the built-in table
    /// (accuracy `balanced`), recommended by a family; `None` where nothing is known.
    pub needed_ecutwfc_ry: Option<f64>,
    /// The same for the density.
    pub needed_ecutrho_ry: Option<f64>,
    /// k-points per reciprocal atom.
    pub kppa: f64,
    /// Divisions of the mesh of k-points.
    pub k_mesh: [u32; 3],
    /// What is known of the error that the cutoff makes, where it was measured.
    pub stated_error: Option<StatedError>,
}

impl CalculationSettings {
    /// The settings of a stored result by its fingerprint, as far as that tells: for results of
    /// `native` and `qe` that were stored without. The name of a family is not part of it.
    pub fn of_fingerprint(fingerprint: &str, structure: &Structure) -> Option<Self> {
        let identity: Value = serde_json::from_str(fingerprint).ok()?;
        let numbers = identity.get("pw").unwrap_or(&identity);
        let number = |name: &str| numbers.get(name).and_then(Value::as_f64);
        let (ecutwfc_ry, ecutrho_ry) = (number("ecutwfc_ry")?, number("ecutrho_ry")?);
        let kppa = number("kppa")?;
        let is_set = |name: &str| identity.get(name).and_then(Value::as_bool) == Some(true);
        let elements = &structure.elements;
        let mut k_mesh = automatic_density(&structure.lattice, elements.len(), kppa);
        if is_set("even_mesh") {
            k_mesh = k_mesh.map(|d| d.next_multiple_of(2));
        }
        let is_built_in = identity.get("pseudopotentials").is_some_and(|names| {
            let mut names = names.as_object().into_iter().flatten();
            names.any(|(_, name)| name.as_str().is_some_and(|name| name.starts_with(BUILT_IN)))
        });
        let needed_ecutwfc_ry = is_built_in.then(|| largest_balanced(elements));
        Some(Self {
            pseudopotentials: match is_built_in {
                true => BUILT_IN.to_owned(),
                false => "UPF files".to_owned(),
            },
            accuracy: None,
            ecutwfc_ry,
            ecutrho_ry,
            needed_ecutwfc_ry,
            needed_ecutrho_ry: needed_ecutwfc_ry.map(|ry| 4.0 * ry),
            kppa,
            k_mesh,
            stated_error: is_built_in
                .then(|| gth_error(elements, ecutwfc_ry, is_set("pulay_correction"))),
        })
    }

    /// The mesh as text, such as `6×6×4`.
    pub fn mesh_text(&self) -> String {
        self.k_mesh.map(|d| d.to_string()).join("×")
    }
}

fn largest_balanced(elements: &[Element]) -> f64 {
    let of = |&element: &Element| gth_cutoff_ry(element, Accuracy::Balanced);
    elements.iter().filter_map(of).fold(0.0, f64::max)
}

/// One line: `GTH-PBE, balanced, 120/480 Ry, 6×6×4 k-points`.
impl fmt::Display for CalculationSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.pseudopotentials)?;
        if let Some(accuracy) = self.accuracy {
            write!(f, ", {accuracy}")?;
        }
        let (waves, density) = (self.ecutwfc_ry, self.ecutrho_ry);
        write!(f, ", {waves}/{density} Ry, {} k-points", self.mesh_text())
    }
}
