//! From tokens to the residual stream, layer by layer.

use crate::{
    Batch, CudaError, Part, Trainer,
    blas::View,
    device::arguments,
    kernels::Kernel,
    memory::Memory,
    plan::{DOWN, GATE_UP, OUTPUT, QUERY_KEY_VALUE},
};

/// What a norm reads and writes; see the kernel.
pub(crate) struct Norm<'a> {
    /// Residual stream, f32.
    pub(crate) x: u64,
    /// Whether what the last map made is added.
    pub(crate) add: bool,
    /// Which rows of both are read, where not all are; and how many.
    pub(crate) rows: Option<&'a Memory>,
    pub(crate) count: usize,
    pub(crate) weight: &'a Memory,
    /// Where the sum is kept, if it is.
    pub(crate) sum: Option<u64>,
    pub(crate) normed: View,
    pub(crate) inverse: &'a Memory,
}

impl Trainer {
    /// The input of a layer.
    pub(crate) fn checkpoint(&self, layer: usize, t: usize) -> u64 {
        self.buffers
            .checkpoints
            .at(layer * t * self.config.hidden_size)
    }

    /// What is added to the residual stream.
    pub(crate) fn added(&self) -> View {
        View {
            at: self.buffers.added.at(0),
            leading: self.config.hidden_size,
        }
    }

    pub(crate) fn norm(&self, norm: &Norm<'_>) -> Result<(), CudaError> {
        self.device.part(Part::Pointwise)?;
        let hidden = self.config.hidden_size;
        let added = self.added();
        let arguments = arguments![
            norm.x,
            if norm.add { added.at } else { 0_u64 },
            added.leading,
            norm.rows.map_or(0_u64, |rows| rows.at(0)),
            norm.weight,
            self.config.rms_norm_eps as f32,
            norm.sum.unwrap_or(0_u64),
            norm.normed.at,
            norm.normed.leading,
            norm.inverse,
            hidden,
        ];
        self.device
            .launch(Kernel::AddNorm, (norm.count, 1), 256, 4 * hidden, arguments)
    }

    /// Runs all layers and keeps their inputs; what the last one adds is not yet in the residual stream.
    pub(crate) fn forward(&self, batch: &Batch) -> Result<(), CudaError> {
        self.device.part(Part::Pointwise)?;
        let (t, tokens) = (batch.tokens(), &self.buffers.tokens);
        let new = self.buffers.trained.at(self.plan.rows.embedding);
        self.weights
            .embedding
            .embed(&self.device, tokens, t, new, self.checkpoint(0, t))?;
        for layer in 0..self.plan.layers {
            self.layer_forward(layer, batch, false)?;
        }
        Ok(())
    }

    /// One layer. `again` computes what the way back needs from the input that was kept.
    pub(crate) fn layer_forward(
        &self,
        layer: usize,
        batch: &Batch,
        again: bool,
    ) -> Result<(), CudaError> {
        let (t, buffers, weights) = (batch.tokens(), &self.buffers, &self.weights.layers[layer]);
        self.unpack_layer(layer)?;
        let (input, middle) = (self.checkpoint(layer, t), buffers.middle.at(0));
        let kept = again || layer == 0;
        self.norm(&Norm {
            x: if kept { input } else { middle },
            add: !kept,
            rows: None,
            count: t,
            weight: &weights.input_norm,
            sum: (!kept).then_some(input),
            normed: self.input(QUERY_KEY_VALUE),
            inverse: &buffers.inverse[0],
        })?;
        let made = |memory: &Memory, group: usize| View {
            at: memory.at(0),
            leading: self.plan.groups[group].output_leading(),
        };
        let to = made(&buffers.query_key_value, QUERY_KEY_VALUE);
        self.group_forward(QUERY_KEY_VALUE, t, Some(to))?;
        self.attention_forward(batch)?;
        self.group_forward(OUTPUT, t, Some(self.added()))?;
        self.norm(&Norm {
            x: input,
            add: true,
            rows: None,
            count: t,
            weight: &weights.post_norm,
            sum: Some(middle),
            normed: self.input(GATE_UP),
            inverse: &buffers.inverse[1],
        })?;
        let gate_up = made(&buffers.gate_up, GATE_UP);
        self.group_forward(GATE_UP, t, Some(gate_up))?;
        self.device.part(Part::Pointwise)?;
        let (to, inner) = (self.input(DOWN), self.config.intermediate_size);
        let arguments = arguments![gate_up.at, gate_up.leading, to.at, to.leading, inner];
        let grid = (t, inner.div_ceil(4 * 256));
        self.device
            .launch(Kernel::Swiglu, grid, 256, 0, arguments)?;
        self.group_forward(DOWN, t, (!again).then(|| self.added()))
    }
}
