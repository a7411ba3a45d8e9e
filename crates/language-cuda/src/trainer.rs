//! A model on a GPU with what is trained of it.

use crate::{
    Batch, CudaError, Device, Limits, LlamaShape, LoraSettings, Weights, buffers::Buffers,
    memory::Memory, plan::Plan,
};

/// A model on a GPU with low-rank additions that are trained.
///
/// The trained numbers are one flat vector of f32: layer by layer, of each layer the maps in the order of
/// [`crate::Module::ALL`], of each map A (rank × inputs) before B (outputs × rank).
pub struct Trainer {
    pub(crate) device: Device,
    pub(crate) shape: LlamaShape,
    pub(crate) plan: Plan,
    pub(crate) limits: Limits,
    pub(crate) weights: Weights,
    pub(crate) buffers: Buffers<Memory>,
    pub(crate) steps: u64,
}

impl Trainer {
    /// Makes room for batches up to `limits`; all trained numbers are zero.
    ///
    /// # Errors
    /// [`CudaError::Memory`] with the number if the GPU has too little free memory,
    /// [`CudaError::Setting`] for settings that cannot be.
    pub fn new(
        device: Device,
        shape: LlamaShape,
        weights: Weights,
        lora: &LoraSettings,
        limits: Limits,
    ) -> Result<Self, CudaError> {
        let plan = Plan::new(&shape, lora)?;
        let mut buffers = Buffers::new(&device, &shape, &plan, &limits)?;
        let frequencies = shape.frequencies();
        let angles: Vec<f64> = (0..limits.longest.next_multiple_of(8))
            .flat_map(|place| {
                frequencies
                    .iter()
                    .map(move |frequency| place as f64 * frequency)
            })
            .collect();
        let table = |of: fn(f64) -> f64| {
            angles
                .iter()
                .map(|&angle| of(angle) as f32)
                .collect::<Vec<_>>()
        };
        device.upload(&mut buffers.cosine, 0, &table(f64::cos))?;
        device.upload(&mut buffers.sine, 0, &table(f64::sin))?;
        Ok(Self {
            device,
            shape,
            plan,
            limits,
            weights,
            buffers,
            steps: 0,
        })
    }

    /// The GPU.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// Count of trained numbers.
    pub fn numbers(&self) -> usize {
        self.plan.numbers()
    }

    /// The trained numbers.
    ///
    /// # Errors
    /// [`CudaError::Driver`] if they cannot be copied.
    pub fn values(&self) -> Result<Vec<f32>, CudaError> {
        self.device.download(&self.buffers.trained, self.numbers())
    }

    /// Sets the trained numbers.
    ///
    /// # Errors
    /// [`CudaError::Input`] if they are not as many.
    pub fn set_values(&mut self, values: &[f32]) -> Result<(), CudaError> {
        let count = self.numbers();
        if values.len() != count {
            return Err(CudaError::Input(format!(
                "{} trained numbers, expected {count}",
                values.len()
            )));
        }
        self.device.upload(&mut self.buffers.trained, 0, values)
    }

    /// The gradients added up since the last step.
    ///
    /// # Errors
    /// [`CudaError::Driver`] if they cannot be copied.
    pub fn gradients(&self) -> Result<Vec<f32>, CudaError> {
        self.device
            .download(&self.buffers.trained_gradient, self.numbers())
    }

    /// Sum of the losses `−ln p(token)` of the predicted tokens in nats; `weight ·` its gradient is added
    /// to those of what is trained. With a weight of 0 nothing goes back.
    ///
    /// # Errors
    /// [`CudaError::Input`] for a batch beyond the limits or a token that the model does not have.
    pub fn accumulate(&mut self, batch: &Batch, weight: f32) -> Result<f64, CudaError> {
        batch.check(self.shape.vocab_size, &self.limits)?;
        let buffers = &mut self.buffers;
        for (memory, values) in [
            (&mut buffers.tokens, &batch.tokens),
            (&mut buffers.starts, &batch.starts),
            (&mut buffers.rows, &batch.rows),
            (&mut buffers.targets, &batch.targets),
        ] {
            self.device.upload(memory, 0, values)?;
        }
        self.forward(batch)?;
        self.head_forward(batch, weight)?;
        if weight != 0.0 {
            self.backward(batch)?;
        }
        let losses = self
            .device
            .download(&self.buffers.losses, batch.answers())?;
        Ok(losses.into_iter().map(f64::from).sum())
    }

    /// Milliseconds that the parts of `work` take on the GPU, in the order of [`crate::Part::ALL`].
    ///
    /// # Errors
    /// Those of `work`, and [`CudaError::Driver`].
    pub fn profile(
        &mut self,
        work: impl FnOnce(&mut Self) -> Result<(), CudaError>,
    ) -> Result<[f64; 7], CudaError> {
        self.device.start_profile();
        let done = work(self);
        let times = self.device.end_profile();
        done.and(times)
    }
}
