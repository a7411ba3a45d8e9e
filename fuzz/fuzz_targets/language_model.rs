//! Files of language models: GGUF, safetensors, configurations and tokenizers, small ones at least.
#![no_main]

use std::fs;

use crystalgym_language::{CrystalTokenizer, Llama, LlamaConfig, Precision, WeightSource};
use libfuzzer_sys::fuzz_target;

/// What may be held of a model here, in numbers.
const MOST_NUMBERS: usize = 1 << 20;

fuzz_target!(|data: &[u8]| {
    let Some((kind, data)) = data.split_first() else {
        return;
    };
    let Ok(folder) = tempfile::tempdir() else {
        return;
    };
    let folder = folder.path();
    let file = folder.join(match kind % 4 {
        0 => "model.gguf",
        1 => "model.safetensors",
        2 => "config.json",
        _ => "tokenizer.json",
    });
    let path = if kind % 4 == 0 { &file } else { folder };
    let config = r#"{"model_type": "llama", "hidden_size": 8, "intermediate_size": 8,
        "num_attention_heads": 2, "num_hidden_layers": 1, "num_key_value_heads": 1,
        "rms_norm_eps": 1e-5, "vocab_size": 256, "max_position_embeddings": 64}"#;
    if fs::write(folder.join("config.json"), config).is_err() || fs::write(&file, data).is_err() {
        return;
    }
    if let Ok(config) = LlamaConfig::read(&folder.join("config.json"))
        && let Ok(tokenizer) = CrystalTokenizer::read(path, &config)
    {
        let _ = tokenizer.encode("0.5 90");
    }
    let Ok(source) = WeightSource::open(path) else {
        return;
    };
    let config = source.config();
    let layer = config
        .hidden_size
        .saturating_mul(config.hidden_size + config.intermediate_size);
    let numbers = layer
        .saturating_mul(config.num_hidden_layers)
        .saturating_add(config.vocab_size.saturating_mul(config.hidden_size));
    if numbers < MOST_NUMBERS {
        let _ = Llama::read(path, Precision::AsStored);
    }
});
