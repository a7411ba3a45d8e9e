//! Which shapes of Llama models the kernels can work with.

use crystalgym_language::{LlamaConfig, Module};

use crate::CudaError;

/// Weights of the linear maps of one layer.
pub fn layer_weights(config: &LlamaConfig) -> usize {
    let count = |module: Module| {
        let (outputs, inputs) = module.shape(config);
        outputs * inputs
    };
    Module::ALL.into_iter().map(count).sum()
}

/// Whether the kernels can work with this shape: they read rows in pieces of 16 numbers.
///
/// # Errors
/// [`CudaError::Setting`] names the first number that does not fit.
pub(crate) fn check(config: &LlamaConfig) -> Result<(), CudaError> {
    config.check().map_err(CudaError::Input)?;
    let multiples = [
        ("hidden_size", config.hidden_size, 16),
        ("intermediate_size", config.intermediate_size, 16),
        ("head_dim", config.head_dim, 8),
        ("num_attention_heads × head_dim", config.query_width(), 16),
    ];
    if let Some((field, found, of)) = multiples
        .into_iter()
        .find(|(_, found, of)| !found.is_multiple_of(*of))
    {
        return Err(CudaError::setting(
            field,
            found,
            format!("a multiple of {of}"),
        ));
    }
    // The norm keeps a row in shared memory, of which a block has 48 KiB.
    if config.hidden_size > 12_288 {
        return Err(CudaError::setting(
            "hidden_size",
            config.hidden_size,
            "12288 at most",
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Oracle: the published 8 030 261 248 parameters less 65 norms of 4096.
    #[test]
    fn weights_of_the_published_model_are_counted() {
        let config = LlamaConfig::llama_3_8b();
        let count = 32 * layer_weights(&config) + 2 * config.vocab_size * config.hidden_size;
        assert_eq!(count, 8_030_261_248 - 65 * 4096);
    }

    #[test]
    fn what_the_kernels_cannot_read_is_named() {
        let good = LlamaConfig::llama_3_8b();
        check(&good).unwrap();
        for (config, expected) in [
            (
                LlamaConfig {
                    hidden_size: 4100,
                    ..good.clone()
                },
                "hidden_size",
            ),
            (
                LlamaConfig {
                    head_dim: 12,
                    ..good.clone()
                },
                "head_dim",
            ),
            (
                LlamaConfig {
                    num_key_value_heads: 5,
                    ..good
                },
                "num_attention_heads",
            ),
        ] {
            let error = check(&config).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
    }
}
