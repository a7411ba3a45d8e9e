//! CPU time of a training step and of generation, for `.ci/language_oracle speed` to be compared with.
//!
//! `cargo run --release -p crystalgym-language --example speed -- MODEL.gguf [THREADS]`
#![allow(clippy::print_stdout, reason = "a measurement is printed")]

use std::{error::Error, path::Path, time::Instant};

use crystalgym_language::{
    AdamW, AdamWConfig, Cache, Continuation, Example, Llama, LoraConfig, Precision, TokenRows,
    Trainable, TrainedPart, Work, completion_losses,
};

/// Ticks of a second in `/proc`.
const TICKS: f64 = 100.0;

fn cpu_seconds() -> f64 {
    let text = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields = text
        .rsplit(')')
        .next()
        .unwrap_or_default()
        .split_whitespace();
    let times: Vec<f64> = fields
        .skip(11)
        .take(2)
        .filter_map(|x| x.parse().ok())
        .collect();
    times.iter().sum::<f64>() / TICKS
}

fn report(what: &str, tokens: usize, start: Instant, cpu: f64) {
    let (wall, cpu) = (start.elapsed().as_secs_f64(), cpu_seconds() - cpu);
    let (by_wall, by_cpu) = (tokens as f64 / wall, tokens as f64 / cpu);
    println!(
        "{what}: {by_wall:.1} tokens/s ({wall:.1} s), {by_cpu:.1} a second of CPU ({cpu:.1} s)"
    );
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let file = arguments.next().ok_or("MODEL [THREADS]")?;
    let threads: usize = arguments.next().map_or(Ok(1), |text| text.parse())?;
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .build()?;
    let model = Llama::read(Path::new(&file), Precision::AsStored)?;
    let rows = TokenRows::mean_of_pieces(&model, &vec![vec![5]; 118])?;
    let part = TrainedPart::Lora(LoraConfig::default());
    let mut trainable = Trainable::new(&model, part, &rows, 1)?;
    let text =
        |length: usize| -> Vec<u32> { (0..length as u32).map(|i| i * 37 % 49_152).collect() };
    let lengths = [150, 165, 180, 190, 205, 220, 235, 250];
    let examples: Vec<Example> = lengths
        .iter()
        .map(|length| Example {
            prompt: text(length - 10),
            completion: text(10),
        })
        .collect();
    let tokens = lengths.iter().sum();
    for checkpointing in [false, true] {
        let work = Work {
            micro_batch_tokens: 1024,
            checkpointing,
            threads,
        };
        let mut gradients = vec![0.0; trainable.values().len()];
        let mut optimiser = AdamW::new(AdamWConfig::default(), gradients.len());
        let (start, cpu) = (Instant::now(), cpu_seconds());
        pool.install(|| {
            completion_losses(
                &model,
                &trainable,
                &examples,
                work,
                Some(1),
                Some(&mut gradients),
            )
        })?;
        optimiser.step(1e-4, &mut gradients, trainable.values_mut());
        let again = if checkpointing {
            ", activations computed again"
        } else {
            ""
        };
        report(&format!("SFT{again}"), tokens, start, cpu);
    }
    let elements: Vec<u32> = (0..118).map(|i| 49_152 + i).collect();
    for count in [1, 16] {
        let (start, cpu) = (Instant::now(), cpu_seconds());
        let (empty, mut prompt) = (Cache::default(), Cache::default());
        let mut own = vec![Cache::default(); count];
        pool.install(|| {
            let mut read = [Continuation {
                prefix: &empty,
                own: &mut prompt,
                tokens: &text(149),
            }];
            model.read_on(&trainable, &mut read)?;
            let mut next = vec![vec![149 * 37]; count];
            for _ in 0..20 {
                let mut read: Vec<Continuation<'_>> = own
                    .iter_mut()
                    .zip(&next)
                    .map(|(own, tokens)| Continuation {
                        prefix: &prompt,
                        own,
                        tokens,
                    })
                    .collect();
                let hidden = model.read_on(&trainable, &mut read)?;
                let logits = model.new_token_logits(&trainable, &hidden);
                next = logits
                    .chunks(elements.len())
                    .map(|row| {
                        let best = (0..row.len()).max_by(|&a, &b| row[a].total_cmp(&row[b]));
                        vec![elements[best.unwrap_or(0)]]
                    })
                    .collect();
            }
            Ok::<_, crystalgym_language::LanguageError>(())
        })?;
        report(
            &format!("generation of {count} × 20 after 150"),
            20 * count,
            start,
            cpu,
        );
    }
    Ok(())
}
