//! One file per energy term. Each gives an energy and the operator (or potential) that is its
//! derivative with respect to the density, or to ψ*.

pub(crate) mod ewald;
pub(crate) mod hartree;
pub(crate) mod kinetic;
pub(crate) mod local;
pub(crate) mod nonlocal;
pub(crate) mod xc;

#[cfg(test)]
mod tests;
