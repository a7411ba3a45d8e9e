//! Steps at the shape of Llama 3 8B with random weights: tokens per second, memory, and parts.
//!
//! The last line of each run is a JSON object.
#![allow(clippy::print_stdout)]

use std::time::Instant;

use crystalgym_language::{AdamW, AdamWConfig, LlamaConfig, LoraConfig};
use crystalgym_language_cuda::{
    Batch, Device, Limits, Part, Precision, Trainer, layer_weights, step_bytes,
};

/// What is timed.
struct Run {
    name: &'static str,
    sequences: usize,
    /// Shortest and longest sequence.
    lengths: (usize, usize),
    /// Predicted tokens of each.
    answers: usize,
}

/// Crystals are 100 to 200 tokens with up to 20 elements.
const RUNS: [Run; 2] = [
    Run {
        name: "8B, 64 sequences of 128 tokens",
        sequences: 64,
        lengths: (128, 128),
        answers: 20,
    },
    Run {
        name: "8B, 64 sequences of 100 to 200 tokens",
        sequences: 64,
        lengths: (100, 200),
        answers: 20,
    },
];

const WARM_UP: usize = 2;
const TIMED: usize = 6;
/// Tokens of elements.
const NEW: usize = 118;

/// Uniform numbers of −1 to 1 (the finaliser of SplitMix64).
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut x = self.0;
        x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (x ^ (x >> 31)) as f64 / u64::MAX as f64 * 2.0 - 1.0
    }

    fn below(&mut self, count: usize) -> usize {
        (((self.next() + 1.0) / 2.0 * count as f64) as usize).min(count - 1)
    }
}

type Failed = Box<dyn std::error::Error>;

fn batch(run: &Run, vocabulary: usize) -> Result<Batch, Failed> {
    let mut numbers = Numbers(11);
    let mut batch = Batch::new();
    for _ in 0..run.sequences {
        let (shortest, longest) = run.lengths;
        let length = shortest + numbers.below(longest - shortest + 1);
        let mut tokens = |count, first, below| {
            (0..count)
                .map(|_| (first + numbers.below(below)) as u32)
                .collect::<Vec<_>>()
        };
        let prompt = tokens(length + 1 - run.answers, 0, vocabulary);
        batch.push(&prompt, &tokens(run.answers, vocabulary, NEW))?;
    }
    Ok(batch)
}

/// Floating-point operations of a step that no way around exists for, times two for each multiplication:
/// forward, again (without the last map of a layer), and back to the inputs, of the frozen weights; the
/// head forward and back at the predicted tokens.
fn operations(config: &LlamaConfig, batch: &Batch) -> f64 {
    let down = config.hidden_size * config.intermediate_size;
    let (layers, layer) = (config.num_hidden_layers, layer_weights(config));
    // The last layer is not computed again.
    let each = layers * layer + (layers - 1) * (layer - down) + layers * layer;
    let head = config.vocab_size * config.hidden_size;
    2.0 * (each as f64 * batch.tokens() as f64 + 2.0 * head as f64 * batch.answers() as f64)
}

fn time(run: &Run) -> Result<(), Failed> {
    let (config, lora) = (LlamaConfig::llama_3_8b(), LoraConfig::default());
    let batch = batch(run, config.vocab_size)?;
    let limits = Limits::of(&batch);
    let device = Device::open(0, Precision::Bf16)?;
    let name = device.name()?;
    let [weights, rest] = step_bytes(&config, &lora, NEW, &limits, Precision::Bf16)?;
    let mut trainer = Trainer::with_random_weights(device, &config, &lora, NEW, limits)?;
    let mut numbers = Numbers(3);
    // A as usual and B small, so that every product has work.
    let mut values: Vec<f32> = (0..trainer.numbers())
        .map(|_| (0.01 * numbers.next()) as f32)
        .collect();
    let mut adam = AdamW::new(AdamWConfig::default(), values.len());
    let weight = 1.0 / batch.answers() as f32;
    let (mut losses, mut times, mut on_host) = (Vec::new(), Vec::new(), Vec::new());
    for step in 0..WARM_UP + TIMED {
        let start = Instant::now();
        trainer.set_values(&values)?;
        let loss = trainer.accumulate(&batch, weight)?;
        let mut gradients = trainer.gradients()?;
        let optimiser = Instant::now();
        adam.step(1e-4, &mut gradients, &mut values);
        if step >= WARM_UP {
            times.push(start.elapsed().as_secs_f64());
            on_host.push(optimiser.elapsed().as_secs_f64());
        }
        losses.push(loss.sum / batch.answers() as f64);
    }
    let (free, total) = trainer.device().memory()?;
    times.sort_by(f64::total_cmp);
    on_host.sort_by(f64::total_cmp);
    let median = times[TIMED / 2];
    let parts = trainer.profile(|trainer| trainer.accumulate(&batch, weight).map(|_| ()))?;
    let gigabytes = |bytes: usize| bytes as f64 / 1e9;
    let mut json = format!(
        "{{\"run\":\"{}\",\"gpu\":\"{name}\",\"tokens\":{},\"answers\":{},\"step_ms\":{:.2},\
         \"tokens_per_second\":{:.1},\"tflops\":{:.1},\"memory_gb\":{:.3},\"counted_gb\":{:.3},\
         \"adamw_ms\":{:.2},\"losses\":{losses:.4?}",
        run.name,
        batch.tokens(),
        batch.answers(),
        1e3 * median,
        batch.tokens() as f64 / median,
        operations(&config, &batch) / median / 1e12,
        gigabytes(total - free),
        gigabytes(weights + rest),
        1e3 * on_host[TIMED / 2],
    );
    for (part, time) in Part::ALL.iter().zip(parts) {
        json.push_str(&format!(",\"{}_ms\":{time:.2}", part.name()));
    }
    println!("{json}}}");
    Ok(())
}

fn main() -> Result<(), Failed> {
    RUNS.iter().try_for_each(time)
}
