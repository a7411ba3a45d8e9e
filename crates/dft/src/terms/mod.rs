//! One file per energy term. Each gives an energy and the operator (or potential) that is its
//! derivative with respect to the density, or to ψ*.

pub(crate) mod atomic_columns;
pub(crate) mod augmentation;
pub(crate) mod ewald;
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

#[cfg(test)]
mod tests;
