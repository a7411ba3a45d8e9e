//! Discretisation: G-spheres, FFT boxes, k-points.

mod by_length;
mod density_grid;
mod discretisation;
mod fft;
mod k_point;
mod kmesh;
mod plane_wave_basis;
mod point_orbits;
mod set_up;
mod time_reversal;
mod wave_basis;
mod wave_grid;

pub use discretisation::Discretisation;
pub use k_point::KPoint;
pub use kmesh::{KMesh, irreducible_k_points};
pub use plane_wave_basis::PlaneWaveBasis;
pub use set_up::SetUp;

pub(crate) use density_grid::DensityGrid;
pub(crate) use fft::{FftBox, FftScratch, Precision};
pub(crate) use kmesh::{ReducedMesh, irreducible_k_points_unless};
pub(crate) use point_orbits::PointOrbits;
pub(crate) use time_reversal::TimeReversal;
pub(crate) use wave_basis::{WaveBasis, WaveBox};
pub(crate) use wave_grid::WaveGrid;
