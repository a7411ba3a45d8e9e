//! Formation energies of the crystals that agents made (CrystalGym paper, appendix B.8).
//!
//! `(E − Σ_i n_i μ_i) / N` in eV per atom, E the total energy that the evaluation of the property
//! gave, μ_i the energy per atom of an elemental crystal or molecule ([`reference_structure`](crystalgym_evaluation::reference_structure)) with
//! the same pseudopotentials, cutoffs and functional. Negative: the crystal lies below its elements.

mod energies;

pub use energies::{FormationOptions, FormationSummary, formation_energies};
