//! Orthonormal blocks in the overlap S.

use super::{Operator, columns::Columns};
use crate::linear_algebra::{Scalar, norm2};

/// Where no combination of unit vectors is shorter than the root of this, rounding grows tenfold at
/// most: one pass is enough.
const WELL_CONDITIONED: f64 = 1e-2;
/// Eigenvalues of a normalised overlap matrix below this share of the largest are rounding.
const DEPENDENCE_THRESHOLD: f64 = 1e-13;

/// Makes the columns of `block` orthonormal in the overlap S, and orthogonal to the columns of
/// `basis`, which are orthonormal in it; directions that vanish in the process are dropped.
///
/// `W ← W − V V†SW`, then `W ← W U λ^{−1/2}` with `W†SW = U λ U†`; once more where that loses digits,
/// since W lies almost within V or is almost dependent. `None` if the linear algebra breaks down.
pub(super) fn orthonormalize_against<S: Scalar>(
    operator: &impl Operator<Scalar = S>,
    basis: &Columns<S>,
    block: &mut Columns<S>,
) -> Option<()> {
    let longest2 = (block.vectors.chunks_exact(block.n))
        .map(norm2)
        .fold(0.0, f64::max);
    for _ in 0..2 {
        if basis.count() > 0 {
            let overlap = basis.overlap_with(block, operator);
            block.subtract(basis, &overlap);
        }
        let columns = block.count();
        let gram = block.overlap_with(block, operator);
        let (lambda, vectors) = S::hermitian_eigen(&gram, columns)?;
        let largest = lambda.last().copied().unwrap_or(0.0);
        // Ascending: what is dropped comes first.
        let dropped = lambda.partition_point(|&l| l <= largest * DEPENDENCE_THRESHOLD);
        let mut combinations = vectors[dropped * columns..].to_vec();
        for (column, lambda) in combinations
            .chunks_exact_mut(columns.max(1))
            .zip(&lambda[dropped..])
        {
            for c in column {
                *c *= 1.0 / lambda.sqrt();
            }
        }
        block.combine(&combinations);
        let smallest = lambda.first().copied().unwrap_or(0.0);
        if smallest > WELL_CONDITIONED * longest2.max(largest) {
            break;
        }
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use rustfft::num_complex::Complex64;

    use super::*;
    use crate::eigensolver::dense::dense_overlap;

    const N: usize = 7;

    fn vector(seed: usize) -> Vec<Complex64> {
        (0..N)
            .map(|i| Complex64::cis((seed * 5 + i * i * (seed + 2)) as f64))
            .collect()
    }

    /// `S = 1 + q |b⟩⟨b|`, or 1.
    struct Overlap {
        projector: Vec<Complex64>,
        q: Option<f64>,
    }

    impl Operator for Overlap {
        type Scalar = Complex64;

        fn len(&self) -> usize {
            N
        }

        fn projector_count(&self) -> usize {
            self.projector.len() / N
        }

        fn diagonal(&self) -> &[f64] {
            &[0.0; N]
        }

        fn overlap_diagonal(&self) -> Option<&[f64]> {
            None
        }

        fn project(&self, psi: &[Complex64]) -> Vec<Complex64> {
            Complex64::adjoint_product(&self.projector, psi, N)
        }

        fn apply(&mut self, _: &[Complex64], _: &[Complex64], out: &mut [Complex64]) -> Option<()> {
            out.fill(Complex64::new(0.0, 0.0));
            Some(())
        }

        fn overlap_coefficients(&self, projections: &[Complex64]) -> Option<Vec<Complex64>> {
            self.q.map(|q| projections.iter().map(|p| p * q).collect())
        }

        fn add_combination(&self, coefficients: &[Complex64], out: &mut [Complex64]) {
            Complex64::product_into(out, true, &self.projector, coefficients, N, 1.0);
        }
    }

    /// Oracle: the definition with S written out, on vectors of which two are the same and one lies
    /// in the basis.
    #[test]
    fn dependent_vectors_are_dropped() {
        let projector = vector(6);
        for (projector, q) in [(Vec::new(), None), (projector, Some(0.3))] {
            let operator = Overlap { projector, q };
            let columns = |seeds: &[usize]| {
                let vectors = seeds.iter().flat_map(|&seed| vector(seed)).collect();
                Columns::new(&operator, vectors)
            };
            let mut basis = columns(&[1, 2]);
            let nothing = Columns::empty(&operator, Vec::new());
            orthonormalize_against(&operator, &nothing, &mut basis).unwrap();
            assert_eq!(basis.count(), 2);
            let mut block = columns(&[3, 4, 3, 5, 1]);
            orthonormalize_against(&operator, &basis, &mut block).unwrap();
            assert_eq!(block.count(), 3);
            // Nothing is left of nothing.
            let mut nothing = Columns::new(&operator, vec![Complex64::new(0.0, 0.0); N]);
            orthonormalize_against(&operator, &basis, &mut nothing).unwrap();
            assert_eq!(nothing.count(), 0);
            basis.append(&block);
            for (kept, projected) in
                (basis.projections.iter()).zip(operator.project(&basis.vectors))
            {
                assert!((kept - projected).norm() < 1e-12);
            }
            let all = &basis.vectors;
            let mut s_all = vec![Complex64::new(0.0, 0.0); all.len()];
            Complex64::product_into(&mut s_all, false, &dense_overlap(&operator), all, N, 1.0);
            let products = Complex64::adjoint_product(all, &s_all, N);
            for (index, value) in products.into_iter().enumerate() {
                let expected = if index % 6 == 0 { 1.0 } else { 0.0 };
                assert!((value - expected).norm() < 1e-13);
            }
        }
    }
}
