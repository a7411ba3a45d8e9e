//! Targets and lengths of the published runs.

use crystalgym_evaluation::Property;

/// How hard a published target is to reach.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Difficulty {
    /// Bulk modulus 300 GPa, density 3 g/cm³, band gap 1.12 eV.
    Easy,
    /// Bulk modulus 500 GPa, density 5 g/cm³, band gap 2 eV.
    Hard,
    /// Density 8 g/cm³.
    VeryHard,
}

impl Difficulty {
    /// All difficulties.
    pub const ALL: [Self; 3] = [Self::Easy, Self::Hard, Self::VeryHard];

    /// The name used in task names.
    pub fn name(self) -> &'static str {
        match self {
            Self::Easy => "easy",
            Self::Hard => "hard",
            Self::VeryHard => "very_hard",
        }
    }
}

/// The target of a property at a difficulty (CrystalGym paper, Table 1), if there is one.
pub fn published_target(property: Property, difficulty: Difficulty) -> Option<f64> {
    let [easy, hard, very_hard] = match property {
        Property::BulkModulus => [Some(300.0), Some(500.0), None],
        Property::Density => [Some(3.0), Some(5.0), Some(8.0)],
        Property::BandGap => [Some(1.12), Some(2.0), None],
        Property::ShearModulus
        | Property::Energy
        | Property::FormationEnergy
        | Property::EnergyAboveHull => [None; 3],
    };
    match difficulty {
        Difficulty::Easy => easy,
        Difficulty::Hard => hard,
        Difficulty::VeryHard => very_hard,
    }
}

/// Environment steps of the published runs of a property (CrystalGym, launch scripts); of one that
/// was not published those of most.
pub fn published_steps(property: Property) -> u64 {
    match property {
        Property::BandGap => 200_000,
        Property::BulkModulus
        | Property::Density
        | Property::ShearModulus
        | Property::Energy
        | Property::FormationEnergy
        | Property::EnergyAboveHull => 100_000,
    }
}
