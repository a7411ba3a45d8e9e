//! Self-consistency: bands from a density, a density from bands, until both agree.

mod energy;
mod memory_plan;
mod mixing;
mod options;
mod result;
mod self_consistent_field;
mod start;
mod starting_point;

pub use energy::EnergyParts;
pub use mixing::Mixing;
pub use options::{ScfControl, ScfOptions};
pub use result::{ScfEnd, ScfIteration, ScfResult};
pub use self_consistent_field::{self_consistent_field, self_consistent_field_near};
pub use starting_point::StartingPoint;

pub(crate) use energy::{DensityFunctionals, FixedTerms};
#[cfg(test)]
pub(crate) use start::starting_bands;

#[cfg(test)]
mod tests;
