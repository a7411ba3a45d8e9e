//! Self-consistency: bands from a density, a density from bands, until both agree.

mod coarse_bands;
mod density_sum;
mod end;
mod energy;
mod memory_plan;
mod mixing;
mod options;
mod result;
mod self_consistent_field;
mod start;
mod starting_point;

pub use end::ScfEnd;
pub use energy::EnergyParts;
pub use mixing::Mixing;
pub use options::{ScfControl, ScfOptions};
pub use result::{ScfIteration, ScfResult};
pub use self_consistent_field::{self_consistent_field, self_consistent_field_near};
pub use starting_point::{Neighbours, StartingPoint};

pub(crate) use energy::{FixedTerms, KohnShamPotential};
pub(crate) use start::starting_bands;

#[cfg(test)]
mod tests;
