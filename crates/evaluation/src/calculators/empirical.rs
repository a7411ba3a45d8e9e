//! Properties from textbook formulas, without DFT.

use crystalgym_crystal::{Crystal, DirectedEdge, Element};

use crate::{
    Calculator, CalculatorError, CancelToken, Failure, FailureCode, Fingerprint, Outcome, Property,
    Values,
};

/// Properties from textbook formulas of tabulated atomic data. *No DFT*: for trying out algorithms
/// on every property in microseconds, not for results.
///
/// Means over the skeleton's bonds, with Pauling's electronegativities χ and single-bond covalent
/// radii r in Å:
///
/// | property | formula | source |
/// |---|---|---|
/// | band gap | `3.72 ⟨abs(χᵢ − χⱼ)⟩` eV, 0 for an odd number of electrons | Duffy, J. Phys. C 13, 2979 (1980), with Pauling's in place of optical electronegativities |
/// | bulk modulus | `⟨(1971 − 220 λ) / (rᵢ + rⱼ)^3.5⟩` GPa, λ = min(abs(χᵢ − χⱼ), 2) | Cohen, Phys. Rev. B 32, 7988 (1985), with λ continuous |
/// | density | mass over volume | as `rigid` |
///
/// An element without these data fails with [`FailureCode::UnsupportedProperty`]: the
/// calculator has nothing to describe it by.
#[derive(Debug, Clone, Copy, Default)]
pub struct EmpiricalCalculator;

const GAP_PER_ELECTRONEGATIVITY_EV: f64 = 3.72;
const COHEN_SCALE: f64 = 1971.0;
const COHEN_IONICITY: f64 = 220.0;
const COHEN_EXPONENT: f64 = 3.5;

impl Calculator for EmpiricalCalculator {
    fn name(&self) -> &str {
        "empirical"
    }

    fn fingerprint(&self, _elements: &[Element], _property: Property) -> Fingerprint {
        Fingerprint("{\"empirical\":1}".to_owned())
    }

    fn check(&self, elements: &[Element], property: Property) -> Result<(), CalculatorError> {
        match property {
            Property::Density => return Ok(()),
            Property::ShearModulus
            | Property::Energy
            | Property::FormationEnergy
            | Property::EnergyAboveHull => {
                return Err(CalculatorError {
                    calculator: self.name().to_owned(),
                    message: no_formula(property),
                });
            }
            Property::BandGap | Property::BulkModulus => {}
        }
        elements.iter().try_for_each(|&element| {
            described(element).map(|_| ()).map_err(|message| {
                let calculator = self.name().to_owned();
                CalculatorError {
                    calculator,
                    message,
                }
            })
        })
    }

    fn is_instant(&self) -> bool {
        true
    }

    fn evaluate(&self, crystal: &Crystal, property: Property, _cancel: &CancelToken) -> Outcome {
        let density = crystal.rigid_density_g_cm3();
        let value = match property {
            Property::Density => Ok(density),
            Property::BandGap if has_odd_electrons(crystal) => Ok(0.0),
            Property::BandGap => bond_mean(crystal, |a, b| {
                GAP_PER_ELECTRONEGATIVITY_EV * (a.electronegativity - b.electronegativity).abs()
            }),
            Property::BulkModulus => bond_mean(crystal, |a, b| {
                let ionicity = (a.electronegativity - b.electronegativity).abs().min(2.0);
                let length_ang = a.radius_ang + b.radius_ang;
                (COHEN_SCALE - COHEN_IONICITY * ionicity) / length_ang.powf(COHEN_EXPONENT)
            }),
            Property::ShearModulus
            | Property::Energy
            | Property::FormationEnergy
            | Property::EnergyAboveHull => Err(no_formula(property)),
        };
        match value {
            Ok(value) => Outcome::Success(Values {
                value,
                volume_ang3: crystal.skeleton().lattice.volume(),
                rigid_density_g_cm3: density,
                ..Values::default()
            }),
            Err(message) => {
                Outcome::Failure(Failure::new(FailureCode::UnsupportedProperty, message))
            }
        }
    }
}

fn no_formula(property: Property) -> String {
    let title = property.facts().title.to_lowercase();
    format!("it has no formula for the {title}")
}

struct Described {
    electronegativity: f64,
    radius_ang: f64,
}

fn described(element: Element) -> Result<Described, String> {
    let data = element.data();
    match (data.electronegativity_pauling, data.covalent_radius_ang) {
        (Some(electronegativity), Some(radius_ang)) => Ok(Described {
            electronegativity,
            radius_ang,
        }),
        _ => Err(format!(
            "{element} has no tabulated electronegativity or covalent radius"
        )),
    }
}

fn bond_mean(
    crystal: &Crystal,
    of_bond: impl Fn(&Described, &Described) -> f64,
) -> Result<f64, String> {
    let sites = crystal
        .elements()
        .iter()
        .map(|&element| described(element))
        .collect::<Result<Vec<_>, _>>()?;
    let edges = &crystal.skeleton().graph.edges;
    let total: f64 = edges
        .iter()
        .map(|DirectedEdge { source, target, .. }| of_bond(&sites[*source], &sites[*target]))
        .sum();
    Ok(total / edges.len().max(1) as f64)
}

fn has_odd_electrons(crystal: &Crystal) -> bool {
    let numbers = crystal.elements().iter();
    let electrons: u32 = numbers.map(|e| u32::from(e.atomic_number())).sum();
    electrons % 2 == 1
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use crystalgym_crystal::{Lattice, SYMMETRY_TOLERANCE_ANG, Skeleton, Structure};

    use super::*;

    fn diamond_like(length_ang: f64, symbols: [&str; 2]) -> Crystal {
        let elements = symbols.map(|symbol| symbol.parse().unwrap()).to_vec();
        let structure = Structure {
            lattice: Lattice::from_parameters([length_ang; 3], [60.0; 3]).unwrap(),
            elements,
            frac_coords: vec![[0.0; 3], [0.25; 3]],
        };
        let skeleton =
            Skeleton::from_structure("diamond", &structure, SYMMETRY_TOLERANCE_ANG).unwrap();
        Crystal::new(Arc::new(skeleton), structure.elements).unwrap()
    }

    /// Oracle: the formulas by hand. Every bond of zincblende joins the two kinds, so the means
    /// are the single bond's.
    #[test]
    fn formulas_by_hand() {
        let crystal = diamond_like(2.55, ["B", "N"]);
        let value = |property| {
            EmpiricalCalculator
                .evaluate(&crystal, property, &CancelToken::default())
                .value()
                .unwrap()
        };
        let [boron, nitrogen] = ["B", "N"].map(|symbol| symbol.parse::<Element>().unwrap());
        assert_eq!(boron.data().electronegativity_pauling, Some(2.04));
        assert_eq!(nitrogen.data().electronegativity_pauling, Some(3.04));
        assert!((value(Property::BandGap) - 3.72).abs() < 1e-12);
        let length = boron.data().covalent_radius_ang.unwrap()
            + nitrogen.data().covalent_radius_ang.unwrap();
        assert!((value(Property::BulkModulus) - 1751.0 / length.powf(3.5)).abs() < 1e-9);
        assert_eq!(value(Property::Density), crystal.rigid_density_g_cm3());
    }

    #[test]
    fn an_odd_number_of_electrons_makes_a_metal() {
        let crystal = diamond_like(2.8, ["Na", "O"]);
        let outcome =
            EmpiricalCalculator.evaluate(&crystal, Property::BandGap, &CancelToken::default());
        assert_eq!(outcome.value(), Some(0.0));
    }

    #[test]
    fn elements_without_data_are_named() {
        let helium: Element = "He".parse().unwrap();
        let error = EmpiricalCalculator
            .check(&[helium], Property::BandGap)
            .unwrap_err();
        assert!(error.to_string().contains("He"), "{error}");
    }
}
