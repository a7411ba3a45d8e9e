//! Losses, gradients and steps on the GPU beside the reference.

use crystalgym_language_cuda::{AdamW, Batch, Device, Limits, Module, Precision, Trainer, Weights};

use crate::{Outcome, reference::Reference, tiny::Tiny};

/// Largest relative errors.
#[derive(Clone, Copy)]
pub(crate) struct Tolerances {
    loss: f64,
    /// ‖g − g'‖ / ‖g'‖ of all gradients, and of A or B of the worst map.
    gradient: f64,
    worst: f64,
    /// Of the loss after 20 steps.
    after_steps: f64,
}

impl Tolerances {
    /// f32 throughout.
    pub(crate) const F32: Self = Self {
        loss: 1e-5,
        gradient: 1e-4,
        worst: 1e-3,
        after_steps: 1e-3,
    };
    /// bf16 has 8 bits: each rounding errs by up to 0.4 %, and they add up over the layers.
    pub(crate) const BF16: Self = Self {
        loss: 5e-3,
        gradient: 3e-2,
        worst: 8e-2,
        after_steps: 5e-2,
    };
}

fn trainer(
    tiny: &Tiny,
    precision: Precision,
) -> Result<(Trainer, Batch), Box<dyn std::error::Error>> {
    let mut batch = Batch::new();
    for (prompt, completion) in &tiny.examples {
        batch.push(prompt, completion)?;
    }
    let device = Device::open(0, precision)?;
    let rows = tiny.rows().ok_or("a layer has seven maps")?;
    let weights = Weights::upload(&device, &tiny.shape, &rows)?;
    // More room than this batch takes, so that rows behind it are met.
    let mut limits = Limits::of(&batch);
    limits.longest += 16;
    limits.tokens += 24;
    limits.sequences += 2;
    let mut trainer = Trainer::new(device, tiny.shape.clone(), weights, &tiny.lora, limits)?;
    trainer.set_values(&tiny.trained)?;
    Ok((trainer, batch))
}

fn wide(values: &[f32]) -> Vec<f64> {
    values.iter().map(|&x| x.into()).collect()
}

fn relative(found: &[f64], expected: &[f64]) -> f64 {
    let size = |values: &mut dyn Iterator<Item = f64>| values.map(|x| x * x).sum::<f64>().sqrt();
    let error = size(&mut found.iter().zip(expected).map(|(a, b)| a - b));
    error / size(&mut expected.iter().copied())
}

/// Loss and gradients, twice: added up, they are twice as large.
pub(crate) fn gradients(tiny: &Tiny, precision: Precision, tolerances: Tolerances) -> Outcome {
    let (mut trainer, batch) = trainer(tiny, precision)?;
    let weight = 1.0 / tiny.answers() as f64;
    let (loss, expected) =
        Reference::new(tiny, &wide(&tiny.trained)).losses(&tiny.examples, weight);
    let forward_alone = trainer.accumulate(&batch, 0.0)?;
    let found_loss = trainer.accumulate(&batch, weight as f32)?;
    let once = wide(&trainer.gradients()?);
    trainer.accumulate(&batch, weight as f32)?;
    let twice = wide(&trainer.gradients()?);
    let halves: Vec<f64> = twice.iter().map(|g| g / 2.0).collect();
    let loss_error = (found_loss / loss - 1.0).abs();
    let error = relative(&once, &expected);
    let mut text = format!(
        "loss {found_loss:.6}, reference {loss:.6}, relative error {loss_error:.1e}; forward alone \
         {forward_alone:.6}; gradients {error:.1e}, added up twice {:.1e}",
        relative(&halves, &expected),
    );
    let (mut next, mut worst) = (0, (0.0, String::new()));
    for layer in 0..tiny.shape.num_hidden_layers {
        for module in Module::ALL {
            if !tiny.lora.target_modules.contains(&module) {
                continue;
            }
            let (outputs, inputs) = module.shape(&tiny.shape);
            for (factor, count) in [
                ("A", tiny.lora.rank * inputs),
                ("B", tiny.lora.rank * outputs),
            ] {
                let range = next..next + count;
                next += count;
                let error = relative(&once[range.clone()], &expected[range]);
                text.push_str(&format!(
                    "\n  layer {layer} {module:?} {factor}: {error:.1e}"
                ));
                if error.is_nan() || error > worst.0 {
                    worst = (error, format!("layer {layer} {module:?} {factor}"));
                }
            }
        }
    }
    let right = next == once.len()
        && loss_error < tolerances.loss
        && error < tolerances.gradient
        && worst.0 < tolerances.worst
        && relative(&halves, &expected) < tolerances.gradient
        && (forward_alone / found_loss - 1.0).abs() < 1e-6;
    match right {
        true => Ok(text),
        false => Err(format!("worst {} {:.1e}\n{text}", worst.1, worst.0).into()),
    }
}

/// 20 steps of AdamW with decay and clipping, beside the same in f64.
pub(crate) fn steps(tiny: &Tiny, precision: Precision, tolerances: Tolerances) -> Outcome {
    let (mut trainer, batch) = trainer(tiny, precision)?;
    let weight = 1.0 / tiny.answers() as f64;
    let adam = AdamW {
        weight_decay: 0.01,
        ..AdamW::default()
    };
    let rate = 1e-2;
    let mut values = wide(&tiny.trained);
    let (mut m, mut v) = (vec![0.0; values.len()], vec![0.0; values.len()]);
    let (mut losses, mut expected, mut norm_error) = (Vec::new(), Vec::new(), 0.0_f64);
    for step in 1..=20 {
        losses.push(trainer.accumulate(&batch, weight as f32)? * weight);
        trainer.step(rate, &adam)?;
        let (loss, gradient) = Reference::new(tiny, &values).losses(&tiny.examples, weight);
        expected.push(loss * weight);
        let norm = gradient.iter().map(|g| g * g).sum::<f64>().sqrt();
        norm_error = norm_error.max((f64::from(trainer.gradient_norm()?) / norm - 1.0).abs());
        let factor = (1.0 / (norm + 1e-6)).min(1.0);
        for (index, g) in gradient.iter().map(|g| g * factor).enumerate() {
            m[index] = 0.9 * m[index] + 0.1 * g;
            v[index] = 0.999 * v[index] + 0.001 * g * g;
            let mean = m[index] / (1.0 - 0.9_f64.powi(step));
            let root = (v[index] / (1.0 - 0.999_f64.powi(step))).sqrt();
            values[index] -= rate * (0.01 * values[index] + mean / (root + 1e-8));
        }
    }
    let found = wide(&trainer.values()?);
    let worst = losses
        .iter()
        .zip(&expected)
        .map(|(a, b)| (a / b - 1.0).abs())
        .fold(0.0, f64::max);
    let text = format!(
        "losses {:.4} → {:.4}, reference {:.4} → {:.4}, worst relative difference {worst:.1e}; norms \
         {norm_error:.1e}; trained numbers differ by {:.1e}",
        losses[0],
        losses[19],
        expected[0],
        expected[19],
        relative(&found, &values),
    );
    let right = worst < tolerances.after_steps && losses[19] < 0.9 * losses[0];
    if right { Ok(text) } else { Err(text.into()) }
}
