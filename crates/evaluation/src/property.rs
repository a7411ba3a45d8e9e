use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// A property that a calculator can be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Property {
    /// Kohn–Sham gap LUMO − HOMO on the k-mesh of the SCF, in eV, 0 for a metal.
    BandGap,
    /// Zero-pressure bulk modulus of a Murnaghan fit, in GPa.
    BulkModulus,
    /// Mass density, in g/cm³.
    Density,
    /// Hill's average shear modulus of the given cell, in GPa.
    ShearModulus,
}

impl Property {
    /// All properties.
    pub const ALL: [Self; 4] = [
        Self::BandGap,
        Self::BulkModulus,
        Self::Density,
        Self::ShearModulus,
    ];

    /// The name used on the command line and in files.
    pub fn name(self) -> &'static str {
        match self {
            Self::BandGap => "band_gap",
            Self::BulkModulus => "bulk_modulus",
            Self::Density => "density",
            Self::ShearModulus => "shear_modulus",
        }
    }

    /// The unit of the property's value.
    pub fn unit(self) -> &'static str {
        match self {
            Self::BandGap => "eV",
            Self::BulkModulus | Self::ShearModulus => "GPa",
            Self::Density => "g/cm³",
        }
    }
}

impl fmt::Display for Property {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A name that is no property.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown property '{0}': expected band_gap, bulk_modulus, density or shear_modulus")]
pub struct UnknownProperty(pub String);

impl FromStr for Property {
    type Err = UnknownProperty;

    fn from_str(name: &str) -> Result<Self, UnknownProperty> {
        Self::ALL
            .into_iter()
            .find(|property| property.name() == name)
            .ok_or_else(|| UnknownProperty(name.to_owned()))
    }
}
