//! AdamW on the GPU.

use crate::{CudaError, Part, Trainer, buffers::SUMS, device::arguments, kernels::Kernel};

/// Adam with decoupled weight decay (Loshchilov and Hutter 2019), with the defaults of PyTorch.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AdamW {
    /// Decay of the mean of the gradient.
    pub beta1: f64,
    /// Decay of the mean of its square.
    pub beta2: f64,
    /// Added to the root of the second moment.
    pub epsilon: f64,
    /// Share of each number that a step of rate 1 takes away.
    pub weight_decay: f64,
    /// Largest norm of the gradient; absent: not clipped.
    pub max_gradient_norm: Option<f64>,
}

impl Default for AdamW {
    fn default() -> Self {
        Self {
            beta1: 0.9,
            beta2: 0.999,
            epsilon: 1e-8,
            weight_decay: 0.0,
            max_gradient_norm: Some(1.0),
        }
    }
}

impl Trainer {
    /// One step along the gradients added up so far, which are zero afterwards.
    ///
    /// # Errors
    /// [`CudaError::Driver`] if a kernel fails.
    pub fn step(&mut self, learning_rate: f64, adam: &AdamW) -> Result<(), CudaError> {
        self.device.part(Part::Optimiser)?;
        let (buffers, count) = (&self.buffers, self.plan.numbers());
        let arguments = arguments![&buffers.trained_gradient, count as i64, &buffers.sums];
        self.device
            .launch(Kernel::SquareSums, (SUMS, 1), 256, 0, arguments)?;
        let most = adam.max_gradient_norm.unwrap_or(0.0) as f32;
        let arguments = arguments![&buffers.sums, SUMS, most, &buffers.norm];
        self.device
            .launch(Kernel::Clipping, (1, 1), 1, 0, arguments)?;
        self.steps += 1;
        let power = self.steps as f64;
        let arguments = arguments![
            &buffers.trained,
            &buffers.trained_gradient,
            &buffers.moments[0],
            &buffers.moments[1],
            count as i64,
            &buffers.norm,
            adam.beta1 as f32,
            adam.beta2 as f32,
            adam.epsilon as f32,
            (1.0 - learning_rate * adam.weight_decay) as f32,
            (learning_rate / (1.0 - adam.beta1.powf(power))) as f32,
            (1.0 / (1.0 - adam.beta2.powf(power)).sqrt()) as f32,
        ];
        self.device
            .launch(Kernel::Adamw, (count.div_ceil(256), 1), 256, 0, arguments)
    }

    /// Norm of the gradient of the last step, before it was clipped.
    ///
    /// # Errors
    /// [`CudaError::Driver`] if it cannot be copied.
    pub fn gradient_norm(&self) -> Result<f32, CudaError> {
        let norm = self.device.download(&self.buffers.norm, 1)?;
        Ok(norm.first().copied().unwrap_or_default())
    }
}
