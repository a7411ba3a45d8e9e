//! Fine-tuning on a few crystals: it learns, and stopped and resumed it is the same to the bit.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use crystalgym_crystal::{Lattice, Structure};
use crystalgym_language::{
    CrystalRow, CrystalTokenizer, Llama, LlamaConfig, LoraConfig, Sft, SftConfig, TrainedPart, Work,
};

fn model() -> Llama {
    let config = LlamaConfig {
        hidden_size: 32,
        intermediate_size: 48,
        num_hidden_layers: 2,
        num_attention_heads: 4,
        num_key_value_heads: 2,
        head_dim: 8,
        vocab_size: 256,
        rms_norm_eps: 1e-5,
        rope_theta: 10_000.0,
        rope_scaling: None,
        tie_word_embeddings: true,
        max_position_embeddings: 1024,
    };
    Llama::random(config, 1).unwrap()
}

/// Salts whose cell says the anion.
fn salts() -> Vec<CrystalRow> {
    let mut rows = Vec::new();
    for (number, anion) in ["F", "Cl", "Br", "I"].iter().enumerate() {
        for index in 0..6 {
            let length = 3.0 + number as f64 + 0.1 * f64::from(index);
            let lattice = Lattice::from_parameters([length; 3], [90.0; 3]).unwrap();
            let elements = ["K", anion].map(|symbol| symbol.parse().unwrap()).to_vec();
            let structure = Structure::new(lattice, elements, vec![[0.0; 3], [0.5; 3]]).unwrap();
            rows.push(CrystalRow {
                name: format!("K{anion}"),
                structure,
                band_gap_ev: None,
            });
        }
    }
    rows
}

fn sft(trained: TrainedPart, threads: usize) -> Sft {
    let config = SftConfig {
        trained,
        batch: 6,
        epochs: 10.0,
        learning_rate: 1e-2,
        warm_up: 2,
        validation: 4,
        ..SftConfig::default()
    };
    let work = Work {
        micro_batch_tokens: 600,
        checkpointing: true,
        threads,
    };
    let tokenizer = CrystalTokenizer::of_bytes().unwrap();
    Sft::new(model(), tokenizer, salts(), config, work).unwrap()
}

fn lora() -> TrainedPart {
    TrainedPart::Lora(LoraConfig {
        rank: 4,
        ..LoraConfig::default()
    })
}

#[test]
fn stopped_and_resumed_it_is_the_same() {
    let folder = tempfile::tempdir().unwrap();
    for part in [lora(), TrainedPart::Whole] {
        let mut through = sft(part.clone(), 1);
        let mut stopped = sft(part.clone(), 2);
        let mut steps = Vec::new();
        for _ in 0..4 {
            steps.push(through.step().unwrap());
        }
        for expected in &steps[..2] {
            assert_eq!(stopped.step().unwrap(), *expected);
        }
        stopped.save(folder.path()).unwrap();
        let mut resumed = sft(part, 1);
        resumed.restore(folder.path()).unwrap();
        for expected in &steps[2..] {
            assert_eq!(resumed.step().unwrap(), *expected);
        }
        assert!(resumed.trainable() == through.trainable());
        assert_eq!(resumed.validate().unwrap(), through.validate().unwrap());
    }
    // Of other settings.
    let error = sft(lora(), 1)
        .restore(folder.path())
        .unwrap_err()
        .to_string();
    assert!(error.contains("other settings"), "{error}");
}

#[test]
fn a_small_model_learns_what_the_density_and_the_cell_say() {
    let mut sft = sft(TrainedPart::Whole, 2);
    let before = sft.validate().unwrap();
    while sft.steps() < 30 {
        sft.step().unwrap();
    }
    let after = sft.validate().unwrap();
    let (loss, start) = (
        after.sum / after.tokens as f64,
        before.sum / before.tokens as f64,
    );
    // Chance among 374 tokens is ln 374 = 5.9; two elements that are always the same alone leave
    // less than 2.
    assert!(start > 5.0 && loss < 2.0, "{start} {loss}");
    assert!(after.right > before.right);
}

#[test]
fn settings_that_cannot_be_are_named() {
    let tokenizer = CrystalTokenizer::of_bytes().unwrap();
    let work = Work {
        micro_batch_tokens: 100,
        checkpointing: false,
        threads: 1,
    };
    for (config, expected) in [
        (
            SftConfig {
                batch: 0,
                ..SftConfig::default()
            },
            "batch is 0",
        ),
        (
            SftConfig {
                validation: 24,
                ..SftConfig::default()
            },
            "less than the 24 crystals",
        ),
        (
            SftConfig {
                learning_rate: f64::NAN,
                ..SftConfig::default()
            },
            "learning_rate is NaN",
        ),
        (
            SftConfig {
                trained: TrainedPart::Lora(LoraConfig {
                    rank: 0,
                    ..LoraConfig::default()
                }),
                ..SftConfig::default()
            },
            "lora.rank is 0",
        ),
    ] {
        let made = Sft::new(model(), tokenizer.clone(), salts(), config, work);
        let error = made.err().unwrap().to_string();
        assert!(error.contains(expected), "{error}");
    }
    let work = Work {
        micro_batch_tokens: 1 << 40,
        ..work
    };
    let config = SftConfig {
        validation: 4,
        ..SftConfig::default()
    };
    let error = Sft::new(model(), tokenizer, salts(), config, work)
        .err()
        .unwrap()
        .to_string();
    assert!(error.contains("GiB of memory"), "{error}");
}
