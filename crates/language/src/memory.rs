//! How much memory a model takes, counted before it is read.

use crate::{
    LanguageError, LlamaConfig,
    model::{module::Module, precision::Precision},
};

const GIB: f64 = (1_u64 << 30) as f64;

/// Weights of all matrices.
pub fn weight_count(config: &LlamaConfig) -> usize {
    let layer: usize = Module::ALL
        .iter()
        .map(|module| {
            let (rows, columns) = module.shape(config);
            rows * columns
        })
        .sum();
    let heads = if config.tie_word_embeddings { 1 } else { 2 };
    config.num_hidden_layers * layer + heads * config.vocab_size * config.hidden_size
}

/// Bytes that the activations of one training row take: what the backward pass needs of each layer,
/// or, with checkpointing, each layer's input and one layer's activations.
pub fn bytes_per_row(config: &LlamaConfig, checkpointing: bool) -> usize {
    let hidden = config.hidden_size;
    let inner = 3 * hidden
        + 2 * config.query_width()
        + 2 * config.key_width()
        + 3 * config.intermediate_size;
    match checkpointing {
        true => 4 * (config.num_hidden_layers * hidden + 3 * inner),
        false => 4 * (config.num_hidden_layers * inner + 3 * inner),
    }
}

/// Bytes that the system would still give, where it says.
pub fn available() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("MemAvailable:"))?;
    let kib: u64 = line.trim().trim_end_matches("kB").trim().parse().ok()?;
    Some(kib * 1024)
}

/// # Errors
/// [`LanguageError::Memory`] if the weights do not fit what is available.
pub(crate) fn check_weights(
    config: &LlamaConfig,
    precision: Precision,
) -> Result<(), LanguageError> {
    // A file of unknown precision takes a byte for each weight at least, but for the 4-bit blocks.
    let bytes = match precision {
        Precision::AsStored => 0.5,
        Precision::EightBit => 0.5,
        Precision::Full => 4.0,
    };
    check(
        "the model",
        weight_count(config) as f64 * bytes,
        "hold it in 8 bits, or take a smaller one",
    )
}

/// # Errors
/// [`LanguageError::Memory`] if so many bytes are more than what is available.
pub fn check(what: &'static str, bytes: f64, advice: &'static str) -> Result<(), LanguageError> {
    match available() {
        Some(available) if bytes > available as f64 => Err(LanguageError::Memory {
            what,
            needed_gib: bytes / GIB,
            available_gib: available as f64 / GIB,
            advice,
        }),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Oracle: the published 8.03 · 10⁹ parameters less 266 240 of the norms.
    #[test]
    fn weights_of_the_published_model_are_counted() {
        assert_eq!(
            weight_count(&LlamaConfig::llama_3_8b()),
            8_030_261_248 - 65 * 4096
        );
    }

    #[test]
    fn what_no_machine_has_is_refused_with_the_number() {
        let mut config = LlamaConfig::llama_3_8b();
        config.num_hidden_layers = 512;
        config.hidden_size = 1 << 16;
        let error = check_weights(&config, Precision::Full)
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("GiB of memory") && error.contains("8 bits"),
            "{error}"
        );
    }
}
