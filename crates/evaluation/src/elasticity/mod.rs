//! Elastic moduli from stresses of strained cells, whatever computes them.
//!
//! # Definition
//!
//! The given cell, possibly under stress, is strained by a symmetric ε without rotation: every
//! vector x becomes `(1 + ε) x`. The stress–strain coefficients are the derivatives of the Cauchy
//! stress (positive under tension) there,
//!
//! `B_ijkl = ∂σ_ij/∂ε_kl` at ε = 0,
//!
//! D. C. Wallace, Phys. Rev. 162, 776 (1967); T. H. K. Barron and M. L. Klein, Proc. Phys. Soc. 85,
//! 523 (1965). With the second derivatives C of the energy per volume by the Lagrangian strain
//! `η = ε + ½ ε²` and the stress σ of the given cell
//!
//! `B_ijkl = C_ijkl + ½ (σ_ik δ_jl + σ_il δ_jk + σ_jk δ_il + σ_jl δ_ik) − σ_ij δ_kl`.
//!
//! So B is not symmetric under exchange of ij and kl unless the stress is hydrostatic:
//! `B_ijkl − B_klij = σ_kl δ_ij − σ_ij δ_kl`. This part follows from the stress alone; how far what
//! was measured is from it is an error of the measurement. Moduli and stability are those of the
//! symmetric part `A = ½ (B + Bᵀ)`: the cell is stable at constant stress if A is positive definite
//! (J. Wang, J. Li, S. Yip, S. Phillpot and D. Wolf, Phys. Rev. B 52, 12627 (1995)), and of A the
//! averages of Voigt, Reuss and Hill are taken. Without stress A is the tensor of elastic constants.
//!
//! # Measurement
//!
//! A rotation R of the crystal turns the response to ε into that to `R ε Rᵀ`, so few strains are
//! enough ([`fewest_strains`]). Responses are central differences of the stress.

mod averages;
mod elastic_constants;
mod options;
mod point_group;
mod stability;
mod strained;
mod strains;
mod stress_strain;
mod symmetric_matrix;
mod tensors;
#[cfg(test)]
mod tests;

pub use averages::{IsotropicAverage, IsotropicModuli};
pub use elastic_constants::ElasticConstants;
pub use options::Ions;
pub(crate) use options::{DEFAULT_ELASTIC_STRAIN, ELASTIC_STRAIN};
pub(crate) use point_group::cartesian_rotations;
pub use stability::ElasticallyUnstable;
pub(crate) use strained::strained;
pub use strains::fewest_strains;
pub use stress_strain::StressStrain;
pub(crate) use tensors::Matrix3;
