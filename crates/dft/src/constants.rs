//! Conversion factors at the crate's border (CODATA 2018).

/// Bohr radius in Å.
pub const BOHR_ANG: f64 = 0.529_177_210_903;
/// Hartree energy in eV.
pub const HARTREE_EV: f64 = 27.211_386_245_988;
/// Hartrees in one Rydberg.
pub const RYDBERG_HARTREE: f64 = 0.5;
/// Hartree per cubic bohr in GPa.
pub const HARTREE_PER_BOHR3_GPA: f64 = 29_421.015_697;
