//! Blocks of vectors together with their projections.

use std::num::NonZeroUsize;

use super::Operator;
use crate::{
    linear_algebra::Scalar,
    shared_products::{adjoint_product, product_into},
};

/// Column vectors and their projections `B†v`, which their combinations carry along: with them
/// products in the overlap need no vector that S was applied to.
#[derive(Debug, Clone)]
pub(super) struct Columns<S> {
    /// Length of a vector, and the number of projections of each.
    pub(super) n: usize,
    m: usize,
    pub(super) threads: NonZeroUsize,
    pub(super) vectors: Vec<S>,
    pub(super) projections: Vec<S>,
}

impl<S: Scalar> Columns<S> {
    /// No columns yet, in the memory given.
    pub(super) fn empty(operator: &impl Operator<Scalar = S>, mut memory: Vec<S>) -> Self {
        memory.clear();
        Self {
            n: operator.len(),
            m: operator.projector_count(),
            threads: operator.threads(),
            vectors: memory,
            projections: Vec::new(),
        }
    }

    pub(super) fn new(operator: &impl Operator<Scalar = S>, vectors: Vec<S>) -> Self {
        Self {
            n: operator.len(),
            m: operator.projector_count(),
            threads: operator.threads(),
            projections: operator.project(&vectors),
            vectors,
        }
    }

    pub(super) fn count(&self) -> usize {
        self.vectors.len() / self.n
    }

    /// `A†SB = A†B + (B†A)† q (B†B)` for the columns A of `self` and the others.
    pub(super) fn overlap_with(
        &self,
        others: &Self,
        operator: &impl Operator<Scalar = S>,
    ) -> Vec<S> {
        let mut product = adjoint_product(self.threads, &self.vectors, &others.vectors, self.n);
        if let Some(coefficients) = operator.overlap_coefficients(&others.projections) {
            let augmentation =
                adjoint_product(self.threads, &self.projections, &coefficients, self.m);
            for (product, augmentation) in product.iter_mut().zip(augmentation) {
                *product += augmentation;
            }
        }
        product
    }

    /// Takes the combinations `C` of other columns off, one from each column: `A ← A − B C`.
    pub(super) fn subtract(&mut self, others: &Self, combinations: &[S]) {
        let (a, b) = (&mut self.vectors, &others.vectors);
        product_into(self.threads, a, true, [b, combinations], self.n, -1.0);
        if self.m > 0 {
            let (a, b) = (&mut self.projections, &others.projections);
            product_into(self.threads, a, true, [b, combinations], self.m, -1.0);
        }
    }

    /// The combinations `A C`, in the memory given.
    pub(super) fn combined(&self, combinations: &[S], mut memory: Vec<S>) -> Self {
        let columns = combinations.len() / self.count().max(1);
        let mut projections = Vec::new();
        for (to, from, length) in [
            (&mut memory, &self.vectors, self.n),
            (&mut projections, &self.projections, self.m),
        ] {
            to.resize(columns * length, S::from_real(0.0));
            if length > 0 {
                product_into(self.threads, to, false, [from, combinations], length, 1.0);
            }
        }
        Self {
            n: self.n,
            m: self.m,
            threads: self.threads,
            vectors: memory,
            projections,
        }
    }

    /// `A ← A C`, with no more columns than before.
    pub(super) fn combine(&mut self, combinations: &[S]) {
        S::multiply_in_place(&mut self.vectors, combinations, self.n, self.threads);
        S::multiply_in_place(&mut self.projections, combinations, self.m, self.threads);
    }

    pub(super) fn append(&mut self, others: &Self) {
        self.vectors.extend_from_slice(&others.vectors);
        self.projections.extend_from_slice(&others.projections);
    }
}
