//! Warnings: their codes and texts.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// Something that is to be said against a value.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Warning {
    /// What, as a stable code.
    pub code: WarningCode,
    /// The same for a person, with the numbers and what to do.
    pub message: String,
}

impl Warning {
    pub(crate) fn new(code: WarningCode, message: String) -> Self {
        Self { code, message }
    }
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.message)
    }
}

macro_rules! warning_codes {
    ($($(#[doc = $meaning:literal])+ $variant:ident = $name:literal;)*) => {
        /// What is to be said against a value: stable names, safe to count and to store.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[derive(Serialize, Deserialize)]
        #[non_exhaustive]
        pub enum WarningCode {
            $($(#[doc = $meaning])+ #[serde(rename = $name)] $variant,)*
        }

        impl WarningCode {
            /// All codes.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The stable name, such as `cutoff_too_low`.
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name),* }
            }

            /// What it means, for a person.
            pub fn meaning(self) -> &'static str {
                match self { $(Self::$variant => concat!($($meaning),+).trim_ascii()),* }
            }
        }
    };
}

warning_codes! {
    /// The cutoff is below what the elements need.
    CutoffTooLow = "cutoff_too_low";
    /// The pressure is beyond that of a crystal at rest: the cell is too small or too large.
    FarFromRest = "far_from_rest";
    /// The lowest empty level is below the highest filled one: a metal, whose gap of 0 is none.
    BandsOverlap = "bands_overlap";
    /// A 3d element was computed without spin.
    NoSpin = "no_spin";
    /// The mesh of k-points is so coarse, or so odd, that it misses band edges.
    MeshMissesBandEdges = "mesh_misses_band_edges";
    /// The step of the cell met its trust radius, so that the density is only on its way.
    CellStepLimited = "cell_step_limited";
    /// The equation of state has its minimum outside the volumes that were computed.
    EquationOfStateExtrapolated = "equation_of_state_extrapolated";
    /// Sites or lattice were moved to where they are exactly symmetric.
    SymmetrySnapped = "symmetry_snapped";
}

impl fmt::Display for WarningCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A name that is no warning code.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown warning code '{0}'")]
pub struct UnknownWarningCode(pub String);

impl FromStr for WarningCode {
    type Err = UnknownWarningCode;

    fn from_str(name: &str) -> Result<Self, UnknownWarningCode> {
        let mut all = Self::ALL.iter().copied();
        all.find(|code| code.name() == name)
            .ok_or_else(|| UnknownWarningCode(name.to_owned()))
    }
}
