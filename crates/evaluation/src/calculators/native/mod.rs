//! The project's own plane-wave engine as a calculator.

mod band_gap;
mod bulk_modulus;
mod calculator;
mod computation;
mod equation_of_state;
mod gap_settings;
mod ground_state;
mod joint_relaxation;
mod potential;
mod relaxation;
mod settings;
mod shear_modulus;
mod species;
#[cfg(test)]
mod tests;

pub use calculator::NativeCalculator;
pub use gap_settings::{GapKind, GapSettings};
pub use ground_state::GroundState;
pub use potential::EnginePotential;
pub(super) use settings::odd_limit;
pub use settings::{
    BulkModulusDefinition, GthCutoff, InvalidNativeSettings, NativeSettings, RecommendedCutoff,
    Verdict, VolumeBasis,
};
pub use species::SpeciesSource;
