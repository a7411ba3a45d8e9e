//! What is read off a converged calculation, one file each.

mod band_edges;
mod pressure;

pub use band_edges::BandEdges;
pub use pressure::pressure;
