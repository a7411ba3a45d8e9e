//! The gated perceptron, `SiLU(LN₁(core(z))) · σ(LN₂(gate(z)))`, over the rows of a graph.
//!
//! Its input is a concatenation of features of atoms, bonds and angles, so its first layer is a sum
//! of products of which those of atoms and bonds are made once for each atom and bond, not for each
//! row. What rows need is computed block by block, so that a block stays in the cache.

use std::ops::Range;

use crystalgym_kernels::{Buffer, Gather, Start, Strided, scatter_add, silu, silu_backward};
use pulp::Arch;

use super::{
    dense::{Dense, Rows},
    row_kernels::{Norms, PAIR, WIDTH, gate, gate_backward, gather_add},
    weights::Weights,
};
use crate::PotentialError;

/// Rows that are computed together: a multiple of the product's tiles, a few ten kilobytes.
const BLOCK: usize = 48;

/// A gated perceptron of one or two layers.
#[derive(Debug)]
pub(super) struct Gated {
    /// The part of the first layer that reads each input, core and gate side by side.
    pub(super) inputs: Vec<Dense>,
    /// Bias of the first layer.
    pub(super) bias: Vec<f32>,
    second: Option<Second>,
    scale: Vec<f32>,
    shift: Vec<f32>,
}

/// The second layers of core and gate.
#[derive(Debug)]
struct Second {
    core: Dense,
    gate: Dense,
    bias: Vec<f32>,
}

/// What the reverse pass reads of one application.
#[derive(Debug, Default)]
pub(super) struct Kept {
    /// First layer before its activation; empty for a perceptron of one layer.
    first: Buffer,
    /// What the layer norms read.
    last: Buffer,
}

/// Memory for one block.
#[derive(Debug, Default)]
pub(super) struct Block {
    first: Buffer,
    hidden: Buffer,
    last: Buffer,
    gated: Buffer,
    grad: Buffer,
    grad_last: Buffer,
}

impl Gated {
    /// Reads a perceptron whose first layer has the number `first`; its inputs are taken in the order
    /// `parts` out of their concatenation.
    pub(super) fn new(
        weights: &Weights,
        prefix: &str,
        parts: &[usize],
        first: usize,
        two_layers: bool,
    ) -> Result<Self, PotentialError> {
        let both = |end: &str| -> Result<[&[f32]; 2], PotentialError> {
            Ok([
                weights.values(&format!("{prefix}.mlp_core.{end}"))?,
                weights.values(&format!("{prefix}.mlp_gate.{end}"))?,
            ])
        };
        let norms = |end: &str| -> Result<Vec<f32>, PotentialError> {
            let core = weights.values(&format!("{prefix}.bn1.{end}"))?;
            let gate = weights.values(&format!("{prefix}.bn2.{end}"))?;
            Ok([core, gate].concat())
        };
        let [core, gate] = both(&format!("layers.{first}.weight"))?;
        let concatenated = parts.len() * WIDTH;
        let inputs = parts
            .iter()
            .map(|part| {
                Dense::new(WIDTH, PAIR, |output, input| {
                    let half = if output < WIDTH { core } else { gate };
                    half[(output % WIDTH) * concatenated + part * WIDTH + input]
                })
            })
            .collect();
        let second = if two_layers {
            let [core, gate] = both(&format!("layers.{}.weight", first + 3))?;
            let square = |w: &[f32]| Dense::new(WIDTH, WIDTH, |o, i| w[o * WIDTH + i]);
            Some(Second {
                core: square(core),
                gate: square(gate),
                bias: both(&format!("layers.{}.bias", first + 3))?.concat(),
            })
        } else {
            None
        };
        Ok(Self {
            inputs,
            bias: both(&format!("layers.{first}.bias"))?.concat(),
            second,
            scale: norms("weight")?,
            shift: norms("bias")?,
        })
    }

    fn norms(&self) -> Norms<'_> {
        Norms {
            scale: &self.scale,
            shift: &self.shift,
        }
    }

    /// Runs the perceptron over `rows` rows. The first layer is the sum of one row of each table
    /// (products made by the caller), its bias and, if `own` is not empty, the product of the last
    /// input with each row's own features. `consume` gets every block's rows, its output and its
    /// part of `own`.
    #[allow(clippy::too_many_arguments)]
    pub(super) fn forward<const N: usize>(
        &self,
        arch: Arch,
        rows: usize,
        tables: [Gather<'_>; N],
        own: &mut [f32],
        mut kept: Option<&mut Kept>,
        block: &mut Block,
        mut consume: impl FnMut(Range<usize>, &[f32], &mut [f32]),
    ) {
        if let Some(kept) = &mut kept {
            kept.last.resize(rows * PAIR);
            let first = if self.second.is_some() { rows } else { 0 };
            kept.first.resize(first * PAIR);
        }
        for start in (0..rows).step_by(BLOCK) {
            let range = start..(start + BLOCK).min(rows);
            let count = range.len();
            let wide = range.start * PAIR..range.end * PAIR;
            let Block {
                first: block_first,
                hidden,
                last: block_last,
                gated,
                ..
            } = &mut *block;
            let two_layers = self.second.is_some();
            let (first, last) = match &mut kept {
                Some(kept) => (
                    &mut kept.first[if two_layers { wide.clone() } else { 0..0 }],
                    &mut kept.last[wide],
                ),
                None => (
                    block_first.resize(count * PAIR),
                    block_last.resize(count * PAIR),
                ),
            };
            let own_range = match own.is_empty() {
                true => 0..0,
                false => range.start * WIDTH..range.end * WIDTH,
            };
            let own = &mut own[own_range];
            let here = tables.map(|table| Gather {
                index: &table.index[range.clone()],
                ..table
            });
            match &self.second {
                None => self.first_layer(arch, count, here, own, last),
                Some(second) => {
                    self.first_layer(arch, count, here, own, first);
                    let hidden = hidden.resize(count * PAIR);
                    silu(arch, first, hidden);
                    second.forward(arch, count, hidden, last);
                }
            }
            let gated = gated.resize(count * WIDTH);
            gate(arch, last, self.norms(), gated);
            consume(range, gated, own);
        }
    }

    fn first_layer<const N: usize>(
        &self,
        arch: Arch,
        rows: usize,
        tables: [Gather<'_>; N],
        own: &[f32],
        out: &mut [f32],
    ) {
        match self.inputs.get(N) {
            Some(dense) => {
                let x = Strided {
                    data: own,
                    stride: WIDTH,
                };
                let y = Rows {
                    data: out,
                    stride: PAIR,
                };
                dense.forward(arch, rows, x, Start::Row(&self.bias), y);
            }
            None => {
                for row in out.chunks_exact_mut(PAIR) {
                    row.copy_from_slice(&self.bias);
                }
            }
        }
        gather_add(arch, tables, out);
    }

    /// The reverse of [`Self::forward`]: `grad` writes the gradient of a block's output, `consume`
    /// gets that output again; gradients are added to those of the tables (rows picked by `index`)
    /// and of each row's own features.
    #[allow(clippy::too_many_arguments)]
    pub(super) fn backward<const N: usize>(
        &self,
        arch: Arch,
        rows: usize,
        index: [&[u32]; N],
        kept: &Kept,
        block: &mut Block,
        mut grad: impl FnMut(Range<usize>, &[f32], &mut [f32]),
        mut consume: impl FnMut(Range<usize>, &[f32]),
        table_grads: [&mut [f32]; N],
        own_grad: &mut [f32],
    ) {
        let mut table_grads = table_grads;
        for start in (0..rows).step_by(BLOCK) {
            let range = start..(start + BLOCK).min(rows);
            let count = range.len();
            let wide = range.start * PAIR..range.end * PAIR;
            let own_range = match own_grad.is_empty() {
                true => 0..0,
                false => range.start * WIDTH..range.end * WIDTH,
            };
            let own = &mut own_grad[own_range];
            let grad_gated = block.grad.resize(count * WIDTH);
            grad(range.clone(), own, grad_gated);
            let gated = block.gated.resize(count * WIDTH);
            let grad_last = block.grad_last.resize(count * PAIR);
            let last = &kept.last[wide.clone()];
            gate_backward(arch, last, self.norms(), grad_gated, gated, grad_last);
            consume(range.clone(), gated);
            let grad_first = match &self.second {
                None => grad_last,
                Some(second) => {
                    let grad_first = block.hidden.resize(count * PAIR);
                    second.backward(arch, count, grad_last, grad_first);
                    silu_backward(arch, &kept.first[wide], grad_first);
                    grad_first
                }
            };
            for (table, index) in table_grads.iter_mut().zip(index) {
                scatter_add(arch, PAIR, grad_first, &index[range.clone()], table);
            }
            if let Some(dense) = self.inputs.get(N) {
                let grad_y = Strided {
                    data: grad_first,
                    stride: PAIR,
                };
                let grad_x = Rows {
                    data: own,
                    stride: WIDTH,
                };
                dense.backward(arch, count, grad_y, Start::Output, grad_x);
            }
        }
    }
}

impl Second {
    fn forward(&self, arch: Arch, rows: usize, hidden: &[f32], out: &mut [f32]) {
        for (dense, at) in [(&self.core, 0), (&self.gate, WIDTH)] {
            let x = Strided {
                data: &hidden[at..],
                stride: PAIR,
            };
            let y = Rows {
                data: &mut out[at..],
                stride: PAIR,
            };
            dense.forward(arch, rows, x, Start::Row(&self.bias[at..at + WIDTH]), y);
        }
    }

    fn backward(&self, arch: Arch, rows: usize, grad_out: &[f32], grad_hidden: &mut [f32]) {
        for (dense, at) in [(&self.core, 0), (&self.gate, WIDTH)] {
            let grad_y = Strided {
                data: &grad_out[at..],
                stride: PAIR,
            };
            let grad_x = Rows {
                data: &mut grad_hidden[at..],
                stride: PAIR,
            };
            dense.backward(arch, rows, grad_y, Start::Zero, grad_x);
        }
    }
}
