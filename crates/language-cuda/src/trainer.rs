//! A model on a GPU with what is trained of it.

use crystalgym_language::{
    Llama, LlamaConfig, LoraConfig, Rotary, TokenLosses, Trainable, TrainedPart,
};

use crate::{
    Batch, CudaError, Device, Limits, Part, buffers::Buffers, memory::Memory, plan::Plan,
    weights::Weights,
};

/// A model on a GPU with low-rank additions and rows of new tokens that are trained.
///
/// The trained numbers are one flat vector of f32 in the order of
/// [`Trainable::values`](crystalgym_language::Trainable::values). The GPU computes losses and gradients;
/// the optimiser is the one of `language`.
pub struct Trainer {
    pub(crate) device: Device,
    pub(crate) config: LlamaConfig,
    pub(crate) plan: Plan,
    pub(crate) limits: Limits,
    pub(crate) weights: Weights,
    pub(crate) buffers: Buffers<Memory>,
    /// Radians from one position to the next, for each pair of numbers of a head.
    frequencies: Vec<f32>,
}

impl Trainer {
    /// Copies a model to the GPU and makes room for batches up to `limits`.
    ///
    /// # Errors
    /// [`CudaError::Memory`] with the number if the GPU has too little free memory,
    /// [`CudaError::Setting`] for a shape or settings that the kernels cannot work with.
    pub fn new(
        device: Device,
        model: &Llama,
        trainable: &Trainable,
        limits: Limits,
    ) -> Result<Self, CudaError> {
        let TrainedPart::Lora(lora) = trainable.part() else {
            return Err(CudaError::Input(
                "only low-rank additions are trained on a GPU".to_owned(),
            ));
        };
        let plan = Plan::new(model.config(), lora, trainable.rows())?;
        // The two crates lay the trained numbers out alike.
        let rows = (trainable.row_slot(), trainable.head_row_slot());
        if plan.numbers() != trainable.values().len()
            || rows != (plan.rows.embedding, plan.rows.head)
        {
            return Err(CudaError::Input(
                "what is trained is not of this model".to_owned(),
            ));
        }
        let weights = Weights::upload(&device, &plan, model)?;
        Self::with_weights(
            device,
            model.config(),
            plan,
            weights,
            model.rotary(),
            limits,
        )
    }

    /// A model with random weights in 8 bits, made on the GPU, and `rows` new tokens: for timing. All
    /// trained numbers are zero.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn with_random_weights(
        device: Device,
        config: &LlamaConfig,
        lora: &LoraConfig,
        rows: usize,
        limits: Limits,
    ) -> Result<Self, CudaError> {
        let plan = Plan::new(config, lora, rows)?;
        let weights = Weights::random(&device, &plan, config, 5)?;
        let rotary = Rotary::new(config, None);
        Self::with_weights(device, config, plan, weights, &rotary, limits)
    }

    fn with_weights(
        device: Device,
        config: &LlamaConfig,
        plan: Plan,
        weights: Weights,
        rotary: &Rotary,
        limits: Limits,
    ) -> Result<Self, CudaError> {
        let frequencies = rotary.frequencies().to_vec();
        let buffers = Buffers::new(&device, config, &plan, &limits)?;
        let mut made = Self {
            device,
            config: config.clone(),
            plan,
            limits,
            weights,
            buffers,
            frequencies,
        };
        made.write_angles()?;
        Ok(made)
    }

    fn write_angles(&mut self) -> Result<(), CudaError> {
        let places = 0..self.limits.longest.next_multiple_of(8);
        let angles: Vec<f32> = places
            .flat_map(|place| self.frequencies.iter().map(move |one| place as f32 * one))
            .collect();
        let table = |of: fn(f32) -> f32| angles.iter().map(|&angle| of(angle)).collect::<Vec<_>>();
        let (device, buffers) = (&self.device, &mut self.buffers);
        device.upload(&mut buffers.cosine, 0, &table(f32::cos))?;
        device.upload(&mut buffers.sine, 0, &table(f32::sin))
    }

    /// Makes room for larger batches; trained numbers and gradients are lost.
    ///
    /// # Errors
    /// [`CudaError::Memory`] with the number if the GPU has too little free memory.
    pub(crate) fn make_room(&mut self, limits: Limits) -> Result<(), CudaError> {
        // The old room goes before the new one comes.
        for limits in [Limits::default(), limits] {
            self.buffers = Buffers::new(&self.device, &self.config, &self.plan, &limits)?;
            self.limits = limits;
        }
        self.write_angles()
    }

    /// The GPU.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// Count of trained numbers.
    pub fn numbers(&self) -> usize {
        self.plan.numbers()
    }

    /// Sets the trained numbers, and all gradients to zero.
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
        self.device.upload(&mut self.buffers.trained, 0, values)?;
        self.device.clear(&mut self.buffers.trained_gradient, count)
    }

    /// The gradients added up since the trained numbers were set.
    ///
    /// # Errors
    /// [`CudaError::Driver`] if they cannot be copied.
    pub fn gradients(&self) -> Result<Vec<f32>, CudaError> {
        self.device
            .download(&self.buffers.trained_gradient, self.numbers())
    }

    /// Losses `−ln p(token)` of the predicted tokens in nats; `weight ·` the gradient of their sum is added
    /// to those of what is trained. With a weight of 0 nothing goes back.
    ///
    /// # Errors
    /// [`CudaError::Input`] for a batch beyond the limits or a token that the model does not have.
    pub fn accumulate(&mut self, batch: &Batch, weight: f32) -> Result<TokenLosses, CudaError> {
        let tokens = self.config.vocab_size + self.plan.rows.count;
        batch.check(tokens, &self.limits)?;
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
        let answers = batch.answers();
        let found = self.device.download(&self.buffers.losses, 2 * answers)?;
        let (losses, right) = found.split_at(answers);
        Ok(TokenLosses {
            sum: losses.iter().copied().map(f64::from).sum(),
            tokens: answers,
            right: right.iter().filter(|right| **right > 0.5).count(),
        })
    }

    /// Milliseconds that the parts of `work` take on the GPU, in the order of [`crate::Part::ALL`].
    ///
    /// # Errors
    /// Those of `work`, and [`CudaError::Driver`].
    pub fn profile(
        &mut self,
        work: impl FnOnce(&mut Self) -> Result<(), CudaError>,
    ) -> Result<[f64; Part::ALL.len()], CudaError> {
        self.device.start_profile();
        let done = work(self);
        let times = self.device.end_profile();
        done.and(times)
    }
}
