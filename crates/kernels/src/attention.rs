//! The attention of Set2Set.

use pulp::{Arch, Simd, WithSimd};

use super::activation::exp_nonpositive;

/// The attention step of Set2Set: for the items of each graph `a = softmax(⟨x, q⟩)`, `r = Σ a x`.
pub struct Attention<'a> {
    /// Item rows, those of a graph together.
    pub items: &'a [f32],
    /// First item of each graph, and the number of items.
    pub starts: &'a [u32],
    /// How many equal items each row stands for.
    pub multiplicity: &'a [f32],
    /// One query a graph.
    pub query: &'a [f32],
    /// Attention of all the items that a row stands for, out.
    pub attention: &'a mut [f32],
    /// One readout a graph, out; zero for a graph without items.
    pub readout: &'a mut [f32],
    /// Length of an item.
    pub width: usize,
}

/// Runs [`Attention`].
pub fn attend(arch: Arch, attention: Attention<'_>) {
    arch.dispatch(attention);
}

impl WithSimd for Attention<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let n = self.width;
        for (graph, readout) in self.readout.chunks_exact_mut(n).enumerate() {
            let (start, end) = (self.starts[graph] as usize, self.starts[graph + 1] as usize);
            readout.fill(0.0);
            if start == end {
                continue;
            }
            let query = &self.query[graph * n..(graph + 1) * n];
            let items = &self.items[start * n..end * n];
            let attention = &mut self.attention[start..end];
            let mut largest = f32::NEG_INFINITY;
            for (a, item) in attention.iter_mut().zip(items.chunks_exact(n)) {
                *a = dot(item, query);
                largest = largest.max(*a);
            }
            for a in attention.iter_mut() {
                *a -= largest;
            }
            exp_in_place(simd, attention);
            let mut total = 0.0;
            for (a, &multiplicity) in attention.iter_mut().zip(&self.multiplicity[start..end]) {
                *a *= multiplicity;
                total += *a;
            }
            let inverse = 1.0 / total;
            for (a, item) in attention.iter_mut().zip(items.chunks_exact(n)) {
                *a *= inverse;
                for (r, &x) in readout.iter_mut().zip(item) {
                    *r += *a * x;
                }
            }
        }
    }
}

/// The reverse of [`Attention`].
pub struct AttentionBackward<'a> {
    /// As in [`Attention`].
    pub items: &'a [f32],
    /// As in [`Attention`].
    pub starts: &'a [u32],
    /// As in [`Attention`].
    pub query: &'a [f32],
    /// As in [`Attention`].
    pub attention: &'a [f32],
    /// Gradient of the readouts.
    pub grad_readout: &'a [f32],
    /// Gradient of the items, added to.
    pub grad_items: &'a mut [f32],
    /// Gradient of the queries, added to.
    pub grad_query: &'a mut [f32],
    /// Length of an item.
    pub width: usize,
}

/// Runs [`AttentionBackward`].
pub fn attend_backward(arch: Arch, attention: AttentionBackward<'_>) {
    arch.dispatch(attention);
}

impl WithSimd for AttentionBackward<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let n = self.width;
        for (graph, grad_query) in self.grad_query.chunks_exact_mut(n).enumerate() {
            let (start, end) = (self.starts[graph] as usize, self.starts[graph + 1] as usize);
            let query = &self.query[graph * n..(graph + 1) * n];
            let grad_readout = &self.grad_readout[graph * n..(graph + 1) * n];
            let items = &self.items[start * n..end * n];
            let attention = &self.attention[start..end];
            // Σ a_j ⟨dr, x_j⟩ = ⟨dr, r⟩, but summed here from the same terms as below.
            let mut mean = 0.0;
            for (&a, item) in attention.iter().zip(items.chunks_exact(n)) {
                mean += a * dot(item, grad_readout);
            }
            let grad_items = self.grad_items[start * n..end * n].chunks_exact_mut(n);
            for ((&a, item), grad_item) in
                attention.iter().zip(items.chunks_exact(n)).zip(grad_items)
            {
                let grad_logit = a * (dot(item, grad_readout) - mean);
                for j in 0..n {
                    grad_item[j] += a * grad_readout[j] + grad_logit * query[j];
                    grad_query[j] += grad_logit * item[j];
                }
            }
        }
    }
}

/// ⟨a, b⟩ in sixteen interleaved sums, which vectorise.
#[inline(always)]
fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut sums = [0.0_f32; 16];
    let (a_chunks, b_chunks) = (a.chunks_exact(16), b.chunks_exact(16));
    let mut rest = 0.0;
    for (x, y) in a_chunks.remainder().iter().zip(b_chunks.remainder()) {
        rest += x * y;
    }
    for (a, b) in a_chunks.zip(b_chunks) {
        for ((sum, &x), &y) in sums.iter_mut().zip(a).zip(b) {
            *sum += x * y;
        }
    }
    for half in [8, 4, 2, 1] {
        for j in 0..half {
            sums[j] += sums[j + half];
        }
    }
    sums[0] + rest
}

#[inline(always)]
fn exp_in_place<S: Simd>(simd: S, x: &mut [f32]) {
    let (vectors, rest) = S::as_mut_simd_f32s(x);
    for x in vectors {
        *x = exp_nonpositive(simd, *x);
    }
    if !rest.is_empty() {
        let y = exp_nonpositive(simd, simd.partial_load_f32s(rest));
        simd.partial_store_f32s(rest, y);
    }
}
