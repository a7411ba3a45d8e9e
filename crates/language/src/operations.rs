//! The operations of a Llama model on rows of numbers, with their derivatives.

use crystalgym_kernels::{exp_nonpositive, minus_abs};
use faer::{Accum, MatMut, MatRef, Par, linalg::matmul::matmul};
use pulp::{Arch, Simd, WithSimd};

/// Which operands of a product are transposed; all are row-major.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(non_camel_case_types, reason = "formulas, not words")]
pub(crate) enum Layout {
    /// `A (m×k) · B (k×n)`.
    AB,
    /// `A (m×k) · Bᵀ`, B being n×k.
    AB_T,
    /// `Aᵀ · B (k×n)`, A being k×m.
    A_TB,
}

/// `c (m×n) = factor · a · b`, added to what `c` holds if `add`; `sizes` are (m, k, n).
pub(crate) fn product(
    layout: Layout,
    sizes: (usize, usize, usize),
    a: &[f32],
    b: &[f32],
    factor: f32,
    add: bool,
    c: &mut [f32],
) {
    let (m, k, n) = sizes;
    let strides = match layout {
        Layout::AB => (k, n, n),
        Layout::AB_T => (k, k, n),
        Layout::A_TB => (m, n, n),
    };
    product_strided(
        layout,
        sizes,
        (a, strides.0),
        (b, strides.1),
        factor,
        add,
        (c, strides.2),
    );
}

/// As [`product`], of matrices whose rows lie further apart: each comes with the distance.
pub(crate) fn product_strided(
    layout: Layout,
    (m, k, n): (usize, usize, usize),
    (a, a_stride): (&[f32], usize),
    (b, b_stride): (&[f32], usize),
    factor: f32,
    add: bool,
    (c, c_stride): (&mut [f32], usize),
) {
    if m == 0 || n == 0 {
        return;
    }
    let view = |data, rows, columns, stride| {
        MatRef::from_row_major_slice_with_stride(data, rows, columns, stride)
    };
    let (a, b) = match layout {
        Layout::AB => (view(a, m, k, a_stride), view(b, k, n, b_stride)),
        Layout::AB_T => (view(a, m, k, a_stride), view(b, n, k, b_stride).transpose()),
        Layout::A_TB => (view(a, k, m, a_stride).transpose(), view(b, k, n, b_stride)),
    };
    // The row-major constructor of faer 0.24 takes its stride for that of columns, and writes outside.
    let c = MatMut::from_column_major_slice_with_stride_mut(c, n, m, c_stride).transpose_mut();
    let start = if add { Accum::Add } else { Accum::Replace };
    matmul(c, start, a, b, factor, Par::Seq);
}

/// `Σ a b` in 32 interleaved sums.
#[inline(always)]
pub(crate) fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut sums = [0.0_f32; 32];
    let (a_chunks, a_rest) = a.as_chunks::<32>();
    let (b_chunks, b_rest) = b.as_chunks::<32>();
    for (a, b) in a_chunks.iter().zip(b_chunks) {
        for ((sum, a), b) in sums.iter_mut().zip(a).zip(b) {
            *sum += a * b;
        }
    }
    let rest: f32 = a_rest.iter().zip(b_rest).map(|(a, b)| a * b).sum();
    sums.iter().sum::<f32>() + rest
}

/// `y = w ∘ x / √(mean(x²) + ε)` for each row (Zhang and Sennrich 2019); `inverse` keeps
/// `1/√(…)` of each row.
pub(crate) fn rms_norm(
    width: usize,
    epsilon: f32,
    w: &[f32],
    x: &[f32],
    y: &mut [f32],
    inverse: &mut [f32],
) {
    Arch::new().dispatch(
        #[inline(always)]
        || {
            let rows = x.chunks_exact(width).zip(y.chunks_exact_mut(width));
            for ((x, y), inverse) in rows.zip(inverse) {
                *inverse = 1.0 / (dot(x, x) / width as f32 + epsilon).sqrt();
                for ((y, x), w) in y.iter_mut().zip(x).zip(w) {
                    *y = w * (x * *inverse);
                }
            }
        },
    );
}

/// The derivative of [`rms_norm`]: adds `r (w∘g) − x r³ (Σ w g x) / width` to `dx`, and `Σ g x r` to
/// the weights' gradient where there is one.
pub(crate) fn rms_norm_backward(
    width: usize,
    (w, x, inverse): (&[f32], &[f32], &[f32]),
    g: &[f32],
    dx: &mut [f32],
    mut dw: Option<&mut [f32]>,
) {
    Arch::new().dispatch(
        #[inline(always)]
        || {
            let mut weighted = vec![0.0; width];
            let rows = x.chunks_exact(width).zip(g.chunks_exact(width));
            for (((x, g), &r), dx) in rows.zip(inverse).zip(dx.chunks_exact_mut(width)) {
                for ((weighted, w), g) in weighted.iter_mut().zip(w).zip(g) {
                    *weighted = w * g;
                }
                let shrink = dot(&weighted, x) * r * r * r / width as f32;
                for ((dx, weighted), x) in dx.iter_mut().zip(&weighted).zip(x) {
                    *dx += r * weighted - shrink * x;
                }
                if let Some(dw) = dw.as_deref_mut() {
                    for ((dw, g), x) in dw.iter_mut().zip(g).zip(x) {
                        *dw += g * (x * r);
                    }
                }
            }
        },
    );
}

/// `out = silu(gate) ∘ up`, `silu(x) = x σ(x)` (SwiGLU, Shazeer 2020).
pub(crate) fn swiglu(gate: &[f32], up: &[f32], out: &mut [f32]) {
    struct Kernel<'a>(&'a [f32], &'a [f32], &'a mut [f32]);
    impl WithSimd for Kernel<'_> {
        type Output = ();
        #[inline(always)]
        fn with_simd<S: Simd>(self, simd: S) {
            let (gates, gate) = S::as_simd_f32s(self.0);
            let (ups, up) = S::as_simd_f32s(self.1);
            let (outs, out) = S::as_mut_simd_f32s(self.2);
            for ((out, &gate), &up) in outs.iter_mut().zip(gates).zip(ups) {
                let sigmoid = sigmoid(simd, gate);
                *out = simd.mul_f32s(simd.mul_f32s(gate, sigmoid), up);
            }
            if !out.is_empty() {
                let (gate, up) = (simd.partial_load_f32s(gate), simd.partial_load_f32s(up));
                let value = simd.mul_f32s(simd.mul_f32s(gate, sigmoid(simd, gate)), up);
                simd.partial_store_f32s(out, value);
            }
        }
    }
    Arch::new().dispatch(Kernel(gate, up, out));
}

/// The derivative of [`swiglu`]; `gate` and `up` become their gradients:
/// `g u σ (1 + x (1 − σ))` and `g x σ`.
pub(crate) fn swiglu_backward(gate: &mut [f32], up: &mut [f32], g: &[f32]) {
    struct Kernel<'a>(&'a mut [f32], &'a mut [f32], &'a [f32]);
    #[inline(always)]
    fn slopes<S: Simd>(simd: S, x: S::f32s, u: S::f32s, g: S::f32s) -> (S::f32s, S::f32s) {
        let one = simd.splat_f32s(1.0);
        let s = sigmoid(simd, x);
        let bend = simd.mul_add_e_f32s(x, simd.sub_f32s(one, s), one);
        let gs = simd.mul_f32s(g, s);
        (
            simd.mul_f32s(simd.mul_f32s(gs, u), bend),
            simd.mul_f32s(gs, x),
        )
    }
    impl WithSimd for Kernel<'_> {
        type Output = ();
        #[inline(always)]
        fn with_simd<S: Simd>(self, simd: S) {
            let (gates, gate) = S::as_mut_simd_f32s(self.0);
            let (ups, up) = S::as_mut_simd_f32s(self.1);
            let (gs, g) = S::as_simd_f32s(self.2);
            for ((gate, up), &g) in gates.iter_mut().zip(ups).zip(gs) {
                (*gate, *up) = slopes(simd, *gate, *up, g);
            }
            if !g.is_empty() {
                let (x, u) = (simd.partial_load_f32s(gate), simd.partial_load_f32s(up));
                let (dx, du) = slopes(simd, x, u, simd.partial_load_f32s(g));
                simd.partial_store_f32s(gate, dx);
                simd.partial_store_f32s(up, du);
            }
        }
    }
    Arch::new().dispatch(Kernel(gate, up, g));
}

/// `1 / (1 + e⁻ˣ)` without overflow.
#[inline(always)]
fn sigmoid<S: Simd>(simd: S, x: S::f32s) -> S::f32s {
    let one = simd.splat_f32s(1.0);
    let e = exp_nonpositive(simd, minus_abs(simd, x));
    let small = simd.div_f32s(e, simd.add_f32s(one, e));
    let negative = simd.less_than_f32s(x, simd.splat_f32s(0.0));
    simd.select_f32s(negative, small, simd.sub_f32s(one, small))
}

/// `x ← eˣ⁻ᵐᵃˣ / Σ`, in place; returns ln Σ eˣ.
pub(crate) fn softmax(x: &mut [f32]) -> f64 {
    struct Kernel<'a>(&'a mut [f32], f32);
    impl WithSimd for Kernel<'_> {
        type Output = ();
        #[inline(always)]
        fn with_simd<S: Simd>(self, simd: S) {
            let largest = simd.splat_f32s(self.1);
            let (vectors, rest) = S::as_mut_simd_f32s(self.0);
            for x in vectors {
                *x = exp_nonpositive(simd, simd.sub_f32s(*x, largest));
            }
            if !rest.is_empty() {
                let x = simd.sub_f32s(simd.partial_load_f32s(rest), largest);
                // What a partial load fills in may lie above the largest.
                let x = simd.min_f32s(x, simd.splat_f32s(0.0));
                simd.partial_store_f32s(rest, exp_nonpositive(simd, x));
            }
        }
    }
    let largest = x.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    Arch::new().dispatch(Kernel(x, largest));
    let sum: f64 = x.iter().map(|&e| f64::from(e)).sum();
    let inverse = (1.0 / sum) as f32;
    x.iter_mut().for_each(|x| *x *= inverse);
    f64::from(largest) + sum.ln()
}
