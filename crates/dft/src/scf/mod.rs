//! Self-consistency: bands from a density, a density from bands, until both agree.

mod band_accuracy;
mod density_sum;
mod end;
mod energy;
mod iteration;
mod mixing;
mod options;
mod result;
mod self_consistent_field;
mod starting_point;
mod state;

pub use end::ScfEnd;
pub use energy::EnergyParts;
pub use mixing::Mixing;
pub use options::{ScfControl, ScfOptions};
pub use result::{ScfIteration, ScfResult};
pub use self_consistent_field::{self_consistent_field, self_consistent_field_near};
pub use starting_point::{Neighbours, StartingPoint};

pub(crate) use energy::{FixedTerms, KohnShamPotential};

#[cfg(test)]
mod tests;
