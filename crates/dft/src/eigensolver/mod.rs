//! The lowest eigenvectors of a Hermitian operator that is known by its action on a block.

mod davidson;
#[cfg(test)]
mod dense;

pub(crate) use davidson::{DavidsonSettings, EigenSolution, davidson};
#[cfg(test)]
pub(crate) use dense::dense_matrix;

use rustfft::num_complex::Complex64;

/// A Hermitian operator on blocks of column vectors.
pub(crate) trait Operator {
    /// Length of a vector.
    fn len(&self) -> usize;

    /// The diagonal, at least approximately: the preconditioner is made of it.
    fn diagonal(&self) -> &[f64];

    /// `out ← H ψ`
    fn apply(&mut self, psi: &[Complex64], out: &mut [Complex64]);
}
