//! The last norm, the head, and the losses of the predicted tokens.

use crate::{
    Batch, CudaError, Part, Trainer,
    blas::{Held, Layout, View},
    buffers::{LOGIT_ROWS, logit_leading},
    device::arguments,
    forward::Norm,
    kernels::Kernel,
};

impl Trainer {
    /// Losses `−ln p(token)` of all predicted tokens, `weight ·` their gradient at the normed rows, and that
    /// of the rows of new tokens.
    pub(crate) fn head_forward(&self, batch: &Batch, weight: f32) -> Result<(), CudaError> {
        let (buffers, device) = (&self.buffers, &self.device);
        let hidden = self.config.hidden_size;
        let (answers, leading) = (batch.answers(), logit_leading(&self.config, &self.plan));
        let count = self.config.vocab_size + self.plan.rows.count;
        self.norm(&Norm {
            x: buffers.middle.at(0),
            add: true,
            rows: Some(&buffers.rows),
            count: answers,
            weight: &self.weights.norm,
            sum: Some(buffers.last.at(0)),
            normed: self.last(0),
            inverse: &buffers.last_inverse,
        })?;
        device.part(Part::Head)?;
        self.unpack_head()?;
        let head = View {
            at: buffers.head.at(0),
            leading: hidden,
        };
        let (logits, slopes) = (buffers.logits.at(0), buffers.logit_gradient.at(0));
        let view = |at| View { at, leading };
        for first in (0..answers).step_by(LOGIT_ROWS) {
            let rows = LOGIT_ROWS.min(answers - first);
            let (normed, to) = (self.last(first), (view(logits), Held::F32));
            device.product(Layout::AbT, (rows, hidden, count), 1.0, (normed, head), to)?;
            let arguments = arguments![
                logits,
                leading,
                buffers.targets.at(first),
                count,
                self.config.vocab_size,
                weight,
                buffers.losses.at(first),
                buffers.losses.at(answers + first),
                slopes,
            ];
            device.launch(Kernel::CrossEntropy, (rows, 1), 1024, 0, arguments)?;
            if weight != 0.0 {
                let to = View {
                    at: buffers.last_gradient.at(first * hidden),
                    leading: hidden,
                };
                let factors = (view(slopes), head);
                device.product(
                    Layout::Ab,
                    (rows, count, hidden),
                    1.0,
                    factors,
                    (to, Held::Element),
                )?;
                self.head_rows_backward(rows, normed)?;
            }
        }
        Ok(())
    }

    /// All rows of the head in elements, those of new tokens behind the frozen ones.
    fn unpack_head(&self) -> Result<(), CudaError> {
        let (buffers, device, rows) = (&self.buffers, &self.device, &self.plan.rows);
        let hidden = self.config.hidden_size;
        self.weights.head().unpack(device, &buffers.head, hidden)?;
        let numbers = rows.count * hidden;
        let arguments = arguments![
            buffers.trained.at(rows.head),
            buffers.head.at(self.config.vocab_size * hidden),
            numbers as i64,
        ];
        let grid = (numbers.div_ceil(256), 1);
        device.launch(Kernel::ToElements, grid, 256, 0, arguments)
    }

    /// Adds the gradient of the head's rows of new tokens, from `count` rows of logits.
    fn head_rows_backward(&self, count: usize, normed: View) -> Result<(), CudaError> {
        let (buffers, rows) = (&self.buffers, &self.plan.rows);
        if !rows.trained {
            return Ok(());
        }
        let slopes = View {
            at: buffers.logit_gradient.at(self.config.vocab_size),
            leading: logit_leading(&self.config, &self.plan),
        };
        let to = View {
            at: buffers.trained_gradient.at(rows.head),
            leading: self.config.hidden_size,
        };
        let sizes = (rows.count, count, self.config.hidden_size);
        let factors = (slopes, normed);
        self.device
            .product(Layout::AtB, sizes, 1.0, factors, (to, Held::Added))
    }

    /// Normed rows at the predicted tokens from row `first` on.
    fn last(&self, first: usize) -> View {
        let hidden = self.config.hidden_size;
        View {
            at: self.buffers.last_normed.at(first * hidden),
            leading: hidden,
        }
    }
}
