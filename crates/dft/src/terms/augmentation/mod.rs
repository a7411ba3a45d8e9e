//! Augmentation charges of ultrasoft potentials and PAW (D. Vanderbilt, Phys. Rev. B 41, 7892
//! (1990); K. Laasonen et al., Phys. Rev. B 47, 10142 (1993)):
//! `ρ_aug(G) = Ω⁻¹ Σ_atoms e^{−iG·τ} Σ_ij ρ_ij Q_ij(G)`, overlap `S = 1 + Σ_ij |β_i⟩ q_ij ⟨β_j|`,
//! coupling `∂E/∂ρ_ij = ∫ V Q_ij`.
//!
//! `Q_ij(G) = Σ_LM (−i)^L ⟨Y_LM Y_lm Y_l'm'⟩ Y_LM(Ĝ) Q^L_ij(|G|)`: the radial parts depend on the
//! shell of G alone, and shells follow each other; fields are real, so that half of the sphere is
//! enough.

mod charges;
mod derivatives;
mod moments;

pub(crate) use charges::AugmentationCharges;
pub(crate) use derivatives::{augmentation_forces, augmentation_strain};
