//! From the losses back to the gradients of what is trained.

use crate::{
    Batch, CudaError, Part, Trainer,
    blas::View,
    buffers::residual_leading,
    device::arguments,
    kernels::Kernel,
    memory::Memory,
    plan::{DOWN, GATE_UP, OUTPUT, QUERY_KEY_VALUE},
};

impl Trainer {
    /// Adds the gradients of all layers to those of what is trained.
    pub(crate) fn backward(&mut self, batch: &Batch) -> Result<(), CudaError> {
        self.device.part(Part::Pointwise)?;
        let t = batch.tokens();
        let hidden = self.config.hidden_size;
        // Rows that predict nothing start from nothing.
        self.device.clear(&mut self.buffers.gradient, t * hidden)?;
        let leading = residual_leading(&self.plan);
        self.device
            .clear(&mut self.buffers.residual_gradient, t * leading)?;
        let last = (self.buffers.last_gradient.at(0), self.buffers.last.at(0));
        let rows = Some(&self.buffers.rows);
        self.norm_backward(
            last,
            &self.buffers.last_inverse,
            &self.weights.norm,
            rows,
            batch.answers(),
        )?;
        for layer in (0..self.plan.layers).rev() {
            // The last layer's activations are still there.
            if layer + 1 < self.plan.layers {
                self.layer_forward(layer, batch, true)?;
            }
            self.layer_backward(layer, batch)?;
        }
        match self.plan.rows.trained {
            true => self.embed_backward(t),
            false => Ok(()),
        }
    }

    /// From the gradient of the first layer's input to that of the rows of new tokens.
    fn embed_backward(&self, t: usize) -> Result<(), CudaError> {
        self.device.part(Part::Pointwise)?;
        let (buffers, rows) = (&self.buffers, &self.plan.rows);
        let arguments = arguments![
            &buffers.gradient,
            &buffers.tokens,
            t,
            self.config.vocab_size,
            buffers.trained_gradient.at(rows.embedding),
            self.config.hidden_size,
        ];
        self.device
            .launch(Kernel::EmbedBackward, (rows.count, 1), 256, 0, arguments)
    }

    fn layer_backward(&self, layer: usize, batch: &Batch) -> Result<(), CudaError> {
        let (t, buffers, weights) = (batch.tokens(), &self.buffers, &self.weights.layers[layer]);
        let (inner, query_width) = (self.config.intermediate_size, self.config.query_width());
        let of_residual = View {
            at: buffers.residual_gradient.at(0),
            leading: residual_leading(&self.plan),
        };
        let view = |memory: &Memory, leading| View {
            at: memory.at(0),
            leading,
        };
        let d_inner = view(&buffers.inner_gradient, inner);
        self.group_backward((layer, DOWN), t, of_residual, Some(d_inner))?;
        self.device.part(Part::Pointwise)?;
        let gate_up = view(&buffers.gate_up, self.plan.groups[GATE_UP].output_leading());
        // Each thread reads its numbers before it writes their gradient in their place.
        let arguments = arguments![
            gate_up.at,
            gate_up.leading,
            d_inner.at,
            d_inner.leading,
            gate_up.at,
            gate_up.leading,
            inner,
        ];
        let grid = (t, inner.div_ceil(4 * 256));
        self.device
            .launch(Kernel::SwigluBackward, grid, 256, 0, arguments)?;
        self.group_backward((layer, GATE_UP), t, gate_up, Some(self.added()))?;
        let middle = (self.added().at, buffers.middle.at(0));
        self.norm_backward(middle, &buffers.inverse[1], &weights.post_norm, None, t)?;
        let d_seen = view(&buffers.inner_gradient, query_width);
        self.group_backward((layer, OUTPUT), t, of_residual, Some(d_seen))?;
        self.attention_backward(batch)?;
        let qkv = view(
            &buffers.query_key_value,
            self.plan.groups[QUERY_KEY_VALUE].output_leading(),
        );
        // Below the first layer at most rows of new tokens are trained.
        let dx = (layer > 0 || self.plan.rows.trained).then(|| self.added());
        self.group_backward((layer, QUERY_KEY_VALUE), t, qkv, dx)?;
        match dx {
            None => Ok(()),
            Some(dx) => {
                let input = (dx.at, self.checkpoint(layer, t));
                self.norm_backward(input, &buffers.inverse[0], &weights.input_norm, None, t)
            }
        }
    }

    /// Through a norm of x to the gradient of the residual stream.
    fn norm_backward(
        &self,
        (d_normed, x): (u64, u64),
        inverse: &Memory,
        weight: &Memory,
        rows: Option<&Memory>,
        count: usize,
    ) -> Result<(), CudaError> {
        self.device.part(Part::Pointwise)?;
        let hidden = self.config.hidden_size;
        let arguments = arguments![
            d_normed,
            hidden,
            x,
            inverse,
            weight,
            rows.map_or(0_u64, |rows| rows.at(0)),
            &self.buffers.gradient,
            &self.buffers.residual_gradient,
            residual_leading(&self.plan),
            hidden,
        ];
        self.device
            .launch(Kernel::NormBackward, (count, 1), 256, 0, arguments)
    }
}
