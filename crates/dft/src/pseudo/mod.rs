//! Pseudopotentials: UPF files, the analytic Goedecker–Teter–Hutter family, and form factors.
//!
//! [`Pseudopotential::from_upf_file`] reads a file, [`Pseudopotential::gth_pbe`] takes an element of
//! the built-in table. Both give the same thing: the energies are in hartree, lengths in bohr, and
//! the form factors are methods in q. [`RadialTable`] keeps one on a fine mesh in q for inner loops.

mod bessel_rows;
mod error;
mod form_factors;
mod gaunt;
mod gth;
mod radial;
mod radial_table;
mod spherical_harmonics;
mod table_cache;
mod tables;
mod types;
mod upf;

pub use error::PseudoError;
pub use gaunt::{GauntTable, sphere_quadrature};
pub use gth::{GthChannel, GthParameters, gth_elements};
pub use radial::{RadialMesh, erf, spherical_bessel, spherical_bessel_derivative};
pub(crate) use radial_table::Cubic;
pub use radial_table::RadialTable;
pub use spherical_harmonics::{
    harmonic_index, real_spherical_harmonics, real_spherical_harmonics_gradient,
};
pub use table_cache::WaveTables;
pub use tables::augmentation_tables;
pub use types::{
    Augmentation, AugmentationFunction, OrbitalInfo, PawData, Pseudopotential, PseudopotentialKind,
    RadialFunctions,
};
