//! Steps at the shape of Llama 3 8B with random weights: tokens per second, memory, and parts.

use std::time::Instant;

use crystalgym_language_cuda::{
    AdamW, Batch, Device, Limits, LlamaShape, LoraSettings, Part, Precision, Trainer, Weights,
    step_bytes,
};

use crate::{Outcome, tiny::Numbers};

/// What is timed.
pub(crate) struct Run {
    pub(crate) name: &'static str,
    sequences: usize,
    /// Shortest and longest sequence.
    lengths: (usize, usize),
    /// Predicted tokens of each.
    answers: usize,
}

/// Crystals are 100 to 200 tokens with up to 20 elements.
pub(crate) const RUNS: [Run; 3] = [
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
    Run {
        name: "8B, 128 sequences of 128 tokens",
        sequences: 128,
        lengths: (128, 128),
        answers: 20,
    },
];

const WARM_UP: usize = 2;
const TIMED: usize = 6;

fn batch(run: &Run, vocabulary: usize) -> Result<Batch, Box<dyn std::error::Error>> {
    let mut numbers = Numbers(11);
    let mut batch = Batch::new();
    for _ in 0..run.sequences {
        let (shortest, longest) = run.lengths;
        let length = shortest + numbers.below(longest - shortest + 1);
        let mut tokens = |count| {
            (0..count)
                .map(|_| numbers.below(vocabulary) as u32)
                .collect::<Vec<_>>()
        };
        batch.push(&tokens(length + 1 - run.answers), &tokens(run.answers))?;
    }
    Ok(batch)
}

/// Floating-point operations of a step that no way around exists for, times two for each multiplication:
/// forward, again (without the last map of a layer), and back to the inputs, of the frozen weights; the
/// head forward and back at the predicted tokens.
fn operations(shape: &LlamaShape, batch: &Batch) -> f64 {
    let down = shape.hidden_size * shape.intermediate_size;
    let qkv = shape.hidden_size * (shape.query_width() + 2 * shape.key_width());
    let (layers, layer) = (shape.num_hidden_layers, shape.layer_weights());
    // The last layer is not computed again, and nothing goes back below the first.
    let each = layers * layer + (layers - 1) * (layer - down) + layers * layer - qkv;
    2.0 * (each as f64 * batch.tokens() as f64
        + 2.0 * shape.head_weights() as f64 * batch.answers() as f64)
}

pub(crate) fn time(run: &Run) -> Outcome {
    let (shape, lora) = (LlamaShape::llama_3_8b(), LoraSettings::default());
    let batch = batch(run, shape.vocab_size)?;
    let limits = Limits::of(&batch);
    let device = Device::open(0, Precision::Bf16)?;
    let name = device.name()?;
    let (free_before, _) = device.memory()?;
    let counted: usize = step_bytes(&shape, &lora, &limits, Precision::Bf16)?
        .iter()
        .sum();
    let weights = Weights::random(&device, &shape, 5)?;
    let mut trainer = Trainer::new(device, shape.clone(), weights, &lora, limits)?;
    let mut numbers = Numbers(3);
    // A as usual and B small, so that every product has work.
    let values: Vec<f32> = (0..trainer.numbers())
        .map(|_| (0.01 * numbers.next()) as f32)
        .collect();
    trainer.set_values(&values)?;
    let adam = AdamW::default();
    let weight = 1.0 / batch.answers() as f32;
    let (mut losses, mut times) = (Vec::new(), Vec::new());
    for step in 0..WARM_UP + TIMED {
        let start = Instant::now();
        let loss = trainer.accumulate(&batch, weight)?;
        trainer.step(1e-4, &adam)?;
        trainer.device().synchronise()?;
        if step >= WARM_UP {
            times.push(start.elapsed().as_secs_f64());
        }
        losses.push(loss / batch.answers() as f64);
    }
    let (free_after, total) = trainer.device().memory()?;
    times.sort_by(f64::total_cmp);
    let median = times[TIMED / 2];
    let parts = trainer.profile(|trainer| {
        trainer.accumulate(&batch, weight)?;
        trainer.step(1e-4, &adam)
    })?;
    let tokens_per_second = batch.tokens() as f64 / median;
    let rate = operations(&shape, &batch) / median / 1e12;
    let gigabytes = |bytes: usize| bytes as f64 / 1e9;
    let used = gigabytes(total - free_after);
    let mut text = format!(
        "{name}: {} tokens, {} predicted; step {:.1} ms ({:.1} to {:.1}), {tokens_per_second:.0} tokens/s, \
         {rate:.0} TFLOP/s; memory used {used:.2} GB (before {:.2}), counted {:.2}; loss {:.4} → {:.4}, \
         gradient norm {:.3}\n",
        batch.tokens(),
        batch.answers(),
        1e3 * median,
        1e3 * times[0],
        1e3 * times[TIMED - 1],
        gigabytes(total - free_before),
        gigabytes(counted),
        losses[0],
        losses[losses.len() - 1],
        trainer.gradient_norm()?,
    );
    let mut json = format!(
        "{{\"run\":\"{}\",\"gpu\":\"{name}\",\"tokens\":{},\"answers\":{},\"step_ms\":{:.2},\
         \"tokens_per_second\":{tokens_per_second:.1},\"tflops\":{rate:.1},\"memory_gb\":{used:.3},\
         \"counted_gb\":{:.3}",
        run.name,
        batch.tokens(),
        batch.answers(),
        1e3 * median,
        gigabytes(counted),
    );
    for (part, time) in Part::ALL.iter().zip(parts) {
        text.push_str(&format!("  {:<10} {time:8.2} ms\n", part.name()));
        json.push_str(&format!(",\"{}_ms\":{time:.2}", part.name()));
    }
    text.push_str(&json);
    text.push('}');
    let right = losses.iter().all(|loss| loss.is_finite()) && losses[losses.len() - 1] < losses[0];
    if right { Ok(text) } else { Err(text.into()) }
}
