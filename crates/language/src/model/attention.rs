//! Causal grouped-query attention of one sequence, forwards and backwards.

use super::sequence::Sequence;
use crate::{
    LlamaConfig,
    operations::{Layout, product_strided, softmax},
};

/// Rows of queries that are looked at together: what they do not see yet is not computed.
const BLOCK: usize = 64;

/// Widths of heads.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Heads {
    heads: usize,
    group: usize,
    width: usize,
    query_width: usize,
    key_width: usize,
}

impl Heads {
    pub(crate) fn new(config: &LlamaConfig) -> Self {
        Self {
            heads: config.num_attention_heads,
            group: config.num_attention_heads / config.num_key_value_heads,
            width: config.head_dim,
            query_width: config.query_width(),
            key_width: config.key_width(),
        }
    }

    fn scale(self) -> f32 {
        1.0 / (self.width as f32).sqrt()
    }

    /// `softmax(q kᵀ/√d)` of the rows `first .. last` of one head, each over the rows `0 .. last`.
    fn weights(
        self,
        sequence: &Sequence,
        (q, k): (&[f32], &[f32]),
        head: usize,
        (first, last): (usize, usize),
        out: &mut [f32],
    ) {
        let q = &q[first * self.query_width + head * self.width..];
        let k = &k[head / self.group * self.width..];
        product_strided(
            Layout::AB_T,
            (last - first, self.width, last),
            (q, self.query_width),
            (k, self.key_width),
            self.scale(),
            false,
            (out, last),
        );
        let plain = sequence.is_plain();
        for (row, out) in (first..last).zip(out.chunks_exact_mut(last)) {
            if plain {
                out[row + 1..].fill(f32::NEG_INFINITY);
                softmax(&mut out[..=row]);
                out[row + 1..].fill(0.0);
                continue;
            }
            for (other, out) in out.iter_mut().enumerate() {
                if !sequence.sees(row, other) {
                    *out = f32::NEG_INFINITY;
                }
            }
            softmax(out);
            for (other, out) in out.iter_mut().enumerate() {
                if !sequence.sees(row, other) {
                    *out = 0.0;
                }
            }
        }
    }

    /// `out = softmax(q kᵀ/√d) v` for all heads of a sequence.
    pub(crate) fn forward(
        self,
        sequence: &Sequence,
        (q, k, v): (&[f32], &[f32], &[f32]),
        out: &mut [f32],
    ) {
        let rows = sequence.len();
        let mut weights = vec![0.0; BLOCK.min(rows) * rows];
        for first in (0..rows).step_by(BLOCK) {
            let last = (first + BLOCK).min(rows);
            for head in 0..self.heads {
                let weights = &mut weights[..(last - first) * last];
                self.weights(sequence, (q, k), head, (first, last), weights);
                product_strided(
                    Layout::AB,
                    (last - first, last, self.width),
                    (weights, last),
                    (&v[head / self.group * self.width..], self.key_width),
                    1.0,
                    false,
                    (
                        &mut out[first * self.query_width + head * self.width..],
                        self.query_width,
                    ),
                );
            }
        }
    }

    /// Adds to the gradients of queries, keys and values what a gradient `g` of the output means: with
    /// the weights P, `dV = Pᵀ g`, `dS = P ∘ (g Vᵀ − rowsum(P ∘ g Vᵀ))`, `dQ = dS K/√d`,
    /// `dK = dSᵀ Q/√d`.
    pub(crate) fn backward(
        self,
        sequence: &Sequence,
        (q, k, v): (&[f32], &[f32], &[f32]),
        g: &[f32],
        (dq, dk, dv): (&mut [f32], &mut [f32], &mut [f32]),
    ) {
        let rows = sequence.len();
        let mut weights = vec![0.0; BLOCK.min(rows) * rows];
        let mut slopes = weights.clone();
        for first in (0..rows).step_by(BLOCK) {
            let last = (first + BLOCK).min(rows);
            let count = last - first;
            for head in 0..self.heads {
                let of_query = first * self.query_width + head * self.width;
                let of_key = head / self.group * self.width;
                let weights = &mut weights[..count * last];
                let slopes = &mut slopes[..count * last];
                self.weights(sequence, (q, k), head, (first, last), weights);
                let g = (&g[of_query..], self.query_width);
                let dv = (&mut dv[of_key..], self.key_width);
                let sizes = (last, count, self.width);
                product_strided(Layout::A_TB, sizes, (weights, last), g, 1.0, true, dv);
                let v = (&v[of_key..], self.key_width);
                let sizes = (count, self.width, last);
                product_strided(Layout::AB_T, sizes, g, v, 1.0, false, (slopes, last));
                for (p, s) in weights
                    .chunks_exact(last)
                    .zip(slopes.chunks_exact_mut(last))
                {
                    let mean: f32 = p.iter().zip(&*s).map(|(p, s)| p * s).sum();
                    for (s, p) in s.iter_mut().zip(p) {
                        *s = p * (*s - mean);
                    }
                }
                let k = (&k[of_key..], self.key_width);
                let dq = (&mut dq[of_query..], self.query_width);
                let sizes = (count, last, self.width);
                product_strided(Layout::AB, sizes, (slopes, last), k, self.scale(), true, dq);
                let q = (&q[of_query..], self.query_width);
                let dk = (&mut dk[of_key..], self.key_width);
                let sizes = (last, count, self.width);
                product_strided(
                    Layout::A_TB,
                    sizes,
                    (slopes, last),
                    q,
                    self.scale(),
                    true,
                    dk,
                );
            }
        }
    }
}
