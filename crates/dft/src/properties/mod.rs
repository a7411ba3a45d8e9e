//! What is read off a converged calculation, one file each.

mod band_edges;

pub use band_edges::BandEdges;
