//! Block Davidson iteration (E. R. Davidson, J. Comput. Phys. 17, 87 (1975)).

use super::Operator;
use crate::linear_algebra::{Scalar, norm2, orthonormalize_against};

/// When to stop.
#[derive(Debug, Clone)]
pub(crate) struct DavidsonSettings<'a> {
    /// Number of bands that are sought.
    pub(crate) bands: usize,
    /// Largest `|Hψ − εψ|²` of each band, in hartree²: about the error of its eigenvalue times
    /// the distance to the next one. Infinite for bands that are only to come along.
    pub(crate) residual2_limits: &'a [f64],
    /// Largest number of times that the subspace is extended.
    pub(crate) max_iterations: usize,
    /// Size of the subspace in units of the number of bands, before it is collapsed.
    pub(crate) subspace_factor: usize,
}

/// What the iteration found.
#[derive(Debug, Clone)]
pub(crate) struct EigenSolution {
    /// Eigenvalues in hartree, ascending.
    pub(crate) values: Vec<f64>,
    /// Vectors that H was applied to.
    pub(crate) applications: usize,
    /// Bands whose residual stayed above its limit.
    pub(crate) unconverged: usize,
}

/// The space in which the eigenvectors are sought.
struct Subspace<S> {
    n: usize,
    /// Basis vectors, orthonormal in S, and H and S applied to them, as columns; `sv` is `None`
    /// where S is the identity.
    v: Vec<S>,
    hv: Vec<S>,
    sv: Option<Vec<S>>,
    /// `V†HV`, column by column.
    h: Vec<S>,
}

impl<S: Scalar> Subspace<S> {
    fn dimension(&self) -> usize {
        self.v.len() / self.n
    }

    /// `S V`
    fn overlapped(&self) -> &[S] {
        self.sv.as_deref().unwrap_or(&self.v)
    }

    /// Adds what is new in the columns of `block` to the basis; returns how many vectors that
    /// were, or `None` if the linear algebra breaks down.
    fn extend(
        &mut self,
        operator: &mut impl Operator<Scalar = S>,
        mut block: Vec<S>,
    ) -> Option<usize> {
        let mut s_block = operator.apply_overlap(&block);
        let s_basis = self.overlapped();
        orthonormalize_against(&self.v, s_basis, &mut block, s_block.as_mut(), self.n)?;
        let old = self.dimension();
        let added = block.len() / self.n;
        self.v.extend_from_slice(&block);
        if let Some(s_block) = s_block {
            let room = self.v.capacity();
            let sv = self.sv.get_or_insert_with(|| Vec::with_capacity(room));
            sv.extend_from_slice(&s_block);
        }
        let start = self.hv.len();
        self.hv.resize(start + block.len(), S::from_real(0.0));
        operator.apply(&block, &mut self.hv[start..]);
        let new_h = S::adjoint_product(&self.v, &self.hv[start..], self.n);
        self.h = bordered(&self.h, &new_h, old, added);
        Some(added)
    }

    /// Replaces the basis by the combinations `coefficients`, which are eigenvectors.
    fn collapse(&mut self, coefficients: &[S], values: &[f64]) {
        let bands = values.len();
        let mut combined = vec![S::from_real(0.0); bands * self.n];
        for columns in [&mut self.v, &mut self.hv].into_iter().chain(&mut self.sv) {
            S::product_into(&mut combined, false, columns, coefficients, self.n, 1.0);
            columns.clear();
            columns.extend_from_slice(&combined);
        }
        self.h = vec![S::from_real(0.0); bands * bands];
        for (band, &value) in values.iter().enumerate() {
            self.h[band * bands + band] = S::from_real(value);
        }
    }

    fn solve(&self) -> Option<(Vec<f64>, Vec<S>)> {
        S::hermitian_eigen(&self.h, self.dimension())
    }
}

/// A Hermitian matrix of side `old` extended by the columns `added` (of full height).
fn bordered<S: Scalar>(matrix: &[S], added: &[S], old: usize, count: usize) -> Vec<S> {
    let side = old + count;
    let mut result = vec![S::from_real(0.0); side * side];
    for j in 0..old {
        result[j * side..j * side + old].copy_from_slice(&matrix[j * old..(j + 1) * old]);
    }
    for j in 0..count {
        for i in 0..side {
            let value = added[j * side + i];
            result[(old + j) * side + i] = value;
            if i < old {
                result[i * side + old + j] = value.conjugate();
            }
        }
    }
    result
}

/// Improves the lowest bands in the span of `psi`, at least as many vectors, until their residuals
/// are small; on return `psi` holds these bands, orthonormal in S.
///
/// `None` if the linear algebra breaks down: the vectors given are linearly dependent, or not
/// finite.
pub(crate) fn davidson<S: Scalar>(
    operator: &mut impl Operator<Scalar = S>,
    psi: &mut Vec<S>,
    settings: &DavidsonSettings<'_>,
) -> Option<EigenSolution> {
    let n = operator.len();
    let bands = settings.bands;
    let room = psi.len().max(settings.subspace_factor * bands * n);
    let mut space = Subspace {
        n,
        v: Vec::with_capacity(room),
        hv: Vec::with_capacity(room),
        sv: None,
        h: Vec::new(),
    };
    let mut applications = space.extend(operator, std::mem::take(psi))?;
    if applications < bands {
        return None;
    }
    let limits = settings.residual2_limits;
    let mut active: Vec<usize> = (0..bands)
        .filter(|&band| limits[band].is_finite())
        .collect();
    let (mut values, mut coefficients) = lowest(space.solve()?, bands);

    for iteration in 0.. {
        let mut corrections = residuals(&space, &values, &coefficients, &active);
        let mut kept = 0;
        active = active
            .iter()
            .enumerate()
            .filter_map(|(column, &band)| {
                let residual2 = norm2(&corrections[column * n..(column + 1) * n]);
                let converged = residual2 <= limits[band];
                if !converged {
                    corrections.copy_within(column * n..(column + 1) * n, kept * n);
                    kept += 1;
                }
                (!converged).then_some(band)
            })
            .collect();
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
        let added = space.extend(operator, corrections)?;
        if added == 0 {
            // The residuals lie within the space to rounding: nothing more to gain.
            break;
        }
        applications += added;
        (values, coefficients) = lowest(space.solve()?, bands);
    }
    psi.resize(bands * n, S::from_real(0.0));
    S::product_into(psi, false, &space.v, &coefficients, n, 1.0);
    Some(EigenSolution {
        values,
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

/// `HVc − ε SVc` of the active bands.
fn residuals<S: Scalar>(
    space: &Subspace<S>,
    values: &[f64],
    coefficients: &[S],
    active: &[usize],
) -> Vec<S> {
    let m = space.dimension();
    let mut chosen = Vec::with_capacity(active.len() * m);
    let mut scaled = Vec::with_capacity(active.len() * m);
    for &band in active {
        let column = &coefficients[band * m..(band + 1) * m];
        chosen.extend_from_slice(column);
        scaled.extend(column.iter().map(|c| *c * values[band]));
    }
    let mut residuals = vec![S::from_real(0.0); active.len() * space.n];
    S::product_into(&mut residuals, false, &space.hv, &chosen, space.n, 1.0);
    let overlapped = space.overlapped();
    S::product_into(&mut residuals, true, overlapped, &scaled, space.n, -1.0);
    residuals
}

/// Divides by a smooth, positive version of `2 (H_GG − ε S_GG)` and normalises: large plane
/// waves, where the diagonal rules, are solved for; small ones are left as they are.
fn precondition<S: Scalar>(residual: &mut [S], operator: &impl Operator<Scalar = S>, value: f64) {
    let smooth = |x: f64| 0.5 * (1.0 + x + (1.0 + (x - 1.0) * (x - 1.0)).sqrt());
    let diagonal = operator.diagonal();
    match operator.overlap_diagonal() {
        None => {
            for (r, h) in residual.iter_mut().zip(diagonal) {
                *r /= smooth(2.0 * (h - value));
            }
        }
        Some(overlap) => {
            for ((r, h), s) in residual.iter_mut().zip(diagonal).zip(overlap) {
                *r /= smooth(2.0 * (h - value * s));
            }
        }
    }
    let scale = 1.0 / norm2(residual).sqrt().max(f64::MIN_POSITIVE);
    for r in residual {
        *r *= scale;
    }
}
