//! The stress tensor, one file per term of the energy: each gives `∂E/∂ε` in hartree at fixed
//! plane-wave coefficients and fractional positions.

mod augmentation;
mod ewald;
mod hartree;
mod local;
mod xc;

use std::num::NonZeroUsize;

use super::ground_state::GroundState;
use crate::{
    DftError,
    basis::PlaneWaveBasis,
    cancellation::Cancellation,
    scf::ScfResult,
    terms::strain::{sum_of_tensors, symmetric_part},
    vector::Matrix3,
};

/// `∂E/∂ε` of one term of the energy.
pub(crate) type Term = fn(&GroundState<'_>) -> Result<Matrix3, DftError>;

/// All terms that depend on the strain.
pub(crate) const TERMS: [Term; 7] = [
    kinetic,
    hartree::hartree,
    local::local,
    xc::exchange_correlation,
    nonlocal,
    augmentation::augmentation,
    ewald::ewald,
];

fn kinetic(state: &GroundState<'_>) -> Result<Matrix3, DftError> {
    state
        .bands
        .kinetic_strain(state.weights(), state.cancellation)
}

fn nonlocal(state: &GroundState<'_>) -> Result<Matrix3, DftError> {
    state
        .bands
        .nonlocal_strain(state.weights(), state.cancellation)
}

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
    stress_of(&GroundState::new(basis, result, threads, cancellation)?)
}

/// Pressure in hartree/bohr³ of a [`stress`]: `−tr σ/3`, positive when the cell wants to expand.
pub fn pressure(stress: &Matrix3) -> f64 {
    -(stress[0][0] + stress[1][1] + stress[2][2]) / 3.0
}

/// # Errors
/// [`DftError::Cancelled`].
pub(super) fn stress_of(state: &GroundState<'_>) -> Result<Matrix3, DftError> {
    let of_terms = TERMS.iter().map(|term| term(state));
    let of_terms: Vec<Matrix3> = of_terms.collect::<Result<_, _>>()?;
    let total = symmetric_part(sum_of_tensors(of_terms));
    let volume = state.basis.model.cell.volume();
    let stress = total.map(|row| row.map(|x| x / volume));
    Ok(symmetrized(state.basis, stress))
}

/// `N⁻¹ Σ_ops R σ Rᵀ`
fn symmetrized(basis: &PlaneWaveBasis, stress: Matrix3) -> Matrix3 {
    let share = 1.0 / basis.operations.len() as f64;
    let mut mean = [[0.0; 3]; 3];
    for operation in &basis.operations {
        let r = operation.cartesian_rotation(&basis.model.cell);
        for (a, row) in mean.iter_mut().enumerate() {
            for (b, mean) in row.iter_mut().enumerate() {
                for (c, stress) in stress.iter().enumerate() {
                    for (d, stress) in stress.iter().enumerate() {
                        *mean += share * r[a][c] * stress * r[b][d];
                    }
                }
            }
        }
    }
    mean
}
