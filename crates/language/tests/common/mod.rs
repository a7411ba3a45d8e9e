//! What the tests against `transformers` share.
#![allow(clippy::unwrap_used, reason = "a test may panic")]
#![allow(dead_code, reason = "each test uses a part")]

use std::path::Path;

use crystalgym_language::{
    AdamW, AdamWConfig, CosineSchedule, Example, Llama, LlamaConfig, PassOptions, RopeScaling,
    Sequence, Trainable, Work, completion_losses,
};
use serde_json::Value;

/// The numbers of the oracle's `formula`.
pub(crate) fn formula(count: usize, salt: u64, scale: f64) -> impl Iterator<Item = f64> {
    (0..count as u64).map(move |index| {
        let mut bits = (index * 2_654_435_761 + salt * 40_503) & 0xffff_ffff;
        bits = ((bits ^ (bits >> 15)) * 2_246_822_519) & 0xffff_ffff;
        bits ^= bits >> 13;
        ((bits >> 8) as f64 / f64::from(1 << 23) - 1.0) * scale
    })
}

pub(crate) fn f32s(count: usize, salt: u64, scale: f64) -> Vec<f32> {
    formula(count, salt, scale).map(|x| x as f32).collect()
}

/// The oracle's small model, through a folder as Hugging Face lays it out.
pub(crate) fn formula_model() -> Llama {
    let folder = tempfile::tempdir().unwrap();
    write_formula_model(folder.path());
    Llama::read(folder.path(), crystalgym_language::Precision::AsStored).unwrap()
}

pub(crate) fn write_formula_model(folder: &Path) {
    let config = LlamaConfig {
        hidden_size: 48,
        intermediate_size: 80,
        num_hidden_layers: 3,
        num_attention_heads: 6,
        num_key_value_heads: 2,
        head_dim: 8,
        vocab_size: 70,
        rms_norm_eps: 1e-5,
        rope_theta: 5000.0,
        rope_scaling: Some(RopeScaling {
            factor: 8.0,
            low_freq_factor: 1.0,
            high_freq_factor: 4.0,
            original_max_position_embeddings: 64.0,
        }),
        tie_word_embeddings: false,
        max_position_embeddings: 512,
    };
    let model = Llama::random(config.clone(), 1).unwrap();
    let tokenizer = crystalgym_language::CrystalTokenizer::of_bytes().unwrap();
    crystalgym_language::write_model(folder, &model, &tokenizer).unwrap();
    let path = folder.join("model.safetensors");
    let bytes = std::fs::read(&path).unwrap();
    let read = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let mut names: Vec<&str> = read.names();
    names.sort_unstable();
    let tensors: Vec<(String, Vec<usize>, Vec<u8>)> = names
        .iter()
        .enumerate()
        .map(|(salt, name)| {
            let view = read.tensor(name).unwrap();
            let count = view.shape().iter().product();
            let one = if name.contains("norm") { 1.0 } else { 0.0 };
            let values = f32s(count, salt as u64, 0.25);
            let data = values
                .iter()
                .flat_map(|x| (one + x).to_le_bytes())
                .collect();
            ((*name).to_owned(), view.shape().to_vec(), data)
        })
        .collect();
    let views = tensors.iter().map(|(name, shape, data)| {
        let view =
            safetensors::tensor::TensorView::new(safetensors::Dtype::F32, shape.clone(), data);
        (name.clone(), view.unwrap())
    });
    std::fs::write(path, safetensors::serialize(views, None).unwrap()).unwrap();
}

/// The low-rank additions of the oracle's formula.
pub(crate) fn set_lora(trainable: &mut Trainable) {
    let mut salt = 1000;
    for info in trainable.tensors().to_vec() {
        let scale = match &info.name {
            name if name.contains("lora_A") => 0.1,
            name if name.contains("lora_B") => 0.05,
            _ => continue,
        };
        let values = f32s(info.count(), salt, scale);
        trainable.values_mut()[info.offset..info.offset + info.count()].copy_from_slice(&values);
        salt += 1;
    }
}

/// What the oracle has written.
pub(crate) struct Oracle(Value);

impl Oracle {
    pub(crate) fn read(name: &str) -> Self {
        let path = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("tests/oracle")
            .join(name);
        Self(serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap())
    }

    pub(crate) fn value(&self) -> &Value {
        &self.0
    }

    pub(crate) fn batch(&self, number: usize) -> Vec<Example> {
        let batch = self.0["batches"][number].as_array().unwrap().iter();
        batch
            .map(|one| {
                let tokens: Vec<u32> = serde_json::from_value(one["tokens"].clone()).unwrap();
                let length = one["prompt"].as_u64().unwrap() as usize;
                Example {
                    prompt: tokens[..length].to_vec(),
                    completion: tokens[length..].to_vec(),
                }
            })
            .collect()
    }

    fn numbers(value: &Value) -> Vec<f64> {
        serde_json::from_value(value.clone()).unwrap()
    }

    /// Logits to 1e-3, loss and gradients to 1e-4 of their size, losses of twenty steps to 1e-4.
    pub(crate) fn check(&self, model: &Llama, trainable: &mut Trainable, work: Work) {
        let batches = [self.batch(0), self.batch(1)];
        let first = &batches[0][0];
        let tokens = [&first.prompt[..], &first.completion].concat();
        let last = tokens.len() - 1;
        let sequences = [Sequence::plain(tokens)];
        let (hidden, _) = model
            .forward(trainable, &sequences, vec![0, last], PassOptions::PLAIN)
            .unwrap();
        let logits = model.logits(trainable, &hidden);
        let count = logits.len() / 2;
        let places = Self::numbers(&self.0["logits"]["places"]);
        for (row, name) in ["first", "last"].iter().enumerate() {
            let expected = Self::numbers(&self.0["logits"][name]);
            for (place, expected) in places.iter().zip(expected) {
                let found = f64::from(logits[row * count + *place as usize]);
                assert!(
                    (found - expected).abs() < 1e-3,
                    "{name} {place}: {found} {expected}"
                );
            }
        }
        let mut gradients = vec![0.0; trainable.values().len()];
        let losses = completion_losses(
            model,
            trainable,
            &batches[0],
            work,
            None,
            Some(&mut gradients),
        )
        .unwrap();
        let (loss, expected) = (
            losses.sum / losses.tokens as f64,
            self.0["loss"].as_f64().unwrap(),
        );
        assert!(
            (loss - expected).abs() < 1e-4 * expected,
            "loss {loss} {expected}"
        );
        for (name, expected) in self.0["gradients"].as_object().unwrap() {
            let info = trainable
                .tensors()
                .iter()
                .find(|info| info.name == *name)
                .unwrap();
            let found = &gradients[info.offset..info.offset + info.count()];
            let norm = found
                .iter()
                .map(|g| f64::from(*g).powi(2))
                .sum::<f64>()
                .sqrt();
            let wanted = expected["norm"].as_f64().unwrap();
            assert!(
                (norm - wanted).abs() < 1e-4 * wanted,
                "{name}: norm {norm} {wanted}"
            );
            // Of single numbers, relative to the root mean square of all.
            let size = wanted / (found.len() as f64).sqrt();
            let places = Self::numbers(&expected["places"]);
            for (place, wanted) in places.iter().zip(Self::numbers(&expected["values"])) {
                let found = f64::from(found[*place as usize]);
                let error = (found - wanted).abs();
                assert!(
                    error < 1e-4 * wanted.abs().max(size),
                    "{name} {place}: {found} {wanted}"
                );
            }
        }
        let config = AdamWConfig {
            weight_decay: 0.01,
            ..AdamWConfig::default()
        };
        let mut optimiser = AdamW::new(config, gradients.len());
        let schedule = CosineSchedule {
            rate: self.0["rate"].as_f64().unwrap(),
            warm_up: 4,
            steps: 20,
        };
        for (step, expected) in Self::numbers(&self.0["steps"]).into_iter().enumerate() {
            gradients.fill(0.0);
            let batch = &batches[step % 2];
            let losses =
                completion_losses(model, trainable, batch, work, None, Some(&mut gradients))
                    .unwrap();
            let loss = losses.sum / losses.tokens as f64;
            assert!(
                (loss - expected).abs() < 1e-4 * expected,
                "step {step}: {loss} {expected}"
            );
            optimiser.step(
                schedule.at(step as u64),
                &mut gradients,
                trainable.values_mut(),
            );
        }
    }
}
