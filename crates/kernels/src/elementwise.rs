//! Sums over whole buffers and the parameter updates.

use pulp::{Arch, Simd, WithSimd};

/// `out = a + b`
pub fn add(arch: Arch, a: &[f32], b: &[f32], out: &mut [f32]) {
    struct Kernel<'a>(&'a [f32], &'a [f32], &'a mut [f32]);
    impl WithSimd for Kernel<'_> {
        type Output = ();
        #[inline(always)]
        fn with_simd<S: Simd>(self, _: S) {
            for ((out, &a), &b) in self.2.iter_mut().zip(self.0).zip(self.1) {
                *out = a + b;
            }
        }
    }
    arch.dispatch(Kernel(a, b, out));
}

/// `out += a`
pub fn add_assign(arch: Arch, a: &[f32], out: &mut [f32]) {
    struct Kernel<'a>(&'a [f32], &'a mut [f32]);
    impl WithSimd for Kernel<'_> {
        type Output = ();
        #[inline(always)]
        fn with_simd<S: Simd>(self, _: S) {
            for (out, &a) in self.1.iter_mut().zip(self.0) {
                *out += a;
            }
        }
    }
    arch.dispatch(Kernel(a, out));
}

/// `out[j] += Σ_i rows[i, j]`, in the order of i.
pub fn sum_rows(arch: Arch, rows: &[f32], out: &mut [f32]) {
    struct Kernel<'a>(&'a [f32], &'a mut [f32]);
    impl WithSimd for Kernel<'_> {
        type Output = ();
        #[inline(always)]
        fn with_simd<S: Simd>(self, _: S) {
            for row in self.0.chunks_exact(self.1.len()) {
                for (out, &x) in self.1.iter_mut().zip(row) {
                    *out += x;
                }
            }
        }
    }
    if !out.is_empty() {
        arch.dispatch(Kernel(rows, out));
    }
}

/// `x *= factor`
pub fn scale(arch: Arch, factor: f32, x: &mut [f32]) {
    struct Kernel<'a>(f32, &'a mut [f32]);
    impl WithSimd for Kernel<'_> {
        type Output = ();
        #[inline(always)]
        fn with_simd<S: Simd>(self, _: S) {
            for x in self.1 {
                *x *= self.0;
            }
        }
    }
    arch.dispatch(Kernel(factor, x));
}

/// `out = out + rate · (from − out)`
pub fn blend(arch: Arch, rate: f32, from: &[f32], out: &mut [f32]) {
    struct Kernel<'a>(f32, &'a [f32], &'a mut [f32]);
    impl WithSimd for Kernel<'_> {
        type Output = ();
        #[inline(always)]
        fn with_simd<S: Simd>(self, _: S) {
            for (out, &from) in self.2.iter_mut().zip(self.1) {
                *out += self.0 * (from - *out);
            }
        }
    }
    arch.dispatch(Kernel(rate, from, out));
}

/// `Σ x²`, summed in f64 in sixteen interleaved lanes.
pub fn squared_norm(arch: Arch, x: &[f32]) -> f64 {
    struct Kernel<'a>(&'a [f32]);
    impl WithSimd for Kernel<'_> {
        type Output = f64;
        #[inline(always)]
        fn with_simd<S: Simd>(self, _: S) -> f64 {
            let mut sums = [0.0_f64; 16];
            let chunks = self.0.chunks_exact(16);
            let rest = chunks.remainder();
            for chunk in chunks {
                for (sum, &x) in sums.iter_mut().zip(chunk) {
                    *sum += f64::from(x) * f64::from(x);
                }
            }
            sums.iter().sum::<f64>()
                + rest
                    .iter()
                    .map(|&x| f64::from(x) * f64::from(x))
                    .sum::<f64>()
        }
    }
    arch.dispatch(Kernel(x))
}

/// Numbers of one Adam step that are the same for all parameters.
#[derive(Clone, Copy)]
pub struct AdamStep {
    /// Decay of the first moment, β₁.
    pub beta1: f32,
    /// Decay of the second moment, β₂.
    pub beta2: f32,
    /// Learning rate over `1 − β₁ᵗ`.
    pub step_size: f32,
    /// `1 / √(1 − β₂ᵗ)`.
    pub inverse_root_correction: f32,
    /// What is added to the root of the second moment, ε.
    pub epsilon: f32,
}

/// One Adam step on parameters `x` with gradient `g` and moments `m`, `v`.
pub fn adam_update(
    arch: Arch,
    step: AdamStep,
    g: &[f32],
    m: &mut [f32],
    v: &mut [f32],
    x: &mut [f32],
) {
    struct Kernel<'a> {
        step: AdamStep,
        g: &'a [f32],
        m: &'a mut [f32],
        v: &'a mut [f32],
        x: &'a mut [f32],
    }
    impl WithSimd for Kernel<'_> {
        type Output = ();
        #[inline(always)]
        fn with_simd<S: Simd>(self, _: S) {
            let AdamStep {
                beta1,
                beta2,
                step_size,
                inverse_root_correction,
                epsilon,
            } = self.step;
            let moments = self.m.iter_mut().zip(self.v);
            for ((x, &g), (m, v)) in self.x.iter_mut().zip(self.g).zip(moments) {
                *m = beta1 * *m + (1.0 - beta1) * g;
                *v = beta2 * *v + (1.0 - beta2) * g * g;
                *x -= step_size * *m / (v.sqrt() * inverse_root_correction + epsilon);
            }
        }
    }
    arch.dispatch(Kernel { step, g, m, v, x });
}

/// `out[j, i] = x[i, j]` for a `rows × columns` matrix, in blocks that stay in the cache.
pub fn transpose(arch: Arch, rows: usize, columns: usize, x: &[f32], out: &mut [f32]) {
    struct Kernel<'a> {
        rows: usize,
        columns: usize,
        x: &'a [f32],
        out: &'a mut [f32],
    }
    impl WithSimd for Kernel<'_> {
        type Output = ();
        #[inline(always)]
        fn with_simd<S: Simd>(self, _: S) {
            const BLOCK: usize = 16;
            let Self {
                rows,
                columns,
                x,
                out,
            } = self;
            for first in (0..rows).step_by(BLOCK) {
                let height = BLOCK.min(rows - first);
                for (j, out) in out.chunks_exact_mut(rows).enumerate() {
                    for (i, out) in out[first..first + height].iter_mut().enumerate() {
                        *out = x[(first + i) * columns + j];
                    }
                }
            }
        }
    }
    arch.dispatch(Kernel {
        rows,
        columns,
        x,
        out,
    });
}
