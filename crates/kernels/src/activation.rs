//! The shifted softplus and its derivative.

use std::f32::consts::LN_2;

use pulp::{Arch, Simd, WithSimd};

/// `x ← ln(1 + eˣ) − ln 2`, the activation of MEGNet (softplus shifted to pass through zero).
///
/// Absolute error below 2e-7 · max(1, |x|) in f32.
pub fn softplus2(arch: Arch, x: &mut [f32]) {
    arch.dispatch(Softplus2 { x });
}

/// `grad ← grad · σ(x)`, where `y = softplus2(x)`: the derivative follows from the output,
/// `σ(x) = 1 − exp(−(y + ln 2))`, so no input has to be kept.
///
/// Absolute error of σ below 2e-7.
pub fn softplus2_backward(arch: Arch, y: &[f32], grad: &mut [f32]) {
    assert_eq!(y.len(), grad.len());
    arch.dispatch(Softplus2Backward { y, grad });
}

/// eᶻ for z ≤ 0, relative error below 2e-7; z below −87 gives e⁻⁸⁷ (1.6e-38) instead of a
/// denormal number.
#[inline(always)]
pub fn exp_nonpositive<S: Simd>(simd: S, z: S::f32s) -> S::f32s {
    // Adding 1.5 · 2²³ rounds to an integer and leaves it in the low bits of the sum.
    const ROUND: f32 = 12_582_912.0;
    // ln 2 in two parts, the first exact times any exponent that occurs.
    const LN_2_HIGH: f32 = 0.693_359_4;
    const LN_2_LOW: f32 = -2.121_944_4e-4;
    // (eʳ − 1 − r) / r² on |r| ≤ ln 2 / 2, Chebyshev fit of degree 4, relative error of eʳ 1e-8.
    const TAIL: [f32; 5] = [
        0.5,
        0.166_665_76,
        0.041_666_467,
        0.008_363_182,
        0.001_393_365_2,
    ];

    let z = simd.max_f32s(z, simd.splat_f32s(-87.0));
    let shifted = simd.mul_add_e_f32s(
        z,
        simd.splat_f32s(std::f32::consts::LOG2_E),
        simd.splat_f32s(ROUND),
    );
    let n = simd.sub_f32s(shifted, simd.splat_f32s(ROUND));
    let r = simd.mul_add_e_f32s(n, simd.splat_f32s(-LN_2_HIGH), z);
    let r = simd.mul_add_e_f32s(n, simd.splat_f32s(-LN_2_LOW), r);
    let tail = polynomial(simd, r, &TAIL);
    let one_plus_r = simd.add_f32s(simd.splat_f32s(1.0), r);
    let e = simd.mul_add_e_f32s(simd.mul_f32s(r, r), tail, one_plus_r);
    // 2ⁿ by its exponent bits; the shift drops all of ROUND's own bits but n.
    let bits = simd.wrapping_dyn_shl_u32s(
        simd.add_u32s(simd.transmute_u32s_f32s(shifted), simd.splat_u32s(127)),
        simd.splat_u32s(23),
    );
    simd.mul_f32s(e, simd.transmute_f32s_u32s(bits))
}

/// −|x|, by its sign bit.
///
/// The library's own `abs` and `neg` are not always inlined into code for the machine's vectors,
/// and calling them for every vector costs as much as the rest of an activation.
#[inline(always)]
pub fn minus_abs<S: Simd>(simd: S, x: S::f32s) -> S::f32s {
    simd.or_f32s(x, simd.splat_f32s(-0.0))
}

/// `c₀ + c₁ x + c₂ x² + …`
#[inline(always)]
fn polynomial<S: Simd, const N: usize>(simd: S, x: S::f32s, coefficients: &[f32; N]) -> S::f32s {
    let mut value = simd.splat_f32s(coefficients[N - 1]);
    for &coefficient in coefficients[..N - 1].iter().rev() {
        value = simd.mul_add_e_f32s(value, x, simd.splat_f32s(coefficient));
    }
    value
}

#[inline(always)]
fn softplus2_vector<S: Simd>(simd: S, x: S::f32s) -> S::f32s {
    // ln(1 + t) / t on 0 ≤ t ≤ 1, Chebyshev fit of degree 8, absolute error of ln(1 + t) 2e-8.
    const LN_1P: [f32; 9] = [
        1.0,
        -0.499_995_02,
        0.333_192_7,
        -0.248_443_7,
        0.191_114_3,
        -0.136_747_7,
        0.078_361_67,
        -0.029_588_507,
        0.005_253_458,
    ];
    let t = exp_nonpositive(simd, minus_abs(simd, x));
    let positive = simd.max_f32s(x, simd.splat_f32s(0.0));
    let ln_1p = simd.mul_add_e_f32s(t, polynomial(simd, t, &LN_1P), simd.splat_f32s(-LN_2));
    simd.add_f32s(positive, ln_1p)
}

#[inline(always)]
fn softplus2_slope<S: Simd>(simd: S, y: S::f32s) -> S::f32s {
    let z = simd.sub_f32s(simd.splat_f32s(-LN_2), y);
    // Rounding may leave y a little under −ln 2.
    let z = simd.min_f32s(z, simd.splat_f32s(0.0));
    simd.sub_f32s(simd.splat_f32s(1.0), exp_nonpositive(simd, z))
}

struct Softplus2<'a> {
    x: &'a mut [f32],
}

impl WithSimd for Softplus2<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let (vectors, rest) = S::as_mut_simd_f32s(self.x);
        for x in vectors {
            *x = softplus2_vector(simd, *x);
        }
        if !rest.is_empty() {
            let y = softplus2_vector(simd, simd.partial_load_f32s(rest));
            simd.partial_store_f32s(rest, y);
        }
    }
}

struct Softplus2Backward<'a> {
    y: &'a [f32],
    grad: &'a mut [f32],
}

impl WithSimd for Softplus2Backward<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let (ys, y_rest) = S::as_simd_f32s(self.y);
        let (grads, grad_rest) = S::as_mut_simd_f32s(self.grad);
        for (grad, &y) in grads.iter_mut().zip(ys) {
            *grad = simd.mul_f32s(*grad, softplus2_slope(simd, y));
        }
        if !grad_rest.is_empty() {
            let slope = softplus2_slope(simd, simd.partial_load_f32s(y_rest));
            let grad = simd.mul_f32s(simd.partial_load_f32s(grad_rest), slope);
            simd.partial_store_f32s(grad_rest, grad);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Oracle: the standard library in f64, over the whole range and in its steep part.
    #[test]
    fn softplus2_and_its_slope_keep_the_stated_accuracy() {
        let x: Vec<f32> = (-100_000..100_000)
            .map(|i| i as f32 * 1e-3)
            .chain((-100_000..100_000).map(|i| i as f32 * 1e-5))
            .chain([0.0, -0.0, 1e-30, -1e-30, 88.0, -88.0, 1e4, -1e4])
            .collect();
        for arch in crate::all_architectures() {
            check_accuracy(arch, &x);
        }
    }

    fn check_accuracy(arch: Arch, x: &[f32]) {
        let mut y = x.to_vec();
        softplus2(arch, &mut y);
        let mut slope = vec![1.0; x.len()];
        softplus2_backward(arch, &y, &mut slope);
        for ((&x, &y), &slope) in x.iter().zip(&y).zip(&slope) {
            let wide = f64::from(x);
            let exact = wide.max(0.0) + (-wide.abs()).exp().ln_1p() - std::f64::consts::LN_2;
            let error = (f64::from(y) - exact).abs();
            assert!(
                error < 2e-7 * wide.abs().max(1.0),
                "softplus2({x}) = {y}, not {exact}"
            );
            let exact = 1.0 / (1.0 + (-wide).exp());
            let error = (f64::from(slope) - exact).abs();
            assert!(error < 2e-7, "slope at {x} is {slope}, not {exact}");
        }
    }
}
