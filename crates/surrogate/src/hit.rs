//! What counts as a hit.

use crystalgym_evaluation::Property;

/// How far from the target a value is a hit unless somebody says otherwise, in the property's unit:
/// 0.1 eV or eV/atom of gaps and energies, 5 % of the target of moduli and densities.
pub fn usual_tolerance(property: Property, target: f64) -> f64 {
    match property {
        Property::BandGap
        | Property::Energy
        | Property::FormationEnergy
        | Property::EnergyAboveHull => 0.1,
        Property::BulkModulus | Property::Density | Property::ShearModulus => 0.05 * target,
    }
}
