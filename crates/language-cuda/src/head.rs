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
    /// Losses `−ln p(token)` of all predicted tokens, and `weight ·` their gradient at the normed rows.
    pub(crate) fn head_forward(&self, batch: &Batch, weight: f32) -> Result<(), CudaError> {
        let (buffers, device) = (&self.buffers, &self.device);
        let (hidden, vocabulary) = (self.shape.hidden_size, self.shape.vocab_size);
        let (answers, leading) = (batch.answers(), logit_leading(&self.shape));
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
        self.weights.head().unpack(device, &buffers.head, hidden)?;
        let head = View {
            at: buffers.head.at(0),
            leading: hidden,
        };
        let (logits, slopes) = (buffers.logits.at(0), buffers.logit_gradient.at(0));
        let view = |at| View { at, leading };
        for first in (0..answers).step_by(LOGIT_ROWS) {
            let rows = LOGIT_ROWS.min(answers - first);
            let (normed, to) = (self.last(first), (view(logits), Held::F32));
            device.product(
                Layout::AbT,
                (rows, hidden, vocabulary),
                1.0,
                (normed, head),
                to,
            )?;
            let arguments = arguments![
                logits,
                leading,
                buffers.targets.at(first),
                vocabulary,
                weight,
                buffers.losses.at(first),
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
                    (rows, vocabulary, hidden),
                    1.0,
                    factors,
                    (to, Held::Element),
                )?;
            }
        }
        Ok(())
    }

    /// Normed rows at the predicted tokens from row `first` on.
    fn last(&self, first: usize) -> View {
        let hidden = self.shape.hidden_size;
        View {
            at: self.buffers.last_normed.at(first * hidden),
            leading: hidden,
        }
    }
}
