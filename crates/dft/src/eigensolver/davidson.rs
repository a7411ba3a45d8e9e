//! Block Davidson iteration (E. R. Davidson, J. Comput. Phys. 17, 87 (1975)).

use pulp::{Arch, Simd, WithSimd};

use super::{Exactness, Operator, columns::Columns, orthonormalization::orthonormalize_against};
use crate::{
    cancellation::Cancellation,
    linear_algebra::{Scalar, norm2},
    shared_products::{adjoint_product, product_into},
};

/// When to stop.
#[derive(Clone)]
pub(crate) struct DavidsonSettings<'a> {
    /// Number of bands that are sought.
    pub(crate) bands: usize,
    /// Largest `|Hψ − εψ|²` of each band, in hartree²: about the error of its eigenvalue times
    /// the distance to the next one. Infinite for bands that are only to come along.
    pub(crate) residual2_limits: &'a [f64],
    /// How exactly H is applied, at most.
    pub(crate) exactness: Exactness,
    /// Largest number of times that the subspace is extended.
    pub(crate) max_iterations: usize,
    /// Size of the subspace in units of the number of bands, before it is collapsed.
    pub(crate) subspace_factor: usize,
    /// Asked before each extension: once requested, there is no solution.
    pub(crate) cancellation: Cancellation<'a>,
}

/// What the iteration found.
#[derive(Debug, Clone)]
pub(crate) struct EigenSolution<S> {
    /// Eigenvalues in hartree, ascending.
    pub(crate) values: Vec<f64>,
    /// `B†ψ`, one column per band.
    pub(crate) projections: Vec<S>,
    /// Vectors that H was applied to.
    pub(crate) applications: usize,
    /// Bands whose residual stayed above its limit.
    pub(crate) unconverged: usize,
}

/// The solver's memory, for one operator after another.
#[derive(Debug, Clone, Default)]
pub(crate) struct Workspace<S> {
    v: Vec<S>,
    hv: Vec<S>,
}

impl<S: Scalar> Workspace<S> {
    /// For at most so many coefficients in a subspace.
    pub(crate) fn with_room(coefficients: usize) -> Self {
        Self {
            v: Vec::with_capacity(coefficients),
            hv: Vec::with_capacity(coefficients),
        }
    }
}

/// What H must be applied to corrections with, where the largest squared residual exceeds its limit by
/// this factor. A correction is about as large as the residual in hartree, so that an operator that is
/// wrong by δ leaves `δ²` times the squared residual: a hundredth of the limit by a draft, and next to nothing
/// by single precision, whose δ is some 1e-6.
fn exactness_for(excess: f64) -> Exactness {
    match excess {
        excess if excess <= 1e2 => Exactness::Draft,
        excess if excess <= 1e6 => Exactness::Rounded,
        _ => Exactness::Full,
    }
}

/// The space in which the eigenvectors are sought.
struct Subspace<S> {
    /// Basis vectors, orthonormal in S, and H applied to them, as columns.
    v: Columns<S>,
    hv: Vec<S>,
    /// `V†HV`, column by column.
    h: Vec<S>,
}

impl<S: Scalar> Subspace<S> {
    fn dimension(&self) -> usize {
        self.v.count()
    }

    /// Adds what is new in the columns of `block`, which it destroys, to the basis; returns how many
    /// vectors that were, or `None` if the linear algebra breaks down or it is cancelled.
    fn extend(
        &mut self,
        operator: &mut impl Operator<Scalar = S>,
        block: &mut Vec<S>,
        exactness: Exactness,
    ) -> Option<usize> {
        let mut new = Columns::new(operator, std::mem::take(block));
        orthonormalize_against(operator, &self.v, &mut new)?;
        let (old, added) = (self.dimension(), new.count());
        let start = self.hv.len();
        self.hv.resize(start + new.vectors.len(), S::from_real(0.0));
        let (hv_old, h_new) = self.hv.split_at_mut(start);
        operator.apply_at_least(exactness, &new.vectors, &new.projections, h_new)?;
        // (HV)†W and not V†(HW): where W met a draft of H, eigenvalues are then wrong in second order of
        // the corrections only.
        let n = self.v.n;
        let threads = self.v.threads;
        let beside = adjoint_product(threads, hv_old, &new.vectors, n);
        let within = adjoint_product(threads, &new.vectors, h_new, n);
        self.h = bordered(&self.h, &beside, &within, old, added);
        self.v.append(&new);
        *block = new.vectors;
        Some(added)
    }

    /// Replaces the basis by the combinations `coefficients`, which are eigenvectors.
    fn collapse(&mut self, coefficients: &[S], values: &[f64]) {
        let bands = values.len();
        self.v.combine(coefficients);
        S::multiply_in_place(&mut self.hv, coefficients, self.v.n, self.v.threads);
        self.h = vec![S::from_real(0.0); bands * bands];
        for (band, &value) in values.iter().enumerate() {
            self.h[band * bands + band] = S::from_real(value);
        }
    }

    fn solve(&self) -> Option<(Vec<f64>, Vec<S>)> {
        S::hermitian_eigen(&self.h, self.dimension())
    }
}

/// A Hermitian matrix of side `old` extended by as many columns as `within` has; `beside` are their
/// elements with the old ones. Of `within`, which rounding leaves not quite Hermitian, the Hermitian part is
/// taken: the decomposition looks at one half of the matrix, and takes what is imaginary on the diagonal for real.
fn bordered<S: Scalar>(
    matrix: &[S],
    beside: &[S],
    within: &[S],
    old: usize,
    count: usize,
) -> Vec<S> {
    let side = old + count;
    let mut result = vec![S::from_real(0.0); side * side];
    for j in 0..old {
        result[j * side..j * side + old].copy_from_slice(&matrix[j * old..(j + 1) * old]);
    }
    for j in 0..count {
        let column = (old + j) * side;
        for i in 0..old {
            let value = beside[j * old + i];
            result[column + i] = value;
            result[i * side + old + j] = value.conjugate();
        }
        for i in 0..count {
            let (here, opposite) = (within[j * count + i], within[i * count + j]);
            result[column + old + i] = (here + opposite.conjugate()) * 0.5;
        }
    }
    result
}

/// Improves the lowest bands in the span of `psi`, at least as many vectors, until their residuals
/// are small; on return `psi` holds these bands, orthonormal in S.
///
/// `None` if the linear algebra breaks down (the vectors given are linearly dependent, or not
/// finite), or if it is cancelled.
pub(crate) fn davidson<S: Scalar>(
    operator: &mut impl Operator<Scalar = S>,
    psi: &mut Vec<S>,
    settings: &DavidsonSettings<'_>,
    workspace: &mut Workspace<S>,
) -> Option<EigenSolution<S>> {
    let n = operator.len();
    let bands = settings.bands;
    let mut space = Subspace {
        v: Columns::empty(operator, std::mem::take(&mut workspace.v)),
        hv: std::mem::take(&mut workspace.hv),
        h: Vec::new(),
    };
    space.hv.clear();
    let mut applications = space.extend(operator, psi, settings.exactness)?;
    if applications < bands {
        return None;
    }
    let limits = settings.residual2_limits;
    let mut active: Vec<usize> = (0..bands)
        .filter(|&band| limits[band].is_finite())
        .collect();
    let (mut values, mut coefficients) = lowest(space.solve()?, bands);

    for iteration in 0.. {
        if settings.cancellation.is_requested() {
            return None;
        }
        // Their memory serves for what is to extend the space.
        let corrections = &mut *psi;
        residuals(
            operator,
            &space,
            &values,
            &coefficients,
            &active,
            corrections,
        );
        let (mut checked, mut kept) = (0, 0);
        let mut excess: f64 = 0.0;
        active.retain(|&band| {
            let column = checked * n..(checked + 1) * n;
            checked += 1;
            let residual2 = norm2(&corrections[column.clone()]);
            let converged = residual2 <= limits[band];
            excess = excess.max(residual2 / limits[band]);
            if !converged {
                corrections.copy_within(column, kept * n);
                kept += 1;
            }
            !converged
        });
        corrections.truncate(kept * n);
        if active.is_empty() || iteration == settings.max_iterations {
            break;
        }
        if space.dimension() + active.len() > settings.subspace_factor * bands {
            space.collapse(&coefficients, &values);
            coefficients = identity(bands);
        }
        for (correction, &band) in corrections.chunks_exact_mut(n).zip(&active) {
            precondition(correction, operator, values[band]);
        }
        let exactness = exactness_for(excess).min(settings.exactness);
        let added = space.extend(operator, corrections, exactness)?;
        if added == 0 {
            // The residuals lie within the space to rounding: nothing more to gain.
            break;
        }
        applications += added;
        (values, coefficients) = lowest(space.solve()?, bands);
    }
    space.v.combine(&coefficients);
    psi.clear();
    psi.extend_from_slice(&space.v.vectors);
    (workspace.v, workspace.hv) = (space.v.vectors, space.hv);
    Some(EigenSolution {
        values,
        projections: space.v.projections,
        applications,
        unconverged: active.len(),
    })
}

fn identity<S: Scalar>(side: usize) -> Vec<S> {
    let mut matrix = vec![S::from_real(0.0); side * side];
    for i in 0..side {
        matrix[i * side + i] = S::from_real(1.0);
    }
    matrix
}

fn lowest<S: Scalar>(
    (mut values, mut vectors): (Vec<f64>, Vec<S>),
    bands: usize,
) -> (Vec<f64>, Vec<S>) {
    let side = values.len();
    values.truncate(bands);
    vectors.truncate(bands * side);
    (values, vectors)
}

/// Fills `out` with `HVc − ε SVc` of the active bands.
fn residuals<S: Scalar>(
    operator: &impl Operator<Scalar = S>,
    space: &Subspace<S>,
    values: &[f64],
    coefficients: &[S],
    active: &[usize],
    out: &mut Vec<S>,
) {
    let m = space.dimension();
    let mut chosen = Vec::with_capacity(active.len() * m);
    let mut scaled = Vec::with_capacity(active.len() * m);
    for &band in active {
        let column = &coefficients[band * m..(band + 1) * m];
        chosen.extend_from_slice(column);
        scaled.extend(column.iter().map(|c| *c * -values[band]));
    }
    // −ε Vc, to which −ε B q B†Vc belongs.
    let overlapped = space.v.combined(&scaled, std::mem::take(out));
    *out = overlapped.vectors;
    if let Some(coefficients) = operator.overlap_coefficients(&overlapped.projections) {
        operator.add_combination(&coefficients, out);
    }
    let threads = space.v.threads;
    product_into(threads, out, true, [&space.hv, &chosen], space.v.n, 1.0);
}

/// Divides by a smooth, positive version of `2 (H_GG − ε S_GG)` and normalises: large plane
/// waves, where the diagonal rules, are solved for; small ones are left as they are.
fn precondition<S: Scalar>(residual: &mut [S], operator: &impl Operator<Scalar = S>, value: f64) {
    Arch::new().dispatch(Precondition {
        residual: &mut *residual,
        diagonal: operator.diagonal(),
        overlap: operator.overlap_diagonal(),
        value,
    });
    let scale = 1.0 / norm2(residual).sqrt().max(f64::MIN_POSITIVE);
    for r in residual {
        *r *= scale;
    }
}

struct Precondition<'a, S> {
    residual: &'a mut [S],
    diagonal: &'a [f64],
    overlap: Option<&'a [f64]>,
    value: f64,
}

impl<S: Scalar> WithSimd for Precondition<'_, S> {
    type Output = ();

    /// One copy of the loops for each instruction set, with the same bits.
    #[inline(always)]
    fn with_simd<I: Simd>(self, _: I) {
        let smooth = |x: f64| 0.5 * (1.0 + x + (1.0 + (x - 1.0) * (x - 1.0)).sqrt());
        let pairs = self.residual.iter_mut().zip(self.diagonal);
        match self.overlap {
            None => {
                for (r, h) in pairs {
                    *r /= smooth(2.0 * (h - self.value));
                }
            }
            Some(overlap) => {
                for ((r, h), s) in pairs.zip(overlap) {
                    *r /= smooth(2.0 * (h - self.value * s));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use rustfft::num_complex::Complex64;

    use super::bordered;
    use crate::linear_algebra::Scalar;

    /// Limit: what a rounded operator leaves of `W†HW` beside its Hermitian part moves no eigenvalue in first
    /// order, on the diagonal either.
    #[test]
    fn only_the_hermitian_part_counts() {
        let number = |re: f64, im: f64| Complex64::new(re, im);
        let old = [number(-1.0, 0.0)];
        let beside = [number(0.1, 0.2), number(0.0, -0.3)];
        let hermitian = [
            number(0.5, 0.0),
            number(0.2, 0.1),
            number(0.2, -0.1),
            number(0.7, 0.0),
        ];
        let rest = [
            number(0.0, 1e-3),
            number(2e-3, -1e-3),
            number(-2e-3, -1e-3),
            number(0.0, -2e-3),
        ];
        let within: Vec<Complex64> = hermitian.iter().zip(rest).map(|(a, b)| a + b).collect();
        let exact = bordered(&old, &beside, &hermitian, 1, 2);
        let found = bordered(&old, &beside, &within, 1, 2);
        for (a, b) in exact.iter().zip(&found) {
            assert!((a - b).norm() < 1e-15, "{a} {b}");
        }
        let (values, _) = Complex64::hermitian_eigen(&found, 3).unwrap();
        assert!((values.iter().sum::<f64>() - 0.2).abs() < 1e-12);
    }
}
