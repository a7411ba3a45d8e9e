//! What the CrystalGym paper reports, to be read beside our own numbers.

use crystalgym_evaluation::Property;

/// What the paper says of the calculations of a property (Table 4).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PublishedCost {
    /// Mean wall time of a calculation in seconds: `pw.x` 7.1 with SSSP at 50/400 Ry and 1000 k-points
    /// per reciprocal atom, one process with a GPU.
    pub seconds: f64,
    /// Share of the calculations that fail, in words.
    pub failures: &'static str,
}

/// The paper's Table 4, where it has the property.
pub fn published_cost(property: Property) -> Option<PublishedCost> {
    let (seconds, failures) = match property {
        Property::BulkModulus => (130.0, "at most 0.1 %"),
        Property::Density => (20.0, "at most 0.01 %"),
        Property::BandGap => (20.0, "more than 20 %"),
        Property::ShearModulus
        | Property::Energy
        | Property::FormationEnergy
        | Property::EnergyAboveHull => return None,
    };
    Some(PublishedCost { seconds, failures })
}
