//! How accurate a calculation shall be, by name, and what is known of its error.

mod gth_errors;
mod stated;

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

pub use gth_errors::{GTH_ERRORS, GthError};
pub use stated::{StatedError, gth_cutoff_ry, gth_error};

/// How accurate a calculation shall be: cutoffs, mesh and stress together.
///
/// | | built-in GTH potentials | families | k-points | stress |
/// |---|---|---|---|---|
/// | `fast` | 30 Ry for all | what the family recommends | 1000 per reciprocal atom | of the given plane waves, as in `pw.x` |
/// | `balanced` | [`gth_cutoff_ry`] | what the family recommends | 1000, even divisions | of a fixed cutoff |
/// | `converged` | the larger of that and the recommended one | what the family recommends | 4000, even divisions | of a fixed cutoff |
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Accuracy {
    /// For training: a landscape of its own, whose numbers are trends.
    #[default]
    Fast,
    /// The cheapest settings whose measured error is below [`StatedError::BALANCED`].
    Balanced,
    /// Recommended cutoffs and a dense mesh.
    Converged,
}

impl Accuracy {
    /// All of them, the cheapest first.
    pub const ALL: [Self; 3] = [Self::Fast, Self::Balanced, Self::Converged];

    /// The name used on the command line and in files.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Fast => "fast",
            Self::Balanced => "balanced",
            Self::Converged => "converged",
        }
    }

    /// k-points per reciprocal atom unless others are asked for.
    pub const fn kppa(self) -> f64 {
        match self {
            Self::Fast | Self::Balanced => 1000.0,
            Self::Converged => 4000.0,
        }
    }

    /// Whether the mesh has even divisions, so that it holds the centre and the border of the
    /// Brillouin zone, where most band edges are.
    pub const fn has_even_mesh(self) -> bool {
        !matches!(self, Self::Fast)
    }

    /// Whether stress and pressure are those of a fixed cutoff, and not of a fixed set of plane
    /// waves.
    pub const fn corrects_stress(self) -> bool {
        !matches!(self, Self::Fast)
    }
}

impl fmt::Display for Accuracy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A name that is no accuracy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown accuracy '{0}': expected fast, balanced or converged")]
pub struct UnknownAccuracy(pub String);

impl FromStr for Accuracy {
    type Err = UnknownAccuracy;

    fn from_str(name: &str) -> Result<Self, UnknownAccuracy> {
        let mut all = Self::ALL.into_iter();
        all.find(|accuracy| accuracy.name() == name)
            .ok_or_else(|| UnknownAccuracy(name.to_owned()))
    }
}
