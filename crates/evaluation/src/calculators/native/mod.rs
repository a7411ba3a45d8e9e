//! The project's own plane-wave engine as a calculator.

mod bulk_modulus;
mod calculator;
mod computation;
mod equation_of_state;
mod joint_relaxation;
mod relaxation;
mod settings;
mod shear_modulus;
mod species;
#[cfg(test)]
mod tests;

pub use calculator::NativeCalculator;
pub(super) use settings::odd_limit;
pub use settings::{
    BulkModulusDefinition, GthCutoff, InvalidNativeSettings, NativeSettings, RecommendedCutoff,
    Verdict, VolumeBasis,
};
pub use species::SpeciesSource;
