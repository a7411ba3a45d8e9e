//! Losses, gradients and steps on a GPU beside those of the processor.
//!
//! Oracle: `language` in f32, itself compared with PyTorch. Run on a machine with an NVIDIA GPU:
//! `cargo test -p crystalgym-language-cuda --test gpu -- --ignored --nocapture --test-threads 1`; for the
//! real model `CRYSTALGYM_SMOLLM2` names its GGUF file and `CRYSTALGYM_MP_20` a file of crystals.
#![allow(clippy::unwrap_used, reason = "a test may panic")]
#![allow(clippy::print_stdout, reason = "what was measured")]

use std::path::Path;

use crystalgym_language::{
    AdamW, AdamWConfig, CrystalFile, CrystalTokenizer, Example, LanguageError, Llama, LlamaConfig,
    LoraConfig, Module, Precision as Held, RopeScaling, Sft, SftConfig, TokenRows, Trainable,
    TrainedPart, Work, completion_losses,
};
use crystalgym_language_cuda::{CudaAccelerator, Precision};

/// Largest relative errors.
#[derive(Clone, Copy)]
struct Tolerances {
    loss: f64,
    /// ‖g − g'‖ / ‖g'‖ of all gradients, and of the worst tensor.
    gradient: f64,
    worst: f64,
    /// Of the losses of 20 steps.
    steps: f64,
}

const F32: Tolerances = Tolerances {
    loss: 1e-5,
    gradient: 1e-4,
    worst: 1e-3,
    steps: 1e-3,
};
/// bf16 has 8 bits: each rounding errs by up to 0.4 %, and they add up over the layers.
const BF16: Tolerances = Tolerances {
    loss: 5e-3,
    gradient: 3e-2,
    worst: 8e-2,
    steps: 5e-2,
};
const BOTH: [(Precision, Tolerances); 2] = [(Precision::F32, F32), (Precision::Bf16, BF16)];

fn work() -> Work {
    Work {
        micro_batch_tokens: 128,
        checkpointing: false,
        threads: std::thread::available_parallelism().map_or(1, usize::from),
    }
}

fn size(values: impl Iterator<Item = f64>) -> f64 {
    values.map(|x| x * x).sum::<f64>().sqrt()
}

fn relative(found: &[f32], expected: &[f32]) -> f64 {
    let pairs = found.iter().zip(expected);
    let error = size(pairs.map(|(a, b)| f64::from(*a) - f64::from(*b)));
    error / size(expected.iter().map(|&x| x.into()))
}

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

    fn tokens(&mut self, count: usize, below: usize) -> Vec<u32> {
        let mut one = || ((self.next() + 1.0) / 2.0 * below as f64) as u32;
        (0..count).map(|_| one().min(below as u32 - 1)).collect()
    }
}

/// A small model with seven new tokens, and examples that hold them.
fn tiny(tied: bool, held: Held) -> (Llama, Trainable, Vec<Example>) {
    let config = LlamaConfig {
        hidden_size: 64,
        intermediate_size: 112,
        num_hidden_layers: 3,
        num_attention_heads: 4,
        num_key_value_heads: if tied { 4 } else { 2 },
        head_dim: 16,
        vocab_size: 91,
        rms_norm_eps: 1e-5,
        rope_theta: 10_000.0,
        rope_scaling: (!tied).then_some(RopeScaling {
            factor: 8.0,
            low_freq_factor: 1.0,
            high_freq_factor: 4.0,
            original_max_position_embeddings: 64.0,
        }),
        tie_word_embeddings: tied,
        max_position_embeddings: 512,
    };
    let lora = LoraConfig {
        // No multiple of 8, and only some maps.
        rank: if tied { 3 } else { 4 },
        alpha: 8.0,
        dropout: 0.0,
        target_modules: match tied {
            true => vec![Module::Value, Module::Output, Module::Up],
            false => Module::ALL.to_vec(),
        },
        train_rows: true,
    };
    let model = Llama::random(config, 1).unwrap().held_as(held);
    let rows = TokenRows::mean_of_pieces(&model, &vec![vec![1, 2]; 7]).unwrap();
    let mut trainable = Trainable::new(&model, TrainedPart::Lora(lora), &rows, 1).unwrap();
    // With ±0.3 and a rate of 1e-2 the steps are chaotic: trained numbers that differ by 1e-6 give losses on
    // the processor itself that differ by 90 %. With ±0.1 and 3e-3 they differ by 8e-6.
    let mut numbers = Numbers(3);
    for value in trainable.values_mut() {
        *value = (0.1 * numbers.next()) as f32;
    }
    let lengths = [(5, 3), (1, 1), (17, 6), (9, 2), (30, 9), (2, 4)];
    let examples = lengths.map(|(prompt, completion)| Example {
        prompt: numbers.tokens(prompt, 98),
        completion: numbers
            .tokens(completion, 7)
            .iter()
            .map(|token| 91 + token)
            .collect(),
    });
    (model, trainable, examples.to_vec())
}

/// Losses and gradients of a batch on both.
fn compare_gradients(
    name: &str,
    (model, trainable, examples): (&Llama, &Trainable, &[Example]),
    (precision, tolerances): (Precision, Tolerances),
) {
    let count = trainable.values().len();
    let (mut expected, mut found) = (vec![0.0; count], vec![0.0; count]);
    let on_cpu = completion_losses(
        model,
        trainable,
        examples,
        work(),
        None,
        Some(&mut expected),
    )
    .unwrap();
    // Several micro-batches, so that gradients are added up and room grows.
    let longest = examples.iter().map(Example::rows).max().unwrap();
    let mut gpu = CudaAccelerator::open(model, trainable, precision, longest + 8).unwrap();
    let losses = |gpu: &mut CudaAccelerator, gradients| {
        crystalgym_language::Accelerator::losses(gpu, trainable, examples, gradients).unwrap()
    };
    let alone = losses(&mut gpu, None);
    let on_gpu = losses(&mut gpu, Some(&mut found));
    let error = relative(&found, &expected);
    let (mut worst, mut worst_name) = (0.0, "");
    for info in trainable.tensors() {
        let range = info.offset..info.offset + info.count();
        let error = relative(&found[range.clone()], &expected[range]);
        if error.is_nan() || error > worst {
            (worst, worst_name) = (error, &info.name);
        }
    }
    let loss = (on_gpu.sum / on_cpu.sum - 1.0).abs();
    println!(
        "{name}, {precision:?} on {}: loss {:.6}, processor {:.6}, error {loss:.1e}; right {} and {} of {}; \
         gradients {error:.1e}, worst {worst_name} {worst:.1e}",
        gpu.name(),
        on_gpu.sum,
        on_cpu.sum,
        on_gpu.right,
        on_cpu.right,
        on_cpu.tokens
    );
    assert!((alone.sum / on_gpu.sum - 1.0).abs() < 1e-6);
    assert_eq!(on_gpu.tokens, on_cpu.tokens);
    assert!(on_gpu.right.abs_diff(on_cpu.right) <= if precision == Precision::F32 { 0 } else { 2 });
    assert!(loss < tolerances.loss && error < tolerances.gradient && worst < tolerances.worst);
}

#[test]
#[ignore = "needs an NVIDIA GPU"]
fn gradients_of_small_models_are_those_of_the_processor() {
    for both in BOTH {
        for (tied, held) in [(false, Held::Full), (true, Held::EightBit)] {
            let (model, trainable, examples) = tiny(tied, held);
            let name = if tied { "tied, 8 bits" } else { "grouped" };
            compare_gradients(name, (&model, &trainable, &examples), both);
        }
    }
}

#[test]
#[ignore = "needs an NVIDIA GPU"]
fn twenty_steps_of_a_small_model_have_the_losses_of_the_processor() {
    for (precision, tolerances) in BOTH {
        let (model, start, examples) = tiny(false, Held::EightBit);
        let mut gpu = CudaAccelerator::open(&model, &start, precision, 64).unwrap();
        let config = AdamWConfig {
            weight_decay: 0.01,
            ..AdamWConfig::default()
        };
        let mut losses = [Vec::new(), Vec::new()];
        for (on_gpu, losses) in losses.iter_mut().enumerate() {
            let mut trainable = start.clone();
            let mut adam = AdamW::new(config, trainable.values().len());
            for _ in 0..20 {
                let mut gradients = vec![0.0; trainable.values().len()];
                let to = Some(&mut gradients[..]);
                let found = match on_gpu {
                    0 => completion_losses(&model, &trainable, &examples, work(), None, to),
                    _ => crystalgym_language::Accelerator::losses(
                        &mut gpu, &trainable, &examples, to,
                    ),
                };
                losses.push(found.unwrap().sum);
                adam.step(3e-3, &mut gradients, trainable.values_mut());
            }
        }
        compare_losses("small model", precision, &losses, tolerances.steps);
    }
}

fn compare_losses(name: &str, precision: Precision, losses: &[Vec<f64>; 2], tolerance: f64) {
    let pairs = losses[0].iter().zip(&losses[1]);
    let worst = pairs.map(|(a, b)| (b / a - 1.0).abs()).fold(0.0, f64::max);
    println!(
        "{name}, {precision:?}: losses {:.4} → {:.4}, processor {:.4} → {:.4}, worst difference {worst:.1e}",
        losses[1][0],
        losses[1].last().unwrap(),
        losses[0][0],
        losses[0].last().unwrap()
    );
    assert!(worst < tolerance && losses[1].last().unwrap() < &(0.9 * losses[1][0]));
}

/// The real model on crystals of `CRYSTALGYM_MP_20`: one batch, and twenty steps of fine-tuning.
#[test]
#[ignore = "needs an NVIDIA GPU, SmolLM2-135M and crystals"]
fn the_real_model_learns_as_on_the_processor() {
    let file = std::env::var("CRYSTALGYM_SMOLLM2").unwrap();
    let crystals = std::env::var("CRYSTALGYM_MP_20").unwrap();
    let file = Path::new(&file);
    let rows = CrystalFile::read(Path::new(&crystals), 8).unwrap().rows;
    let read = || {
        let model = Llama::read(file, Held::AsStored).unwrap();
        let tokenizer = CrystalTokenizer::read(file, model.config()).unwrap();
        (model, tokenizer)
    };
    let lora = LoraConfig {
        dropout: 0.0,
        ..LoraConfig::default()
    };
    let config = SftConfig {
        trained: TrainedPart::Lora(lora.clone()),
        batch: 16,
        validation: 16,
        ..SftConfig::default()
    };
    let (model, tokenizer) = read();
    let pieces = tokenizer.symbol_pieces().unwrap();
    let new = TokenRows::mean_of_pieces(&model, &pieces).unwrap();
    let mut trainable = Trainable::new(&model, TrainedPart::Lora(lora), &new, 1).unwrap();
    // B is zero at first, and so would be the gradient of A.
    let mut numbers = Numbers(5);
    for value in trainable.values_mut() {
        *value += (0.01 * numbers.next()) as f32;
    }
    let examples: Vec<Example> = (0..16)
        .map(|at| {
            config
                .writing
                .example(&tokenizer, &rows[at], 1, at as u64)
                .unwrap()
        })
        .collect();
    for both in BOTH {
        compare_gradients("SmolLM2-135M", (&model, &trainable, &examples), both);
    }
    let twenty = |mut sft: Sft| -> Vec<f64> {
        let step = |sft: &mut Sft| sft.step().unwrap().losses;
        let losses = (0..20).map(|_| step(&mut sft));
        losses
            .map(|losses| losses.sum / losses.tokens as f64)
            .collect()
    };
    let on_cpu = twenty(Sft::new(model, tokenizer, rows.clone(), config.clone(), work()).unwrap());
    for (precision, tolerances) in BOTH {
        let (model, tokenizer) = read();
        let open = |model: &Llama, trainable: &Trainable| match CudaAccelerator::open(
            model, trainable, precision, 2048,
        ) {
            Ok(gpu) => Ok(Box::new(gpu) as Box<dyn crystalgym_language::Accelerator>),
            Err(error) => Err(LanguageError::Device(Box::new(error))),
        };
        let sft = Sft::on_device(model, tokenizer, rows.clone(), config.clone(), open).unwrap();
        let losses = [on_cpu.clone(), twenty(sft)];
        compare_losses("SmolLM2-135M", precision, &losses, tolerances.steps);
    }
}
