//! Self-consistency: bands from a density, a density from bands, until both agree.

mod band_accuracy;
mod density_sum;
mod end;
mod iteration;
mod mixing;
mod options;
mod result;
mod self_consistent_field;
mod stagnation;
mod starting_point;
mod state;

pub use end::ScfEnd;
pub use mixing::Mixing;
pub use options::{ScfControl, ScfOptions};
pub use result::{ScfIteration, ScfResult};
pub use self_consistent_field::{self_consistent_field, self_consistent_field_near};
pub use starting_point::{Neighbours, StartingPoint};

#[cfg(test)]
mod tests;
