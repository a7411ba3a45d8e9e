//! The logistic function and the activation x σ(x).

use pulp::{Arch, Simd, WithSimd};

use crate::{exp_nonpositive, minus_abs};

/// `σ(x) = 1 / (1 + e⁻ˣ)`
#[inline(always)]
pub fn sigmoid<S: Simd>(simd: S, x: S::f32s) -> S::f32s {
    let one = simd.splat_f32s(1.0);
    let t = exp_nonpositive(simd, minus_abs(simd, x));
    let of_positive = simd.div_f32s(one, simd.add_f32s(one, t));
    let negative = simd.less_than_f32s(x, simd.splat_f32s(0.0));
    simd.select_f32s(negative, simd.mul_f32s(t, of_positive), of_positive)
}

/// `out = x σ(x)`
pub fn silu(arch: Arch, x: &[f32], out: &mut [f32]) {
    assert_eq!(x.len(), out.len());
    arch.dispatch(Silu { x, out });
}

/// `grad ← grad · d(x σ(x))/dx = grad · (σ + x σ (1 − σ))`
pub fn silu_backward(arch: Arch, x: &[f32], grad: &mut [f32]) {
    assert_eq!(x.len(), grad.len());
    arch.dispatch(SiluBackward { x, grad });
}

/// The slope of `y = x σ(x)`, by σ(x) and y.
#[inline(always)]
pub fn silu_slope<S: Simd>(simd: S, sigmoid: S::f32s, y: S::f32s) -> S::f32s {
    let rest = simd.sub_f32s(simd.splat_f32s(1.0), sigmoid);
    simd.mul_add_e_f32s(y, rest, sigmoid)
}

struct Silu<'a> {
    x: &'a [f32],
    out: &'a mut [f32],
}

impl WithSimd for Silu<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let (xs, x_rest) = S::as_simd_f32s(self.x);
        let (outs, out_rest) = S::as_mut_simd_f32s(self.out);
        for (&x, out) in xs.iter().zip(outs) {
            *out = simd.mul_f32s(x, sigmoid(simd, x));
        }
        if !x_rest.is_empty() {
            let x = simd.partial_load_f32s(x_rest);
            simd.partial_store_f32s(out_rest, simd.mul_f32s(x, sigmoid(simd, x)));
        }
    }
}

struct SiluBackward<'a> {
    x: &'a [f32],
    grad: &'a mut [f32],
}

impl WithSimd for SiluBackward<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let slope = |x: S::f32s| {
            let s = sigmoid(simd, x);
            silu_slope(simd, s, simd.mul_f32s(x, s))
        };
        let (xs, x_rest) = S::as_simd_f32s(self.x);
        let (grads, grad_rest) = S::as_mut_simd_f32s(self.grad);
        for (&x, grad) in xs.iter().zip(grads) {
            *grad = simd.mul_f32s(*grad, slope(x));
        }
        if !x_rest.is_empty() {
            let grad = simd.partial_load_f32s(grad_rest);
            let grad = simd.mul_f32s(grad, slope(simd.partial_load_f32s(x_rest)));
            simd.partial_store_f32s(grad_rest, grad);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Oracle: the standard library in f64; a length that no vector divides.
    #[test]
    fn silu_and_its_slope_are_exact_to_rounding() {
        let x: Vec<f32> = (-9001..9002).map(|i| i as f32 * 1e-2).collect();
        for arch in crate::all_architectures() {
            let mut y = vec![0.0; x.len()];
            silu(arch, &x, &mut y);
            let mut slope = vec![1.0; x.len()];
            silu_backward(arch, &x, &mut slope);
            for ((&x, &y), &slope) in x.iter().zip(&y).zip(&slope) {
                let wide = f64::from(x);
                let s = 1.0 / (1.0 + (-wide).exp());
                let tolerance = 3e-7 * wide.abs().max(1.0);
                assert!((f64::from(y) - wide * s).abs() < tolerance, "{x}");
                let exact = s + wide * s * (1.0 - s);
                assert!((f64::from(slope) - exact).abs() < 1e-6, "{x}");
            }
        }
    }
}
