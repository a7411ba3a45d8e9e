//! In which cell a filling is computed.

use std::str::FromStr;

use crystalgym_crystal::Crystal;
use crystalgym_evaluation::{Evaluation, Outcome, Source};

use crate::{laboratory::Laboratory, relaxed::RelaxedCells, volume_scan::at_best_volume};

/// In which cell a filling is computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Geometry {
    /// That of the given structure.
    #[default]
    Given,
    /// The given one at the volume of lowest energy, the shape and the positions kept.
    Volume,
    /// Cell and positions relaxed first by the calculator, the symmetry kept.
    Relaxed,
}

impl Geometry {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Given, Self::Volume, Self::Relaxed];

    /// The name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Given => "given",
            Self::Volume => "volume",
            Self::Relaxed => "relaxed",
        }
    }
}

/// A name that is no geometry.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("geometry '{0}' is unknown, expected given, volume or relaxed")]
pub struct UnknownGeometry(pub String);

impl FromStr for Geometry {
    type Err = UnknownGeometry;

    fn from_str(name: &str) -> Result<Self, UnknownGeometry> {
        let found = Self::ALL.into_iter().find(|known| known.name() == name);
        found.ok_or_else(|| UnknownGeometry(name.to_owned()))
    }
}

/// The property of a filling, with the crystal as it was computed.
pub(crate) fn measure(
    laboratory: &Laboratory<'_>,
    geometry: Geometry,
    relaxed: &RelaxedCells,
    crystal: &Crystal,
) -> (Crystal, Evaluation) {
    let placed = match geometry {
        Geometry::Given => Ok(crystal.clone()),
        Geometry::Volume => at_best_volume(laboratory, crystal),
        Geometry::Relaxed => relaxed.get(laboratory, crystal),
    };
    match placed {
        Ok(placed) => {
            let evaluation = laboratory.evaluate(&placed, laboratory.property);
            (placed, evaluation)
        }
        Err(failure) => {
            let evaluation = Evaluation {
                outcome: Outcome::Failure(failure),
                source: Source::Computed,
                store_error: None,
            };
            (crystal.clone(), evaluation)
        }
    }
}
