//! Grouped-query attention over packed sequences: each is padded to the longest for the products alone.
//!
//! The queries of the heads that share a key head lie together, so that of n sequences and k key heads
//! n·k products of (heads/k · S × d) with (S × d)ᵀ give all scores, and the gradients of keys and values
//! sum over those heads by themselves.

use crate::{
    Batch, CudaError, Part, Trainer,
    blas::{Held, Layout, Many, View},
    device::arguments,
    kernels::Kernel,
    memory::Memory,
    plan::{OUTPUT, QUERY_KEY_VALUE},
};

/// Sizes of the products of one batch.
struct Sizes {
    /// Heads that share a key head, times S.
    queries: usize,
    /// S.
    padded: usize,
    /// d.
    width: usize,
    /// Products.
    count: usize,
    /// Rows of all scores.
    rows: usize,
    /// 1/√d.
    scale: f32,
}

impl Sizes {
    /// `heads/k · S` rows of `columns` numbers at a time.
    fn of_queries(&self, memory: &Memory, columns: usize) -> Many {
        Self::many(memory, self.queries, columns)
    }

    /// S rows of d numbers at a time.
    fn of_keys(&self, memory: &Memory) -> Many {
        Self::many(memory, self.padded, self.width)
    }

    fn many(memory: &Memory, rows: usize, leading: usize) -> Many {
        Many {
            first: View {
                at: memory.at(0),
                leading,
            },
            stride: rows * leading,
        }
    }
}

impl Trainer {
    fn attention_sizes(&self, batch: &Batch) -> Sizes {
        let (heads, key_heads) = (
            self.config.num_attention_heads,
            self.config.num_key_value_heads,
        );
        let padded = batch.padded();
        Sizes {
            queries: heads / key_heads * padded,
            padded,
            width: self.config.head_dim,
            count: batch.sequences() * key_heads,
            rows: batch.sequences() * heads * padded,
            scale: 1.0 / (self.config.head_dim as f32).sqrt(),
        }
    }

    /// Queries, keys and values from their rows; what the heads see goes to the inputs of the output map.
    pub(crate) fn attention_forward(&self, batch: &Batch) -> Result<(), CudaError> {
        self.device.part(Part::Attention)?;
        let (config, buffers, device) = (&self.config, &self.buffers, &self.device);
        let (heads, width) = (config.num_attention_heads, config.head_dim);
        let grid = (batch.padded(), batch.sequences());
        let arguments = arguments![
            &buffers.query_key_value,
            self.plan.groups[QUERY_KEY_VALUE].output_leading(),
            &buffers.starts,
            &buffers.cosine,
            &buffers.sine,
            &buffers.queries,
            &buffers.keys,
            &buffers.values,
            heads,
            config.num_key_value_heads,
            width,
        ];
        device.launch(Kernel::SplitHeads, grid, 256, 0, arguments)?;
        let sizes = self.attention_sizes(batch);
        let queries = sizes.of_queries(&buffers.queries, width);
        let scores = sizes.of_queries(&buffers.scores, sizes.padded);
        let probabilities = sizes.of_queries(&buffers.probabilities, sizes.padded);
        let each = (sizes.queries, width, sizes.padded);
        let factors = (queries, sizes.of_keys(&buffers.keys));
        device.products(
            Layout::AbT,
            each,
            sizes.scale,
            factors,
            (scores, Held::F32),
            sizes.count,
        )?;
        let arguments = arguments![
            &buffers.scores,
            &buffers.probabilities,
            &buffers.starts,
            sizes.padded,
            heads * sizes.padded,
            sizes.rows as i64,
        ];
        device.launch(
            Kernel::CausalSoftmax,
            (sizes.rows.div_ceil(8), 1),
            256,
            0,
            arguments,
        )?;
        let outputs = sizes.of_queries(&buffers.outputs, width);
        let each = (sizes.queries, sizes.padded, width);
        let factors = (probabilities, sizes.of_keys(&buffers.values));
        device.products(
            Layout::Ab,
            each,
            1.0,
            factors,
            (outputs, Held::Element),
            sizes.count,
        )?;
        let rows = self.input(OUTPUT);
        let arguments = arguments![
            &buffers.outputs,
            &buffers.starts,
            rows.at,
            rows.leading,
            heads,
            width
        ];
        device.launch(Kernel::JoinHeads, grid, 256, 0, arguments)
    }

    /// From the gradient of what the heads saw, in the inner gradient, to that of the rows of queries, keys
    /// and values, which takes their place.
    pub(crate) fn attention_backward(&self, batch: &Batch) -> Result<(), CudaError> {
        self.device.part(Part::Attention)?;
        let (config, buffers, device) = (&self.config, &self.buffers, &self.device);
        let (heads, width) = (config.num_attention_heads, config.head_dim);
        let grid = (batch.padded(), batch.sequences());
        let d_outputs = &buffers.outputs;
        let arguments = arguments![
            &buffers.inner_gradient,
            config.query_width(),
            &buffers.starts,
            d_outputs,
            heads,
            width,
        ];
        device.launch(Kernel::JoinHeadsBackward, grid, 256, 0, arguments)?;
        let sizes = self.attention_sizes(batch);
        let d_outputs = sizes.of_queries(d_outputs, width);
        let probabilities = sizes.of_queries(&buffers.probabilities, sizes.padded);
        let (keys, values) = (sizes.of_keys(&buffers.keys), sizes.of_keys(&buffers.values));
        let by_place = (sizes.padded, sizes.queries, width);
        let to = (sizes.of_keys(&buffers.value_gradient), Held::Element);
        device.products(
            Layout::AtB,
            by_place,
            1.0,
            (probabilities, d_outputs),
            to,
            sizes.count,
        )?;
        let each = (sizes.queries, width, sizes.padded);
        let to = (sizes.of_queries(&buffers.scores, sizes.padded), Held::F32);
        device.products(Layout::AbT, each, 1.0, (d_outputs, values), to, sizes.count)?;
        let arguments = arguments![
            &buffers.probabilities,
            &buffers.scores,
            &buffers.score_gradient,
            sizes.padded,
            sizes.rows as i64,
        ];
        device.launch(
            Kernel::SoftmaxBackward,
            (sizes.rows.div_ceil(8), 1),
            256,
            0,
            arguments,
        )?;
        let d_scores = sizes.of_queries(&buffers.score_gradient, sizes.padded);
        let each = (sizes.queries, sizes.padded, width);
        let to = (
            sizes.of_queries(&buffers.query_gradient, width),
            Held::Element,
        );
        device.products(
            Layout::Ab,
            each,
            sizes.scale,
            (d_scores, keys),
            to,
            sizes.count,
        )?;
        let queries = sizes.of_queries(&buffers.queries, width);
        let to = (sizes.of_keys(&buffers.key_gradient), Held::Element);
        device.products(
            Layout::AtB,
            by_place,
            sizes.scale,
            (d_scores, queries),
            to,
            sizes.count,
        )?;
        let arguments = arguments![
            &buffers.query_gradient,
            &buffers.key_gradient,
            &buffers.value_gradient,
            &buffers.starts,
            &buffers.cosine,
            &buffers.sine,
            &buffers.query_key_value,
            self.plan.groups[QUERY_KEY_VALUE].output_leading(),
            heads,
            config.num_key_value_heads,
            width,
        ];
        device.launch(Kernel::SplitHeadsBackward, grid, 256, 0, arguments)
    }
}
