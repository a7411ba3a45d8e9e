//! Density from mass and volume alone, without DFT.

use crystalgym_crystal::{Crystal, Element};

use crate::{
    Calculator, CalculatorError, CancelToken, Failure, FailureCode, Fingerprint, Outcome, Property,
    Values,
};

/// Density from mass and volume alone: `ρ = 1.66053906660 Σm [u] / V [Å³]`.
///
/// No DFT is involved and nothing relaxes; it is for tests and for trying things out in seconds.
/// Other properties fail with [`FailureCode::UnsupportedProperty`].
#[derive(Debug, Clone, Copy, Default)]
pub struct RigidCalculator;

impl Calculator for RigidCalculator {
    fn name(&self) -> &str {
        "rigid"
    }

    fn fingerprint(&self, _elements: &[Element], _property: Property) -> Fingerprint {
        Fingerprint("{\"rigid\":1}".to_owned())
    }

    fn check(&self, _elements: &[Element], property: Property) -> Result<(), CalculatorError> {
        if property == Property::Density {
            return Ok(());
        }
        let message = format!("it knows the density only, not the {property}");
        Err(CalculatorError {
            calculator: self.name().to_owned(),
            message,
        })
    }

    fn is_instant(&self) -> bool {
        true
    }

    /// Masses are summed as whole numbers.
    fn sees_sites(&self) -> bool {
        false
    }

    fn evaluate(&self, crystal: &Crystal, property: Property, _cancel: &CancelToken) -> Outcome {
        if property != Property::Density {
            return Outcome::Failure(Failure::new(
                FailureCode::UnsupportedProperty,
                format!("the rigid calculator knows the density only, not the {property}"),
            ));
        }
        let density = crystal.rigid_density_g_cm3();
        Outcome::Success(Values {
            value: density,
            volume_ang3: crystal.skeleton().lattice.volume(),
            rigid_density_g_cm3: density,
            ..Values::default()
        })
    }
}

#[cfg(test)]
mod tests {
    use crystalgym_crystal::Skeleton;

    use super::*;

    /// Oracle: the mass density of RbCaH3 in its 4.544346 Å cell, worked out by hand.
    #[test]
    fn density_is_mass_over_volume() {
        let skeleton = Skeleton::builtin("C2").unwrap();
        let elements = ["Rb", "Ca", "H", "H", "H"]
            .map(|symbol| symbol.parse().unwrap())
            .to_vec();
        let crystal = Crystal::new(skeleton, elements).unwrap();
        let calculator = RigidCalculator;
        let outcome = calculator.evaluate(&crystal, Property::Density, &CancelToken::default());
        let expected = 1.660_539_066_6 * (85.4678 + 40.078 + 3.0 * 1.008) / 4.544346f64.powi(3);
        assert!((outcome.value().unwrap() - expected).abs() < 1e-9);
        let outcome = calculator.evaluate(&crystal, Property::BandGap, &CancelToken::default());
        assert_eq!(
            outcome.failure().unwrap().code,
            FailureCode::UnsupportedProperty
        );
    }
}
