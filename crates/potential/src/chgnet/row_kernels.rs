//! The vectorised row loops of CHGNet's gated perceptrons.
//!
//! Rows of a perceptron hold core and gate side by side, 64 numbers each.

use crystalgym_kernels::{Gather, sigmoid, silu_slope};
use pulp::{Arch, Simd, WithSimd};

/// Features of an atom, a bond or an angle.
pub(crate) const WIDTH: usize = 64;
/// Core and gate of a row side by side.
pub(crate) const PAIR: usize = 2 * WIDTH;
/// Added to the variance in a layer norm.
const NORM_EPSILON: f32 = 1e-5;

/// `out[i, :] += Σ_t table_t[index_t[i], :]`, rows of [`PAIR`].
pub(super) fn gather_add<const N: usize>(arch: Arch, tables: [Gather<'_>; N], out: &mut [f32]) {
    struct Kernel<'a, const N: usize>([Gather<'a>; N], &'a mut [f32]);
    impl<const N: usize> WithSimd for Kernel<'_, N> {
        type Output = ();
        #[inline(always)]
        fn with_simd<S: Simd>(self, simd: S) {
            for (i, out) in self.1.chunks_exact_mut(PAIR).enumerate() {
                let rows = self
                    .0
                    .map(|t| S::as_simd_f32s(row(t.table, t.index[i], PAIR)).0);
                for (j, out) in S::as_mut_simd_f32s(out).0.iter_mut().enumerate() {
                    for row in rows {
                        *out = simd.add_f32s(*out, row[j]);
                    }
                }
            }
        }
    }
    arch.dispatch(Kernel(tables, out));
}

/// `out[i, :] = Π_t table_t[index_t[i], :]`, rows of [`WIDTH`].
pub(super) fn gather_product<const N: usize>(arch: Arch, tables: [Gather<'_>; N], out: &mut [f32]) {
    struct Kernel<'a, const N: usize>([Gather<'a>; N], &'a mut [f32]);
    impl<const N: usize> WithSimd for Kernel<'_, N> {
        type Output = ();
        #[inline(always)]
        fn with_simd<S: Simd>(self, simd: S) {
            for (i, out) in self.1.chunks_exact_mut(WIDTH).enumerate() {
                let rows = self
                    .0
                    .map(|t| S::as_simd_f32s(row(t.table, t.index[i], WIDTH)).0);
                for (j, out) in S::as_mut_simd_f32s(out).0.iter_mut().enumerate() {
                    let mut product = rows[0][j];
                    for row in &rows[1..] {
                        product = simd.mul_f32s(product, row[j]);
                    }
                    *out = product;
                }
            }
        }
    }
    arch.dispatch(Kernel(tables, out));
}

/// `out[target[i], :] += x[i, :] · Π_t table_t[index_t[i], :]`, rows of [`WIDTH`].
pub(super) fn scatter_product<const N: usize>(
    arch: Arch,
    x: &[f32],
    tables: [Gather<'_>; N],
    target: &[u32],
    out: &mut [f32],
) {
    struct Kernel<'a, const N: usize> {
        x: &'a [f32],
        tables: [Gather<'a>; N],
        target: &'a [u32],
        out: &'a mut [f32],
    }
    impl<const N: usize> WithSimd for Kernel<'_, N> {
        type Output = ();
        #[inline(always)]
        fn with_simd<S: Simd>(self, simd: S) {
            for (i, (x, &target)) in self.x.chunks_exact(WIDTH).zip(self.target).enumerate() {
                let rows = self
                    .tables
                    .map(|t| S::as_simd_f32s(row(t.table, t.index[i], WIDTH)).0);
                let start = target as usize * WIDTH;
                let out = S::as_mut_simd_f32s(&mut self.out[start..start + WIDTH]).0;
                for (j, (&x, out)) in S::as_simd_f32s(x).0.iter().zip(out).enumerate() {
                    let mut product = x;
                    for row in rows {
                        product = simd.mul_f32s(product, row[j]);
                    }
                    *out = simd.add_f32s(*out, product);
                }
            }
        }
    }
    arch.dispatch(Kernel {
        x,
        tables,
        target,
        out,
    });
}

#[inline(always)]
fn row(table: &[f32], index: u32, width: usize) -> &[f32] {
    &table[index as usize * width..][..width]
}

/// Mean of a row and one over the root of its variance.
#[inline(always)]
fn moments<S: Simd>(simd: S, row: &[S::f32s]) -> (S::f32s, S::f32s) {
    let mut sum = simd.splat_f32s(0.0);
    for &x in row {
        sum = simd.add_f32s(sum, x);
    }
    let mean = simd.splat_f32s(simd.reduce_sum_f32s(sum) / WIDTH as f32);
    let mut squares = simd.splat_f32s(0.0);
    for &x in row {
        let d = simd.sub_f32s(x, mean);
        squares = simd.mul_add_e_f32s(d, d, squares);
    }
    let variance = simd.reduce_sum_f32s(squares) / WIDTH as f32;
    (
        mean,
        simd.splat_f32s(1.0 / (variance + NORM_EPSILON).sqrt()),
    )
}

/// `y = γ x̂ + β` of a vector of a row.
#[inline(always)]
fn normalised<S: Simd>(simd: S, x: S::f32s, (mean, inverse): (S::f32s, S::f32s)) -> S::f32s {
    simd.mul_f32s(simd.sub_f32s(x, mean), inverse)
}

/// Layer norm of rows of [`WIDTH`]: `out = γ (x − mean) / √(variance + 1e-5) + β`.
pub(super) fn layer_norm(arch: Arch, x: &[f32], scale: &[f32], shift: &[f32], out: &mut [f32]) {
    struct Kernel<'a> {
        x: &'a [f32],
        scale: &'a [f32],
        shift: &'a [f32],
        out: &'a mut [f32],
    }
    impl WithSimd for Kernel<'_> {
        type Output = ();
        #[inline(always)]
        fn with_simd<S: Simd>(self, simd: S) {
            let (scale, shift) = (S::as_simd_f32s(self.scale).0, S::as_simd_f32s(self.shift).0);
            let rows = self.x.chunks_exact(WIDTH);
            for (x, out) in rows.zip(self.out.chunks_exact_mut(WIDTH)) {
                let x = S::as_simd_f32s(x).0;
                let of_row = moments(simd, x);
                let out = S::as_mut_simd_f32s(out).0;
                for (j, out) in out.iter_mut().enumerate() {
                    *out = simd.mul_add_e_f32s(normalised(simd, x[j], of_row), scale[j], shift[j]);
                }
            }
        }
    }
    arch.dispatch(Kernel {
        x,
        scale,
        shift,
        out,
    });
}

/// The reverse of [`layer_norm`]: `grad` is the gradient of `out` before, of `x` after.
pub(super) fn layer_norm_backward(arch: Arch, x: &[f32], scale: &[f32], grad: &mut [f32]) {
    struct Kernel<'a> {
        x: &'a [f32],
        scale: &'a [f32],
        grad: &'a mut [f32],
    }
    impl WithSimd for Kernel<'_> {
        type Output = ();
        #[inline(always)]
        fn with_simd<S: Simd>(self, simd: S) {
            let scale = S::as_simd_f32s(self.scale).0;
            let rows = self.x.chunks_exact(WIDTH);
            for (x, grad) in rows.zip(self.grad.chunks_exact_mut(WIDTH)) {
                let x = S::as_simd_f32s(x).0;
                let grad = S::as_mut_simd_f32s(grad).0;
                for (grad, &scale) in grad.iter_mut().zip(scale) {
                    *grad = simd.mul_f32s(*grad, scale);
                }
                norm_backward(simd, x, moments(simd, x), grad);
            }
        }
    }
    arch.dispatch(Kernel { x, scale, grad });
}

/// From the gradient of x̂ to that of x, `(g − ⟨g⟩ − x̂ ⟨g x̂⟩) / √(variance + ε)`.
#[inline(always)]
fn norm_backward<S: Simd>(
    simd: S,
    x: &[S::f32s],
    of_row: (S::f32s, S::f32s),
    grad: &mut [S::f32s],
) {
    let mut sum = simd.splat_f32s(0.0);
    let mut along = simd.splat_f32s(0.0);
    for (&x, &grad) in x.iter().zip(&*grad) {
        sum = simd.add_f32s(sum, grad);
        along = simd.mul_add_e_f32s(grad, normalised(simd, x, of_row), along);
    }
    let mean = simd.splat_f32s(simd.reduce_sum_f32s(sum) / WIDTH as f32);
    let along = simd.splat_f32s(simd.reduce_sum_f32s(along) / WIDTH as f32);
    for (&x, grad) in x.iter().zip(grad) {
        let moved = simd.sub_f32s(*grad, mean);
        let along = simd.mul_f32s(normalised(simd, x, of_row), along);
        *grad = simd.mul_f32s(simd.sub_f32s(moved, along), of_row.1);
    }
}

/// Scale and shift of the two layer norms of a gated perceptron, core and gate side by side.
#[derive(Clone, Copy)]
pub(super) struct Norms<'a> {
    pub(super) scale: &'a [f32],
    pub(super) shift: &'a [f32],
}

/// `out = SiLU(LN₁(z_core)) · σ(LN₂(z_gate))` for rows `z` of [`PAIR`], `out` of [`WIDTH`].
pub(super) fn gate(arch: Arch, z: &[f32], norms: Norms<'_>, out: &mut [f32]) {
    struct Kernel<'a> {
        z: &'a [f32],
        norms: Norms<'a>,
        out: &'a mut [f32],
    }
    impl WithSimd for Kernel<'_> {
        type Output = ();
        #[inline(always)]
        fn with_simd<S: Simd>(self, simd: S) {
            let scale = S::as_simd_f32s(self.norms.scale)
                .0
                .split_at(WIDTH / S::F32_LANES);
            let shift = S::as_simd_f32s(self.norms.shift)
                .0
                .split_at(WIDTH / S::F32_LANES);
            let rows = self.z.chunks_exact(PAIR);
            for (z, out) in rows.zip(self.out.chunks_exact_mut(WIDTH)) {
                let (core, gate) = S::as_simd_f32s(z).0.split_at(WIDTH / S::F32_LANES);
                let (of_core, of_gate) = (moments(simd, core), moments(simd, gate));
                for (j, out) in S::as_mut_simd_f32s(out).0.iter_mut().enumerate() {
                    let y = normalised(simd, core[j], of_core);
                    let y = simd.mul_add_e_f32s(y, scale.0[j], shift.0[j]);
                    let g = normalised(simd, gate[j], of_gate);
                    let g = simd.mul_add_e_f32s(g, scale.1[j], shift.1[j]);
                    let silu = simd.mul_f32s(y, sigmoid(simd, y));
                    *out = simd.mul_f32s(silu, sigmoid(simd, g));
                }
            }
        }
    }
    arch.dispatch(Kernel { z, norms, out });
}

/// The reverse of [`gate`]: from the gradient `grad` of its output to that of `z`. `out` is written
/// again.
pub(super) fn gate_backward(
    arch: Arch,
    z: &[f32],
    norms: Norms<'_>,
    grad: &[f32],
    out: &mut [f32],
    grad_z: &mut [f32],
) {
    struct Kernel<'a> {
        z: &'a [f32],
        norms: Norms<'a>,
        grad: &'a [f32],
        out: &'a mut [f32],
        grad_z: &'a mut [f32],
    }
    impl WithSimd for Kernel<'_> {
        type Output = ();
        #[inline(always)]
        fn with_simd<S: Simd>(self, simd: S) {
            let half = WIDTH / S::F32_LANES;
            let one = simd.splat_f32s(1.0);
            let scale = S::as_simd_f32s(self.norms.scale).0.split_at(half);
            let shift = S::as_simd_f32s(self.norms.shift).0.split_at(half);
            let rows = self
                .z
                .chunks_exact(PAIR)
                .zip(self.grad.chunks_exact(WIDTH))
                .zip(self.out.chunks_exact_mut(WIDTH))
                .zip(self.grad_z.chunks_exact_mut(PAIR));
            for (((z, grad), out), grad_z) in rows {
                let (core, gate) = S::as_simd_f32s(z).0.split_at(half);
                let (grad_core, grad_gate) = S::as_mut_simd_f32s(grad_z).0.split_at_mut(half);
                let grad = S::as_simd_f32s(grad).0;
                let (of_core, of_gate) = (moments(simd, core), moments(simd, gate));
                for (j, out) in S::as_mut_simd_f32s(out).0.iter_mut().enumerate() {
                    let y = normalised(simd, core[j], of_core);
                    let y = simd.mul_add_e_f32s(y, scale.0[j], shift.0[j]);
                    let g = normalised(simd, gate[j], of_gate);
                    let g = simd.mul_add_e_f32s(g, scale.1[j], shift.1[j]);
                    let s = sigmoid(simd, y);
                    let silu = simd.mul_f32s(y, s);
                    let open = sigmoid(simd, g);
                    let value = simd.mul_f32s(silu, open);
                    *out = value;
                    let by_core = simd.mul_f32s(open, silu_slope(simd, s, silu));
                    let by_gate = simd.mul_f32s(value, simd.sub_f32s(one, open));
                    let grad_y = simd.mul_f32s(grad[j], by_core);
                    let grad_g = simd.mul_f32s(grad[j], by_gate);
                    grad_core[j] = simd.mul_f32s(grad_y, scale.0[j]);
                    grad_gate[j] = simd.mul_f32s(grad_g, scale.1[j]);
                }
                norm_backward(simd, core, of_core, grad_core);
                norm_backward(simd, gate, of_gate, grad_gate);
            }
        }
    }
    arch.dispatch(Kernel {
        z,
        norms,
        grad,
        out,
        grad_z,
    });
}
