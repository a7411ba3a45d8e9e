//! Losses and gradients of batches: micro-batches in parallel, added up in their order, so that the
//! numbers do not depend on the number of threads.

use rayon::prelude::*;

use crate::{
    Dropout, LanguageError, Llama, PassOptions, Sequence, TokenLosses, Trainable, memory, random,
};

/// A prompt with its completion, which is what is learned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Example {
    /// What is given.
    pub prompt: Vec<u32>,
    /// What follows.
    pub completion: Vec<u32>,
}

impl Example {
    /// Tokens that the model reads: the last one predicts nothing.
    pub fn rows(&self) -> usize {
        self.prompt.len() + self.completion.len().saturating_sub(1)
    }
}

/// How batches are worked on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Work {
    /// Tokens of a micro-batch: examples are put together up to so many.
    pub micro_batch_tokens: usize,
    /// Whether activations are computed again instead of kept.
    pub checkpointing: bool,
    /// Micro-batches at a time; the results are the same for any number.
    pub threads: usize,
}

impl Work {
    /// # Errors
    /// [`LanguageError::Memory`] if the activations of a micro-batch on each thread do not fit what is
    /// available.
    pub fn check_memory(&self, model: &Llama, trainable: &Trainable) -> Result<(), LanguageError> {
        // As doubles: settings of somebody else may ask for more than an integer holds.
        let threads = self.threads as f64;
        let rows = threads * self.micro_batch_tokens as f64;
        let per_row = memory::bytes_per_row(model.config(), self.checkpointing);
        // A layer unpacked on each thread, gradients on each thread, gradient and moments.
        let layer = memory::weight_count(model.config()) / model.config().num_hidden_layers;
        let unpacked = threads * 4.0 * layer.min(1 << 30) as f64;
        let trained = (threads + 3.0) * 4.0 * trainable.values().len() as f64;
        memory::check(
            "a training step",
            rows * per_row as f64 + unpacked + trained,
            "checkpointing, fewer threads, or smaller micro-batches need less",
        )
    }

    /// Maps micro-batches, `threads` at a time, and hands the results on in their order.
    ///
    /// # Errors
    /// The first that `map` returns.
    pub fn in_order<T: Send>(
        &self,
        count: usize,
        map: impl Fn(usize) -> Result<T, LanguageError> + Sync,
        mut each: impl FnMut(T),
    ) -> Result<(), LanguageError> {
        let numbers: Vec<usize> = (0..count).collect();
        for some in numbers.chunks(self.threads.max(1)) {
            let results: Vec<_> = some.par_iter().map(|&number| map(number)).collect();
            for result in results {
                each(result?);
            }
        }
        Ok(())
    }
}

/// Ranges of examples that are read together, in their order: up to so many tokens, one example at least.
pub fn micro_batches(examples: &[Example], tokens: usize) -> Vec<std::ops::Range<usize>> {
    let mut ranges: Vec<std::ops::Range<usize>> = Vec::new();
    let mut filled = usize::MAX;
    for (index, example) in examples.iter().enumerate() {
        match ranges.last_mut() {
            Some(last) if filled + example.rows() <= tokens => {
                last.end = index + 1;
                filled += example.rows();
            }
            _ => {
                ranges.push(index..index + 1);
                filled = example.rows();
            }
        }
    }
    ranges
}

/// The losses of all completion tokens, and the gradient of their mean if `gradients` is given.
///
/// Examples of different lengths are put one after the other: nothing is padded. `dropout_seed`
/// distinguishes steps; without one nothing is dropped.
///
/// # Errors
/// [`LanguageError::Tokens`] for an example that cannot be read.
pub fn completion_losses(
    model: &Llama,
    trainable: &Trainable,
    examples: &[Example],
    work: Work,
    dropout_seed: Option<u64>,
    mut gradients: Option<&mut [f32]>,
) -> Result<TokenLosses, LanguageError> {
    if examples
        .iter()
        .any(|one| one.prompt.is_empty() || one.completion.is_empty())
    {
        let message = "an example has no prompt or no completion".to_owned();
        return Err(LanguageError::Tokens(message));
    }
    let total: usize = examples
        .iter()
        .map(|example| example.completion.len())
        .sum();
    let weight = match gradients {
        Some(_) => 1.0 / total.max(1) as f32,
        None => 0.0,
    };
    let ranges = micro_batches(examples, work.micro_batch_tokens);
    let mut losses = TokenLosses::default();
    let one = |number: usize| {
        let dropout = dropout_seed.map_or(Dropout::NONE, |seed| Dropout {
            share: trainable.dropout(),
            seed: random::key(seed, number as u64),
        });
        let options = PassOptions {
            // Nothing goes back, so nothing is kept.
            checkpointing: work.checkpointing || weight == 0.0,
            dropout,
        };
        micro_batch(
            model,
            trainable,
            &examples[ranges[number].clone()],
            options,
            weight,
        )
    };
    work.in_order(ranges.len(), one, |(found, part)| {
        losses += found;
        if let Some(gradients) = gradients.as_deref_mut() {
            gradients
                .iter_mut()
                .zip(&part)
                .for_each(|(sum, part)| *sum += part);
        }
    })?;
    Ok(losses)
}

fn micro_batch(
    model: &Llama,
    trainable: &Trainable,
    examples: &[Example],
    options: PassOptions,
    weight: f32,
) -> Result<(TokenLosses, Vec<f32>), LanguageError> {
    let mut sequences = Vec::with_capacity(examples.len());
    let (mut chosen, mut targets, mut start) = (Vec::new(), Vec::new(), 0);
    for example in examples {
        let mut tokens = example.prompt.clone();
        let read = example.completion.len() - 1;
        tokens.extend_from_slice(&example.completion[..read]);
        chosen.extend((0..=read).map(|place| start + example.prompt.len() - 1 + place));
        targets.extend_from_slice(&example.completion);
        start += tokens.len();
        sequences.push(Sequence::plain(tokens));
    }
    let (hidden, pass) = model.forward(trainable, &sequences, chosen, options)?;
    let mut gradients = match weight == 0.0 {
        true => Vec::new(),
        false => vec![0.0; trainable.values().len()],
    };
    let (losses, d_hidden) =
        model.cross_entropy(trainable, &hidden, &targets, weight, &mut gradients)?;
    if weight != 0.0 {
        model.backward(trainable, pass, &d_hidden, &mut gradients);
    }
    Ok((losses, gradients))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn examples_are_put_together_up_to_the_limit() {
        let of = |length: usize| Example {
            prompt: vec![0; length],
            completion: vec![1],
        };
        let examples: Vec<Example> = [3, 4, 4, 20, 1, 1].map(of).into();
        let ranges = micro_batches(&examples, 8);
        assert_eq!(ranges, [0..2, 2..3, 3..4, 4..6]);
        assert!(micro_batches(&[], 8).is_empty());
    }
}
