//! The lowest eigenvectors of a Hermitian operator that is known by its action on a block.

mod columns;
mod davidson;
#[cfg(test)]
mod dense;
mod orthonormalization;

pub(crate) use davidson::{DavidsonSettings, EigenSolution, Workspace, davidson};
#[cfg(test)]
pub(crate) use dense::{dense_matrix, dense_overlap, solved_to_the_end};

use std::num::NonZeroUsize;

use crate::linear_algebra::Scalar;

/// How exactly H is applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Exactness {
    /// By an operator near by, Hermitian too, wrong by some 1e-2 hartree at most.
    Draft,
    /// To single precision.
    Rounded,
    Full,
}

/// A Hermitian operator H on blocks of column vectors, and the overlap `S = 1 + B q B†` of its
/// eigenproblem `Hψ = εSψ`; the columns of B are the projectors.
pub(crate) trait Operator {
    type Scalar: Scalar;

    /// Length of a vector.
    fn len(&self) -> usize;

    /// Number of columns of B.
    fn projector_count(&self) -> usize;

    /// Threads that may share the work on a block.
    fn threads(&self) -> NonZeroUsize {
        NonZeroUsize::MIN
    }

    /// The diagonal of H, at least approximately: the preconditioner is made of it.
    fn diagonal(&self) -> &[f64];

    /// The diagonal of S, likewise; `None` where S is the identity.
    fn overlap_diagonal(&self) -> Option<&[f64]>;

    /// `B†ψ`
    fn project(&self, psi: &[Self::Scalar]) -> Vec<Self::Scalar>;

    /// `out ← H ψ`, where `projections` are `B†ψ`; `None` if it is cancelled.
    fn apply(
        &mut self,
        psi: &[Self::Scalar],
        projections: &[Self::Scalar],
        out: &mut [Self::Scalar],
    ) -> Option<()>;

    /// As [`apply`](Self::apply), at least as exactly as is asked for.
    fn apply_at_least(
        &mut self,
        _: Exactness,
        psi: &[Self::Scalar],
        projections: &[Self::Scalar],
        out: &mut [Self::Scalar],
    ) -> Option<()> {
        self.apply(psi, projections, out)
    }

    /// `q p` for projections p; `None` where S is the identity.
    fn overlap_coefficients(&self, projections: &[Self::Scalar]) -> Option<Vec<Self::Scalar>>;

    /// `out += B c`
    fn add_combination(&self, coefficients: &[Self::Scalar], out: &mut [Self::Scalar]);
}
