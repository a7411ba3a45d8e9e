//! The properties that a calculator can be asked for, with everything that is said of each.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// A property that a calculator can be asked for; [`Property::facts`] says what it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Property {
    /// Kohn–Sham gap LUMO − HOMO on the k-mesh of the SCF, in eV, 0 for a metal.
    BandGap,
    /// Zero-pressure bulk modulus of a Murnaghan fit, in GPa.
    BulkModulus,
    /// Mass density, in g/cm³.
    Density,
    /// Hill's average shear modulus of the given cell, in GPa.
    ShearModulus,
    /// Total energy on the calculator's own scale, in eV/atom.
    Energy,
    /// Energy over that of the elements by the same method, in eV/atom.
    FormationEnergy,
    /// Energy over that of the most stable mixture of phases of a reference set, in eV/atom.
    EnergyAboveHull,
}

/// What other crates need to know of a property, in one place: whoever adds one is asked for all of
/// it by the compiler.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PropertyFacts {
    /// The name used on the command line and in files.
    pub name: &'static str,
    /// The name for a person.
    pub title: &'static str,
    /// What exactly is computed, in a line.
    pub meaning: &'static str,
    /// The unit of the value.
    pub unit: &'static str,
    /// A typical value, which scales a network's input to about one.
    pub typical_value: f64,
    /// Whether bands are filled in pairs, so that an odd number of electrons fails.
    pub fixed_occupations: bool,
    /// Core seconds of a calculation at 30 Ry and 1000 k-points per reciprocal atom with the
    /// built-in pseudopotentials: the order of magnitude of the median of random crystals.
    pub core_seconds: f64,
    /// How far two calculations of one crystal may lie apart on two kinds of processor.
    pub tolerance: Tolerance,
    /// The least and the largest target that can be aimed at.
    pub targets: [f64; 2],
}

/// Targets of what is positive.
const POSITIVE: [f64; 2] = [1e-6, 1e6];
/// Targets of what may have either sign.
const SIGNED: [f64; 2] = [-1e6, 1e6];
/// What the convergence of an SCF leaves open of an energy.
const ENERGY_TOLERANCE: Tolerance = Tolerance {
    absolute: 1e-4,
    relative: 0.0,
};

/// A deviation `absolute + relative · |value|`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Tolerance {
    /// In the unit of the property.
    pub absolute: f64,
    /// Per unit of the value.
    pub relative: f64,
}

impl Tolerance {
    /// The deviation allowed at a value.
    pub fn at(self, value: f64) -> f64 {
        self.absolute + self.relative * value.abs()
    }
}

impl Property {
    /// All properties.
    pub const ALL: [Self; 7] = [
        Self::BandGap,
        Self::BulkModulus,
        Self::Density,
        Self::ShearModulus,
        Self::Energy,
        Self::FormationEnergy,
        Self::EnergyAboveHull,
    ];

    /// How far from a target a value still hits it unless somebody says otherwise, in the property's
    /// unit: 0.1 eV or eV/atom of gaps and energies, 5 % of the target of moduli and densities.
    pub fn hit_tolerance(self, target: f64) -> f64 {
        match self {
            Self::BandGap | Self::Energy | Self::FormationEnergy | Self::EnergyAboveHull => 0.1,
            Self::BulkModulus | Self::Density | Self::ShearModulus => 0.05 * target.abs(),
        }
    }

    /// Everything that is said of the property.
    ///
    /// The tolerances are what the convergence of the SCF leaves open: making that ten times finer
    /// or coarser moved four gaps by up to 0.6 meV, three densities by 2e-7 and three bulk moduli by
    /// 5e-5 of themselves.
    pub const fn facts(self) -> PropertyFacts {
        match self {
            Self::BandGap => PropertyFacts {
                name: "band_gap",
                title: "Band gap",
                meaning: "LUMO − HOMO on the k-mesh, fixed occupations; 0 for a metal",
                unit: "eV",
                typical_value: 1.0,
                fixed_occupations: true,
                core_seconds: 1.0,
                tolerance: Tolerance {
                    absolute: 2e-3,
                    relative: 0.0,
                },
                targets: POSITIVE,
            },
            Self::BulkModulus => PropertyFacts {
                name: "bulk_modulus",
                title: "Bulk modulus",
                meaning: "zero-pressure modulus of a Murnaghan fit to five volumes, 0.98 to 1.02 of \
                          the cell's",
                unit: "GPa",
                typical_value: 300.0,
                fixed_occupations: false,
                core_seconds: 10.0,
                tolerance: Tolerance {
                    absolute: 0.01,
                    relative: 1e-3,
                },
                targets: POSITIVE,
            },
            Self::Density => PropertyFacts {
                name: "density",
                title: "Density",
                meaning: "mass density after the first step of a variable-cell relaxation",
                unit: "g/cm³",
                typical_value: 3.0,
                fixed_occupations: false,
                core_seconds: 4.0,
                tolerance: Tolerance {
                    absolute: 0.0,
                    relative: 1e-5,
                },
                targets: POSITIVE,
            },
            Self::ShearModulus => PropertyFacts {
                name: "shear_modulus",
                title: "Shear modulus",
                meaning: "mean of Voigt's and Reuss's averages (Hill) of the stress–strain \
                          coefficients of the given cell",
                unit: "GPa",
                typical_value: 100.0,
                fixed_occupations: false,
                core_seconds: 20.0,
                tolerance: Tolerance {
                    absolute: 0.01,
                    relative: 1e-3,
                },
                targets: POSITIVE,
            },
            Self::Energy => PropertyFacts {
                name: "energy",
                title: "Energy",
                meaning: "total energy of the given cell on the calculator's own scale",
                unit: "eV/atom",
                typical_value: 5.0,
                fixed_occupations: false,
                core_seconds: 1.5,
                tolerance: ENERGY_TOLERANCE,
                targets: SIGNED,
            },
            Self::FormationEnergy => PropertyFacts {
                name: "formation_energy",
                title: "Formation energy",
                meaning: "energy over that of the elements by the same method",
                unit: "eV/atom",
                typical_value: 1.0,
                fixed_occupations: false,
                core_seconds: 1.5,
                tolerance: ENERGY_TOLERANCE,
                targets: SIGNED,
            },
            Self::EnergyAboveHull => PropertyFacts {
                name: "energy_above_hull",
                title: "Energy above the hull",
                meaning: "energy over that of the most stable mixture of phases of a reference set",
                unit: "eV/atom",
                typical_value: 1.0,
                fixed_occupations: false,
                core_seconds: 1.5,
                tolerance: ENERGY_TOLERANCE,
                targets: SIGNED,
            },
        }
    }

    /// Whether the value is an energy, of which only differences within one method mean something.
    pub const fn is_energy(self) -> bool {
        matches!(
            self,
            Self::Energy | Self::FormationEnergy | Self::EnergyAboveHull
        )
    }

    /// Whether it is an energy over references, which a
    /// [`StabilityCalculator`](crate::StabilityCalculator) has.
    pub const fn is_relative(self) -> bool {
        matches!(self, Self::FormationEnergy | Self::EnergyAboveHull)
    }

    /// The name used on the command line and in files.
    pub const fn name(self) -> &'static str {
        self.facts().name
    }

    /// The unit of the property's value.
    pub const fn unit(self) -> &'static str {
        self.facts().unit
    }
}

impl fmt::Display for Property {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A name that is no property.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown property '{0}': expected {expected}", expected = names())]
pub struct UnknownProperty(pub String);

/// All names, as a sentence lists them.
fn names() -> String {
    let names = Property::ALL.map(Property::name);
    let (last, others) = names.split_last().unwrap_or((&"", &[]));
    format!("{} or {last}", others.join(", "))
}

impl FromStr for Property {
    type Err = UnknownProperty;

    fn from_str(name: &str) -> Result<Self, UnknownProperty> {
        Self::ALL
            .into_iter()
            .find(|property| property.name() == name)
            .ok_or_else(|| UnknownProperty(name.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_back_and_others_are_named() {
        for property in Property::ALL {
            assert_eq!(property.name().parse(), Ok(property));
            let json = serde_json::to_string(&property).unwrap();
            assert_eq!(json, format!("\"{property}\""));
        }
        assert_eq!(
            "hardness".parse::<Property>().unwrap_err().to_string(),
            "unknown property 'hardness': expected band_gap, bulk_modulus, density, \
             shear_modulus, energy, formation_energy or energy_above_hull"
        );
    }
}
