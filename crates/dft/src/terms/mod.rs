//! The terms of the energy, one file or folder each: energy, the operator (or potential) that is its
//! derivative with respect to the density, or to ψ*, and what it adds to forces and stress.
//!
//! [`Terms`] owns them and makes energies and operators of a density; [`TERMS`](derivatives::TERMS) lists what forces
//! and stress are summed from.

mod all_terms;
pub(crate) mod atomic_columns;
pub(crate) mod atomic_density;
mod atomic_form_factors;
pub(crate) mod augmentation;
pub(crate) mod core_correction;
mod derivatives;
mod energy_parts;
pub(crate) mod ewald;
mod ground_state;
pub(crate) mod harmonic_table;
pub(crate) mod hartree;
pub(crate) mod kinetic;
pub(crate) mod local;
pub(crate) mod nonlocal;
pub(crate) mod pair_expansion;
pub(crate) mod paw;
pub(crate) mod projector_channels;
pub(crate) mod projector_matrices;
pub(crate) mod strain;
pub(crate) mod sum_of_forces;
pub(crate) mod xc;

pub use energy_parts::EnergyParts;

#[cfg(test)]
pub(crate) use derivatives::TERMS;
pub(crate) use {
    all_terms::{Terms, band_energy},
    derivatives::{forces_of_terms, strain_of_terms},
    ground_state::{FilledLevels, GroundState},
};

#[cfg(test)]
mod tests;
