//! The lowest eigenvectors of a Hermitian operator that is known by its action on a block.

mod davidson;
#[cfg(test)]
mod dense;

pub(crate) use davidson::{DavidsonSettings, EigenSolution, davidson};
#[cfg(test)]
pub(crate) use dense::dense_matrix;

use crate::linear_algebra::Scalar;

/// A Hermitian operator H on blocks of column vectors, and the overlap S of its eigenproblem
/// `Hψ = εSψ`.
pub(crate) trait Operator {
    type Scalar: Scalar;

    /// Length of a vector.
    fn len(&self) -> usize;

    /// The diagonal of H, at least approximately: the preconditioner is made of it.
    fn diagonal(&self) -> &[f64];

    /// The diagonal of S, likewise; `None` where S is the identity.
    fn overlap_diagonal(&self) -> Option<&[f64]>;

    /// `out ← H ψ`
    fn apply(&mut self, psi: &[Self::Scalar], out: &mut [Self::Scalar]);

    /// `S ψ`; `None` where S is the identity.
    fn apply_overlap(&self, psi: &[Self::Scalar]) -> Option<Vec<Self::Scalar>>;
}
