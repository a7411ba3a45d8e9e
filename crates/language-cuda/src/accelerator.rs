//! Fine-tuning of `language` with its losses and gradients computed on a GPU.

use crystalgym_language::{
    Accelerator, Example, LanguageError, Llama, TokenLosses, Trainable, TrainedPart, micro_batches,
};

use crate::{Batch, CudaError, Device, Limits, Precision, Trainer};

/// A model on a GPU that takes the place of the processor in a fine-tuning.
///
/// Batches are read in micro-batches of up to so many tokens; room for them grows with the largest met.
pub struct CudaAccelerator {
    name: String,
    trainer: Trainer,
    micro_batch_tokens: usize,
}

impl CudaAccelerator {
    /// Opens the first GPU and copies the model to it.
    ///
    /// # Errors
    /// [`CudaError::NoDriver`] where there is no GPU, [`CudaError::Memory`] if the model does not fit,
    /// [`CudaError::Setting`] for what the kernels cannot do: dropout, or training of every weight.
    pub fn open(
        model: &Llama,
        trainable: &Trainable,
        precision: Precision,
        micro_batch_tokens: usize,
    ) -> Result<Self, CudaError> {
        check(trainable.part())?;
        let device = Device::open(0, precision)?;
        Ok(Self {
            name: device.name()?,
            trainer: Trainer::new(device, model, trainable, Limits::default())?,
            micro_batch_tokens,
        })
    }

    /// The GPU's name, and its compute capability.
    pub fn name(&self) -> &str {
        &self.name
    }

    fn compute(
        &mut self,
        trainable: &Trainable,
        examples: &[Example],
        gradients: Option<&mut [f32]>,
    ) -> Result<TokenLosses, CudaError> {
        let mut batches = Vec::new();
        for range in micro_batches(examples, self.micro_batch_tokens) {
            let mut batch = Batch::new();
            for example in &examples[range] {
                batch.push(&example.prompt, &example.completion)?;
            }
            batches.push(batch);
        }
        let needed = batches
            .iter()
            .map(Limits::of)
            .fold(Limits::default(), Limits::both);
        if needed.both(self.trainer.limits) != self.trainer.limits {
            self.trainer
                .make_room(needed.with_spare().both(self.trainer.limits))?;
        }
        self.trainer.set_values(trainable.values())?;
        let answers: usize = batches.iter().map(Batch::answers).sum();
        let weight = match gradients {
            Some(_) => 1.0 / answers.max(1) as f32,
            None => 0.0,
        };
        let mut losses = TokenLosses::default();
        for batch in &batches {
            losses += self.trainer.accumulate(batch, weight)?;
        }
        if let Some(gradients) = gradients {
            let found = self.trainer.gradients()?;
            let pairs = gradients.iter_mut().zip(&found);
            pairs.for_each(|(sum, found)| *sum += found);
        }
        Ok(losses)
    }
}

/// # Errors
/// [`CudaError::Setting`] for what is not computed on a GPU.
fn check(part: &TrainedPart) -> Result<(), CudaError> {
    let (field, found, expected) = match part {
        TrainedPart::Lora(lora) if lora.dropout > 0.0 => (
            "dropout",
            lora.dropout.to_string(),
            "0, as a GPU drops no inputs",
        ),
        TrainedPart::Lora(_) => return Ok(()),
        TrainedPart::Whole => (
            "whole",
            "true".to_owned(),
            "low-rank additions, which alone are trained on a GPU",
        ),
    };
    Err(CudaError::setting(field, found, expected))
}

impl Accelerator for CudaAccelerator {
    fn losses(
        &mut self,
        trainable: &Trainable,
        examples: &[Example],
        gradients: Option<&mut [f32]>,
    ) -> Result<TokenLosses, LanguageError> {
        self.compute(trainable, examples, gradients)
            .map_err(|error| LanguageError::Device(Box::new(error)))
    }
}

#[cfg(test)]
mod tests {
    use crystalgym_language::LoraConfig;

    use super::*;

    #[test]
    fn what_a_gpu_does_not_compute_is_refused_by_name() {
        let error = check(&TrainedPart::Whole).unwrap_err().to_string();
        assert!(error.contains("'whole'"), "{error}");
        let dropped = TrainedPart::Lora(LoraConfig::default());
        let error = check(&dropped).unwrap_err().to_string();
        assert!(error.starts_with("'dropout' is 0.05"), "{error}");
        check(&TrainedPart::Lora(LoraConfig {
            dropout: 0.0,
            ..LoraConfig::default()
        }))
        .unwrap();
    }
}
