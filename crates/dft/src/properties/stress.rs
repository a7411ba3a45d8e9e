//! The stress tensor.

use std::num::NonZeroUsize;

use super::ground_state_of;
use crate::{
    DftError,
    basis::PlaneWaveBasis,
    cancellation::Cancellation,
    scf::ScfResult,
    symmetry::symmetrized_tensor,
    terms::{GroundState, strain::symmetric_part, strain_of_terms},
    vector::Matrix3,
};

/// The stress tensor `σ = Ω⁻¹ ∂E/∂ε` in hartree/bohr³, Cartesian, positive under tension.
///
/// With the coefficients of the bands held fixed, as the Hellmann–Feynman theorem allows, it is the
/// derivative at a fixed set of plane waves, as that of `pw.x` (whose sign is the opposite):
/// O. H. Nielsen and R. M. Martin, Phys. Rev. B 32, 3780 (1985); for augmentation charges
/// P. Focher and G. L. Chiarotti, Prog. Comput. Phys. Mol. Des. (1990). PAW's one-centre terms
/// depend on the strain by the occupations of the projectors alone.
///
/// The error is of first order in what is left of the density's residual: converge well.
///
/// # Errors
/// [`DftError::NoBands`] for a loop that was cancelled or broke down.
pub fn stress(
    basis: &PlaneWaveBasis,
    result: &ScfResult,
    threads: NonZeroUsize,
) -> Result<Matrix3, DftError> {
    stress_unless(Cancellation::NEVER, basis, result, threads)
}

/// As [`stress`], unless it is cancelled.
///
/// # Errors
/// [`DftError::NoBands`] and [`DftError::Cancelled`].
pub fn stress_unless(
    cancellation: Cancellation<'_>,
    basis: &PlaneWaveBasis,
    result: &ScfResult,
    threads: NonZeroUsize,
) -> Result<Matrix3, DftError> {
    stress_of(&ground_state_of(basis, result, threads, cancellation)?)
}

/// Pressure in hartree/bohr³ of a [`stress`]: `−tr σ/3`, positive when the cell wants to expand.
pub fn pressure(stress: &Matrix3) -> f64 {
    -(stress[0][0] + stress[1][1] + stress[2][2]) / 3.0
}

/// # Errors
/// [`DftError::Cancelled`].
pub(super) fn stress_of(state: &GroundState<'_>) -> Result<Matrix3, DftError> {
    let total = symmetric_part(strain_of_terms(state)?);
    let basis = state.basis;
    let volume = basis.model.cell.volume();
    let stress = total.map(|row| row.map(|x| x / volume));
    Ok(symmetrized_tensor(
        &basis.model.cell,
        &basis.operations,
        stress,
    ))
}
