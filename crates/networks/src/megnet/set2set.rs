//! The readout of MEGNet.

use crystalgym_kernels::{
    self as kernels, Attention, AttentionBackward, Buffer, LstmCell, LstmCellBackward, Start,
};

use super::layout::Set2Set;
use crate::layers::{BackwardWeights, Weights};

/// The rows that a readout runs over: those of each graph together.
#[derive(Clone, Copy)]
pub(super) struct Items<'a> {
    pub(super) rows: &'a [f32],
    /// First row of each graph, then the number of rows.
    pub(super) starts: &'a [u32],
    /// How many equal items each row stands for.
    pub(super) multiplicity: &'a [f32],
}

/// What one iteration leaves for the backward pass.
#[derive(Debug, Default)]
struct Iteration {
    gates: Buffer,
    cell: Buffer,
    cell_tanh: Buffer,
    hidden: Buffer,
    attention: Buffer,
    readout: Buffer,
}

/// Memory of one readout.
#[derive(Debug, Default)]
pub(super) struct Set2SetCache {
    iterations: Vec<Iteration>,
    bias: Buffer,
    grad_hidden: Buffer,
    grad_readout: Buffer,
    grad_cell: Buffer,
    grad_gates: Buffer,
}

impl Set2SetCache {
    /// Hidden state and readout after the last iteration, one row per graph.
    pub(super) fn output(&self) -> (&[f32], &[f32]) {
        self.iterations
            .last()
            .map_or((&[], &[]), |last| (&last.hidden, &last.readout))
    }
}

impl Set2Set {
    /// Vinyals, Bengio and Kudlur (2016), equations 3 to 7, as DGL writes them: hidden and cell
    /// state and (q, r) start from zero; each iteration is one LSTM step on (q, r), whose hidden
    /// state is the query q of the attention.
    pub(super) fn forward(
        &self,
        weights: Weights<'_>,
        iterations: usize,
        items: Items<'_>,
        cache: &mut Set2SetCache,
    ) {
        let graphs = items.starts.len() - 1;
        let n = self.width;
        let count = items.multiplicity.len();
        if cache.iterations.len() != iterations {
            cache.iterations.resize_with(iterations, Iteration::default);
        }
        let bias = cache.bias.resize(4 * n);
        kernels::add(
            weights.arch,
            self.input.bias(weights),
            self.hidden.bias(weights),
            bias,
        );
        for t in 0..iterations {
            let (before, after) = cache.iterations.split_at_mut(t);
            let previous = before.last();
            let now = &mut after[0];
            let gates = now.gates.resize(graphs * 4 * n);
            match previous {
                // Zero inputs leave the biases.
                None => {
                    for row in gates.chunks_exact_mut(4 * n) {
                        row.copy_from_slice(&cache.bias);
                    }
                }
                Some(previous) => {
                    let (hidden, readout) = (&previous.hidden, &previous.readout);
                    let start = Start::Row(&cache.bias);
                    self.input.forward_part(weights, 0, n, hidden, start, gates);
                    self.input
                        .forward_part(weights, n, n, readout, Start::Output, gates);
                    self.hidden
                        .forward_part(weights, 0, n, hidden, Start::Output, gates);
                }
            }
            kernels::lstm_cell(
                weights.arch,
                LstmCell {
                    gates,
                    previous_cell: previous.map_or(&[], |previous| &previous.cell),
                    cell: now.cell.resize(graphs * n),
                    cell_tanh: now.cell_tanh.resize(graphs * n),
                    hidden: now.hidden.resize(graphs * n),
                    width: n,
                },
            );
            kernels::attend(
                weights.arch,
                Attention {
                    items: items.rows,
                    starts: items.starts,
                    multiplicity: items.multiplicity,
                    query: &now.hidden,
                    attention: now.attention.resize(count),
                    readout: now.readout.resize(graphs * n),
                    width: n,
                },
            );
        }
    }

    /// Takes the gradient of (hidden state, readout) back to the items, adding to `grad_items`.
    pub(super) fn backward(
        &self,
        weights: BackwardWeights<'_>,
        items: Items<'_>,
        grad_output: (&[f32], &[f32]),
        cache: &mut Set2SetCache,
        grad_items: &mut [f32],
        gradients: &mut [f32],
    ) {
        let n = self.width;
        let graphs = items.starts.len() - 1;
        let arch = weights.arch;
        let Set2SetCache {
            iterations,
            grad_hidden,
            grad_readout,
            grad_cell,
            grad_gates,
            ..
        } = cache;
        grad_hidden
            .resize(graphs * n)
            .copy_from_slice(grad_output.0);
        grad_readout
            .resize(graphs * n)
            .copy_from_slice(grad_output.1);
        grad_cell.reset(graphs * n);
        grad_gates.resize(graphs * 4 * n);
        for t in (0..iterations.len()).rev() {
            let (before, after) = iterations.split_at(t);
            let (previous, now) = (before.last(), &after[0]);
            kernels::attend_backward(
                arch,
                AttentionBackward {
                    items: items.rows,
                    starts: items.starts,
                    query: &now.hidden,
                    attention: &now.attention,
                    grad_readout,
                    grad_items,
                    grad_query: grad_hidden,
                    width: n,
                },
            );
            kernels::lstm_cell_backward(
                arch,
                LstmCellBackward {
                    gates: &now.gates,
                    previous_cell: previous.map_or(&[], |previous| &previous.cell),
                    cell_tanh: &now.cell_tanh,
                    grad_hidden,
                    grad_cell,
                    grad_gates,
                    width: n,
                },
            );
            self.input.bias_gradient(arch, grad_gates, gradients);
            self.hidden.bias_gradient(arch, grad_gates, gradients);
            if let Some(previous) = previous {
                let (hidden, readout) = (&previous.hidden, &previous.readout);
                self.input
                    .weight_gradient_part(arch, 0, n, hidden, grad_gates, gradients);
                self.input
                    .weight_gradient_part(arch, n, n, readout, grad_gates, gradients);
                self.hidden
                    .weight_gradient_part(arch, 0, n, hidden, grad_gates, gradients);
                self.input
                    .backward_part(weights, 0, n, grad_gates, Start::Zero, grad_hidden);
                self.hidden
                    .backward_part(weights, 0, n, grad_gates, Start::Output, grad_hidden);
                self.input
                    .backward_part(weights, n, n, grad_gates, Start::Zero, grad_readout);
            }
        }
    }
}
