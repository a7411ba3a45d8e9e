//! LSTM cells.

use pulp::{Arch, Simd, WithSimd};

use super::activation::{exp_nonpositive, minus_abs};

/// One step of LSTM cells, one row per graph.
pub struct LstmCell<'a> {
    /// Pre-activations in, activated gates out: input, forget, cell, output, each `hidden` wide.
    pub gates: &'a mut [f32],
    /// Cell state before the step; empty for zero.
    pub previous_cell: &'a [f32],
    /// Cell state after the step.
    pub cell: &'a mut [f32],
    /// Its hyperbolic tangent.
    pub cell_tanh: &'a mut [f32],
    /// Hidden state after the step.
    pub hidden: &'a mut [f32],
    /// Number of cells of a graph.
    pub width: usize,
}

/// `c = f·c₀ + i·g`, `h = o·tanh c` with `i, f, o = σ(·)` and `g = tanh(·)`.
pub fn lstm_cell(arch: Arch, cell: LstmCell<'_>) {
    arch.dispatch(cell);
}

impl WithSimd for LstmCell<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let n = self.width;
        for (row, gates) in self.gates.chunks_exact_mut(4 * n).enumerate() {
            Sigmoid::apply_in_place(simd, &mut gates[..2 * n]);
            Tanh::apply_in_place(simd, &mut gates[2 * n..3 * n]);
            Sigmoid::apply_in_place(simd, &mut gates[3 * n..]);
            let range = row * n..(row + 1) * n;
            let cell = &mut self.cell[range.clone()];
            for (j, c) in cell.iter_mut().enumerate() {
                *c = gates[j] * gates[2 * n + j];
            }
            if !self.previous_cell.is_empty() {
                let previous = &self.previous_cell[range.clone()];
                for (j, c) in cell.iter_mut().enumerate() {
                    *c += gates[n + j] * previous[j];
                }
            }
            let cell_tanh = &mut self.cell_tanh[range.clone()];
            cell_tanh.copy_from_slice(cell);
            Tanh::apply_in_place(simd, cell_tanh);
            for (j, h) in self.hidden[range].iter_mut().enumerate() {
                *h = gates[3 * n + j] * cell_tanh[j];
            }
        }
    }
}

/// The reverse of [`LstmCell`].
pub struct LstmCellBackward<'a> {
    /// Activated gates.
    pub gates: &'a [f32],
    /// Cell state before the step; empty for zero.
    pub previous_cell: &'a [f32],
    /// Hyperbolic tangent of the cell state after the step.
    pub cell_tanh: &'a [f32],
    /// Gradient of the hidden state.
    pub grad_hidden: &'a [f32],
    /// Gradient of the cell state: after the step in, before the step out.
    pub grad_cell: &'a mut [f32],
    /// Gradient of the pre-activations, out.
    pub grad_gates: &'a mut [f32],
    /// Number of cells of a graph.
    pub width: usize,
}

/// Gradients of one step of LSTM cells.
pub fn lstm_cell_backward(arch: Arch, cell: LstmCellBackward<'_>) {
    arch.dispatch(cell);
}

impl WithSimd for LstmCellBackward<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let n = self.width;
        let rows = self
            .gates
            .chunks_exact(4 * n)
            .zip(self.grad_gates.chunks_exact_mut(4 * n));
        for (row, (gates, grad_gates)) in rows.enumerate() {
            for j in 0..n {
                let at = row * n + j;
                let [i, f, g, o] = [gates[j], gates[n + j], gates[2 * n + j], gates[3 * n + j]];
                let previous = if self.previous_cell.is_empty() {
                    0.0
                } else {
                    self.previous_cell[at]
                };
                let (dh, t) = (self.grad_hidden[at], self.cell_tanh[at]);
                let dc = self.grad_cell[at] + dh * o * (1.0 - t * t);
                grad_gates[j] = dc * g * i * (1.0 - i);
                grad_gates[n + j] = dc * previous * f * (1.0 - f);
                grad_gates[2 * n + j] = dc * i * (1.0 - g * g);
                grad_gates[3 * n + j] = dh * t * o * (1.0 - o);
                self.grad_cell[at] = dc * f;
            }
        }
    }
}

/// A function of one vector.
///
/// A trait rather than a closure, because only a function can be inlined into code for the
/// machine's vectors on demand.
trait VectorFunction {
    fn apply<S: Simd>(simd: S, x: S::f32s) -> S::f32s;

    #[inline(always)]
    fn apply_in_place<S: Simd>(simd: S, x: &mut [f32]) {
        let (vectors, rest) = S::as_mut_simd_f32s(x);
        for x in vectors {
            *x = Self::apply(simd, *x);
        }
        if !rest.is_empty() {
            let y = Self::apply(simd, simd.partial_load_f32s(rest));
            simd.partial_store_f32s(rest, y);
        }
    }
}

/// σ(x) = 1 / (1 + e⁻ˣ), by e^(−|x|) so that nothing overflows.
struct Sigmoid;

impl VectorFunction for Sigmoid {
    #[inline(always)]
    fn apply<S: Simd>(simd: S, x: S::f32s) -> S::f32s {
        let one = simd.splat_f32s(1.0);
        let t = exp_nonpositive(simd, minus_abs(simd, x));
        let negative = simd.less_than_f32s(x, simd.splat_f32s(0.0));
        let numerator = simd.select_f32s(negative, t, one);
        simd.div_f32s(numerator, simd.add_f32s(one, t))
    }
}

/// tanh x = 2σ(2x) − 1.
struct Tanh;

impl VectorFunction for Tanh {
    #[inline(always)]
    fn apply<S: Simd>(simd: S, x: S::f32s) -> S::f32s {
        let s = Sigmoid::apply(simd, simd.add_f32s(x, x));
        simd.sub_f32s(simd.add_f32s(s, s), simd.splat_f32s(1.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Oracle: the standard library in f64, on whole vectors and their remainder.
    #[test]
    fn gates_agree_with_the_standard_library() {
        struct Both<'a>(&'a mut [f32], &'a mut [f32]);
        impl WithSimd for Both<'_> {
            type Output = ();
            #[inline(always)]
            fn with_simd<S: Simd>(self, simd: S) {
                Sigmoid::apply_in_place(simd, self.0);
                Tanh::apply_in_place(simd, self.1);
            }
        }
        let x: Vec<f32> = (-3003..=3003).map(|i| i as f32 * 0.01).collect();
        let (mut sigmoid, mut tanh) = (x.clone(), x.clone());
        Arch::new().dispatch(Both(&mut sigmoid, &mut tanh));
        for ((&x, sigmoid), tanh) in x.iter().zip(sigmoid).zip(tanh) {
            let wide = f64::from(x);
            assert!(
                (f64::from(sigmoid) - 1.0 / (1.0 + (-wide).exp())).abs() < 2e-7,
                "σ({x})"
            );
            assert!((f64::from(tanh) - wide.tanh()).abs() < 3e-7, "tanh({x})");
        }
    }
}
