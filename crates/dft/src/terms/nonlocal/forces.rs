//! Forces of the non-local potential.

use rustfft::num_complex::Complex64;

use super::{projectors::Projectors, weights::CoupledProjections};
use crate::{DftError, basis::WaveBasis, cancellation::Cancellation, cell::Cell, vector::Vector3};

/// What the bands `psi` of one k-point add to
/// `F = −Σ_n w f_n 2 Re Σ_ij ⟨ψ|∂β_i/∂τ⟩ (D_ij − ε_n q_ij) ⟨β_j|ψ⟩`, `∂β/∂τ = −iq β`, for atoms with so
/// many projectors each.
///
/// # Errors
/// [`DftError::Cancelled`].
pub(crate) fn nonlocal_forces(
    cell: &Cell,
    waves: &WaveBasis,
    projectors: &Projectors<Complex64>,
    psi: &[Complex64],
    coupled: &CoupledProjections,
    sides: &[usize],
    cancellation: Cancellation<'_>,
) -> Result<Vec<Vector3>, DftError> {
    let total: usize = sides.iter().sum();
    let mut forces = vec![[0.0; 3]; sides.len()];
    if total == 0 {
        return Ok(forces);
    }
    let q_cart = waves.q_cart(cell);
    for axis in 0..3 {
        cancellation.check()?;
        let weighted: Vec<Complex64> = psi
            .chunks_exact(waves.len())
            .flat_map(|band| band.iter().zip(&q_cart).map(|(c, q)| c * q[axis]))
            .collect();
        // ⟨−iq β|ψ⟩ = i ⟨β|q ψ⟩
        let moved = projectors.project(&weighted);
        let columns = moved
            .chunks_exact(total)
            .zip(coupled.coupled.chunks_exact(total));
        for (moved, coupled) in columns {
            let mut first = 0;
            for (force, side) in forces.iter_mut().zip(sides) {
                let range = first..first + side;
                let pairs = moved[range.clone()].iter().zip(&coupled[range]);
                // Re (i m)* c = Im m* c
                let sum: f64 = pairs.map(|(m, c)| (m.conj() * c).im).sum();
                force[axis] -= 2.0 * sum;
                first += side;
            }
        }
    }
    Ok(forces)
}
