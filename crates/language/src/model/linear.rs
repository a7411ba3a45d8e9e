//! Linear maps: frozen weights with a low-rank addition, or trained weights.

use crystalgym_kernels::Buffer;
use rayon::prelude::*;

use super::trainable::{Slot, Trainable};
use crate::{
    operations::{Layout, product},
    random,
    weights::matrix::Matrix,
};

/// Outputs that a thread works on together.
const OUTPUTS_TOGETHER: usize = 96;

/// Which activations the low-rank additions do not see in this pass (Hinton et al. 2012): told by a
/// counter, so that the backward pass drops the same ones.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Dropout {
    /// Share of the activations that are dropped.
    pub share: f32,
    /// Distinguishes passes.
    pub seed: u64,
}

impl Dropout {
    /// Nothing is dropped.
    pub const NONE: Self = Self {
        share: 0.0,
        seed: 0,
    };

    fn apply(self, stream: u64, values: &mut [f32]) {
        let (key, scale) = (random::key(self.seed, stream), 1.0 / (1.0 - self.share));
        let limit = (f64::from(self.share) * (1_u64 << 32) as f64) as u64;
        for (index, value) in values.iter_mut().enumerate() {
            let kept = (random::bits(key, index as u64) >> 32) >= limit;
            *value = if kept { *value * scale } else { 0.0 };
        }
    }
}

/// Memory that products use again.
#[derive(Debug, Default)]
pub(crate) struct Scratch {
    pub(crate) weights: Buffer,
    pub(crate) dropped: Vec<f32>,
    pub(crate) middle: Vec<f32>,
}

/// One linear map of one layer with what is trained of it.
pub(crate) struct Linear<'a> {
    pub(crate) weights: &'a Matrix,
    pub(crate) trainable: &'a Trainable,
    pub(crate) slot: Slot,
    pub(crate) dropout: Dropout,
    /// Number of the map among all, which tells its dropped activations from those of others.
    pub(crate) stream: u64,
}

impl Linear<'_> {
    /// `y = W x + s B A drop(x)` for `t` rows; `middle` keeps `A drop(x)`.
    pub(crate) fn forward(
        &self,
        t: usize,
        x: &[f32],
        y: &mut [f32],
        middle: &mut Vec<f32>,
        scratch: &mut Scratch,
    ) {
        let (rows, columns) = (self.weights.rows(), self.weights.columns());
        match self.slot {
            Slot::Whole(at) => {
                let weights = &self.trainable.values()[at..at + rows * columns];
                product(Layout::AB_T, (t, columns, rows), x, weights, 1.0, false, y);
            }
            Slot::Frozen => self.weights.apply(t, x, y, &mut scratch.weights),
            Slot::LowRank { a, b } => {
                self.weights.apply(t, x, y, &mut scratch.weights);
                let (rank, scale) = (self.trainable.rank(), self.trainable.scale());
                let values = self.trainable.values();
                middle.clear();
                middle.resize(t * rank, 0.0);
                let x = self.seen(x, &mut scratch.dropped);
                let a = &values[a..a + rank * columns];
                product(Layout::AB_T, (t, columns, rank), x, a, 1.0, false, middle);
                let b = &values[b..b + rows * rank];
                product(Layout::AB_T, (t, rank, rows), middle, b, scale, true, y);
            }
        }
    }

    /// The same without dropout and without a way back, shared among the threads of the pool that it is
    /// called in: each has some of the outputs, so that the numbers do not depend on their count.
    pub(crate) fn forward_parallel(&self, t: usize, x: &[f32], y: &mut [f32]) {
        let (rows, columns) = (self.weights.rows(), self.weights.columns());
        let starts: Vec<usize> = (0..rows).step_by(OUTPUTS_TOGETHER).collect();
        let values = self.trainable.values();
        let middle = match self.slot {
            Slot::LowRank { a, .. } => {
                let rank = self.trainable.rank();
                let mut middle = vec![0.0; t * rank];
                let a = &values[a..a + rank * columns];
                product(
                    Layout::AB_T,
                    (t, columns, rank),
                    x,
                    a,
                    1.0,
                    false,
                    &mut middle,
                );
                middle
            }
            _ => Vec::new(),
        };
        let parts: Vec<Vec<f32>> = starts
            .par_iter()
            .map(|&first| {
                let last = (first + OUTPUTS_TOGETHER).min(rows);
                let here = last - first;
                let mut part = vec![0.0; t * here];
                match self.slot {
                    Slot::Whole(at) => {
                        let weights = &values[at + first * columns..at + last * columns];
                        product(
                            Layout::AB_T,
                            (t, columns, here),
                            x,
                            weights,
                            1.0,
                            false,
                            &mut part,
                        );
                    }
                    _ => self.weights.apply_rows(first..last, t, x, &mut part),
                }
                if let Slot::LowRank { b, .. } = self.slot {
                    let (rank, scale) = (self.trainable.rank(), self.trainable.scale());
                    let b = &values[b + first * rank..b + last * rank];
                    product(
                        Layout::AB_T,
                        (t, rank, here),
                        &middle,
                        b,
                        scale,
                        true,
                        &mut part,
                    );
                }
                part
            })
            .collect();
        for (&first, part) in starts.iter().zip(&parts) {
            let here = (first + OUTPUTS_TOGETHER).min(rows) - first;
            for (y, part) in y.chunks_exact_mut(rows).zip(part.chunks_exact(here)) {
                y[first..first + here].copy_from_slice(part);
            }
        }
    }

    /// Adds to `dx` and to the gradients what a gradient `g` of the outputs means.
    pub(crate) fn backward(
        &self,
        t: usize,
        (x, middle): (&[f32], &[f32]),
        g: &[f32],
        dx: &mut [f32],
        gradients: &mut [f32],
        scratch: &mut Scratch,
    ) {
        let (rows, columns) = (self.weights.rows(), self.weights.columns());
        match self.slot {
            Slot::Whole(at) => {
                let range = at..at + rows * columns;
                let weights = &self.trainable.values()[range.clone()];
                product(Layout::AB, (t, rows, columns), g, weights, 1.0, true, dx);
                let gradient = &mut gradients[range];
                product(Layout::A_TB, (rows, t, columns), g, x, 1.0, true, gradient);
            }
            Slot::Frozen => {
                self.weights
                    .apply_transposed(t, g, dx, true, &mut scratch.weights);
            }
            Slot::LowRank { a, b } => {
                self.weights
                    .apply_transposed(t, g, dx, true, &mut scratch.weights);
                let (rank, scale) = (self.trainable.rank(), self.trainable.scale());
                let values = self.trainable.values();
                let of_b = &mut gradients[b..b + rows * rank];
                product(Layout::A_TB, (rows, t, rank), g, middle, scale, true, of_b);
                let b = &values[b..b + rows * rank];
                let mut inner = std::mem::take(&mut scratch.middle);
                inner.clear();
                inner.resize(t * rank, 0.0);
                product(Layout::AB, (t, rows, rank), g, b, scale, false, &mut inner);
                let seen = self.seen(x, &mut scratch.dropped);
                let of_a = &mut gradients[a..a + rank * columns];
                product(
                    Layout::A_TB,
                    (rank, t, columns),
                    &inner,
                    seen,
                    1.0,
                    true,
                    of_a,
                );
                let a = &values[a..a + rank * columns];
                if self.dropout.share > 0.0 {
                    let back = &mut scratch.dropped;
                    product(Layout::AB, (t, rank, columns), &inner, a, 1.0, false, back);
                    self.dropout.apply(self.stream, back);
                    dx.iter_mut().zip(back).for_each(|(dx, back)| *dx += *back);
                } else {
                    product(Layout::AB, (t, rank, columns), &inner, a, 1.0, true, dx);
                }
                scratch.middle = inner;
            }
        }
    }

    /// The inputs that the low-rank addition sees.
    fn seen<'b>(&self, x: &'b [f32], dropped: &'b mut Vec<f32>) -> &'b [f32] {
        if self.dropout.share <= 0.0 {
            return x;
        }
        dropped.clear();
        dropped.extend_from_slice(x);
        self.dropout.apply(self.stream, dropped);
        dropped
    }
}
