//! Reference sets computed by a potential.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use crystalgym_crystal::{Lattice, Structure};
use crystalgym_potential::{InteratomicPotential, PotentialError, Prediction, Request};
use crystalgym_stability::{ReferenceSet, StabilityError};

/// Every atom has minus its atomic number in eV; a cell of several elements 1 eV less.
struct ByNumber;

impl InteratomicPotential for ByNumber {
    fn name(&self) -> &str {
        "by number"
    }

    fn evaluate(&self, crystal: &Structure, _: Request) -> Result<Prediction, PotentialError> {
        let numbers = crystal
            .elements
            .iter()
            .map(|element| element.atomic_number());
        if let Some(site) = numbers.clone().position(|z| z > 20) {
            return Err(PotentialError::UnknownElement {
                potential: self.name().to_owned(),
                element: crystal.elements[site],
                site,
                largest: 20,
            });
        }
        let sum: f64 = numbers.map(f64::from).sum();
        let is_mixed = crystal.elements.iter().any(|e| *e != crystal.elements[0]);
        Ok(Prediction {
            energy_ev: -sum - f64::from(u8::from(is_mixed)),
            forces_ev_ang: Vec::new(),
            stress_gpa: [[0.0; 3]; 3],
            site_energies_ev: None,
            magnetic_moments: None,
            features: None,
        })
    }
}

fn cell(symbols: &[&str]) -> Structure {
    let rows = [[9.0, 0.0, 0.0], [0.0, 9.0, 0.0], [0.0, 0.0, 9.0]];
    let count = symbols.len() as f64;
    Structure::new(
        Lattice::new(rows).unwrap(),
        symbols
            .iter()
            .map(|symbol| symbol.parse().unwrap())
            .collect(),
        (0..symbols.len())
            .map(|n| [n as f64 / count, 0.0, 0.0])
            .collect(),
    )
    .unwrap()
}

/// By hand: NaCl lies 1 eV a cell below its elements, and Na₃Cl falls apart into it and sodium.
#[test]
fn energies_of_the_same_method() {
    let structures = [cell(&["Na", "Na"]), cell(&["Cl"]), cell(&["Na", "Cl"])];
    let set = ReferenceSet::computed("three cells", &ByNumber, &structures).unwrap();
    assert_eq!(set.name(), "three cells");
    let at = |formula: &str, energy: f64| {
        let composition = formula.parse().unwrap();
        let above = set.energy_above_hull(&composition, energy).unwrap();
        (above, set.formation_energy(&composition, energy).unwrap())
    };
    let mean = -(3.0 * 11.0 + 17.0) / 4.0;
    let (above, formation) = at("Na3Cl", mean);
    assert!((above - 0.25).abs() < 1e-12 && formation.abs() < 1e-12);
    let (above, formation) = at("NaCl", -15.0);
    assert!((above + 0.5).abs() < 1e-12 && (formation + 1.0).abs() < 1e-12);
    assert!(matches!(
        ReferenceSet::computed("heavy", &ByNumber, &[cell(&["Fe"])]),
        Err(StabilityError::Potential { .. })
    ));
}
