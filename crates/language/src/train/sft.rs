//! Supervised fine-tuning on crystals.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::{
    accelerator::Accelerator,
    dataset::Writing,
    gradient::{Example, Work, completion_losses},
    optimiser::{AdamW, AdamWConfig, CosineSchedule},
};
use crate::{
    CrystalRow, CrystalTokenizer, LanguageError, Llama, SafetensorsFiles, TokenLosses, TokenRows,
    Trainable, TrainedPart, peft::read_tensors, random, save::write_state,
};

/// Settings of a fine-tuning.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SftConfig {
    /// What is trained.
    pub trained: TrainedPart,
    /// How crystals are written.
    pub writing: Writing,
    /// Crystals of an optimiser step.
    pub batch: usize,
    /// Times that each crystal is seen.
    pub epochs: f64,
    /// Highest learning rate.
    pub learning_rate: f64,
    /// Optimiser steps in which it rises.
    pub warm_up: u64,
    /// Constants of the optimiser.
    pub optimiser: AdamWConfig,
    /// Crystals that are held out.
    pub validation: usize,
    /// Seed of everything random.
    pub seed: u64,
}

impl Default for SftConfig {
    fn default() -> Self {
        Self {
            trained: TrainedPart::Lora(crate::LoraConfig::default()),
            writing: Writing::default(),
            batch: 64,
            epochs: 1.0,
            learning_rate: 5e-4,
            warm_up: 10,
            optimiser: AdamWConfig::default(),
            validation: 200,
            seed: 1,
        }
    }
}

impl SftConfig {
    /// # Errors
    /// [`LanguageError::Setting`] names the first that cannot be.
    pub fn check(&self) -> Result<(), LanguageError> {
        self.trained.check()?;
        self.optimiser.check()?;
        let wrong = [
            (
                "batch",
                self.batch.to_string(),
                (1..=1 << 20).contains(&self.batch),
                "1 to 1048576",
            ),
            (
                "epochs",
                self.epochs.to_string(),
                self.epochs > 0.0 && self.epochs <= 1e5,
                "above 0",
            ),
            (
                "learning_rate",
                self.learning_rate.to_string(),
                self.learning_rate > 0.0 && self.learning_rate <= 1.0,
                "above 0, at most 1",
            ),
        ];
        match wrong.into_iter().find(|(_, _, right, _)| !right) {
            None => Ok(()),
            Some((field, found, _, expected)) => Err(LanguageError::Setting {
                field,
                found,
                expected: expected.to_owned(),
            }),
        }
    }
}

/// What an optimiser step was like.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SftStep {
    /// Steps made, this one included.
    pub step: u64,
    /// Losses of its batch, before the step.
    pub losses: TokenLosses,
    /// Norm of the gradient.
    pub gradient_norm: f64,
    /// Learning rate.
    pub learning_rate: f64,
    /// Tokens that were read.
    pub tokens: usize,
}

/// A fine-tuning under way.
///
/// What a step does follows from its number, so a saved and restored one goes on exactly as it would
/// have.
pub struct Sft {
    config: SftConfig,
    place: Place,
    model: Llama,
    tokenizer: CrystalTokenizer,
    trainable: Trainable,
    optimiser: AdamW,
    train: Vec<CrystalRow>,
    validation: Vec<CrystalRow>,
}

/// Where losses and gradients are computed.
enum Place {
    Processor(Work),
    Device(Box<dyn Accelerator>),
}

/// What is saved beside the numbers.
#[derive(Serialize, Deserialize)]
struct SavedSft {
    version: u32,
    config: SftConfig,
    steps: u64,
    crystals: usize,
}

const SAVED: &str = "sft.json";
const NUMBERS: &str = "state.safetensors";

impl Sft {
    /// A fine-tuning that has made no step. Crystals are drawn for validation by the seed.
    ///
    /// # Errors
    /// [`LanguageError::Setting`] or [`LanguageError::Memory`] for what cannot be.
    pub fn new(
        model: Llama,
        tokenizer: CrystalTokenizer,
        rows: Vec<CrystalRow>,
        config: SftConfig,
        work: Work,
    ) -> Result<Self, LanguageError> {
        Self::at(model, tokenizer, rows, config, |model, trainable| {
            work.check_memory(model, trainable)?;
            Ok(Place::Processor(work))
        })
    }

    /// The same on a device that `open` prepares for the model and what is trained of it.
    ///
    /// # Errors
    /// As [`Self::new`], and those of `open`.
    pub fn on_device(
        model: Llama,
        tokenizer: CrystalTokenizer,
        rows: Vec<CrystalRow>,
        config: SftConfig,
        open: impl FnOnce(&Llama, &Trainable) -> Result<Box<dyn Accelerator>, LanguageError>,
    ) -> Result<Self, LanguageError> {
        Self::at(model, tokenizer, rows, config, |model, trainable| {
            Ok(Place::Device(open(model, trainable)?))
        })
    }

    fn at(
        model: Llama,
        tokenizer: CrystalTokenizer,
        rows: Vec<CrystalRow>,
        config: SftConfig,
        place: impl FnOnce(&Llama, &Trainable) -> Result<Place, LanguageError>,
    ) -> Result<Self, LanguageError> {
        config.check()?;
        if rows.len() <= config.validation {
            return Err(LanguageError::Setting {
                field: "validation",
                found: config.validation.to_string(),
                expected: format!("less than the {} crystals that there are", rows.len()),
            });
        }
        let pieces = tokenizer.symbol_pieces()?;
        let new_rows = TokenRows::mean_of_pieces(&model, &pieces)?;
        let trainable = Trainable::new(&model, config.trained.clone(), &new_rows, config.seed)?;
        let place = place(&model, &trainable)?;
        let order = random::shuffled(rows.len(), config.seed, u64::MAX);
        let mut rows: Vec<Option<CrystalRow>> = rows.into_iter().map(Some).collect();
        let mut drawn = order.iter().filter_map(|&at| rows[at].take());
        let validation = drawn.by_ref().take(config.validation).collect();
        let train = drawn.collect();
        Ok(Self {
            optimiser: AdamW::new(config.optimiser, trainable.values().len()),
            config,
            place,
            model,
            tokenizer,
            trainable,
            train,
            validation,
        })
    }

    /// Optimiser steps made.
    pub fn steps(&self) -> u64 {
        self.optimiser.steps()
    }

    /// Optimiser steps of the whole run.
    pub fn total_steps(&self) -> u64 {
        let seen = self.config.epochs * self.train.len() as f64;
        (seen / self.config.batch as f64).ceil().max(1.0) as u64
    }

    /// The base model.
    pub fn model(&self) -> &Llama {
        &self.model
    }

    /// The tokenizer.
    pub fn tokenizer(&self) -> &CrystalTokenizer {
        &self.tokenizer
    }

    /// What is trained.
    pub fn trainable(&self) -> &Trainable {
        &self.trainable
    }

    /// Crystals that are learned from, and those held out.
    pub fn crystals(&self) -> (&[CrystalRow], &[CrystalRow]) {
        (&self.train, &self.validation)
    }

    fn batch(&self, step: u64) -> Result<Vec<Example>, LanguageError> {
        let count = self.train.len() as u64;
        let first = step * self.config.batch as u64;
        let mut order = (u64::MAX, Vec::new());
        let mut examples = Vec::with_capacity(self.config.batch);
        for number in first..first + self.config.batch as u64 {
            let epoch = number / count;
            if order.0 != epoch {
                order = (
                    epoch,
                    random::shuffled(self.train.len(), self.config.seed, epoch),
                );
            }
            let row = &self.train[order.1[(number % count) as usize]];
            let writing = self.config.writing;
            examples.push(writing.example(&self.tokenizer, row, self.config.seed, number)?);
        }
        // Equal lengths together fill micro-batches evenly; the sum over a batch has no order.
        examples.sort_by_key(Example::rows);
        Ok(examples)
    }

    /// One optimiser step.
    ///
    /// # Errors
    /// [`LanguageError::Diverged`] if the loss is no number any more.
    pub fn step(&mut self) -> Result<SftStep, LanguageError> {
        let step = self.steps();
        let examples = self.batch(step)?;
        let mut gradients = vec![0.0; self.trainable.values().len()];
        let dropped = Some(random::key(self.config.seed, step));
        let losses = self.losses(&examples, dropped, Some(&mut gradients))?;
        let schedule = CosineSchedule {
            rate: self.config.learning_rate,
            warm_up: self.config.warm_up,
            steps: self.total_steps(),
        };
        // From 1: a step of rate 0 would be wasted.
        let learning_rate = schedule.at(step + 1);
        let values = self.trainable.values_mut();
        let gradient_norm = self.optimiser.step(learning_rate, &mut gradients, values);
        if !(losses.sum.is_finite() && gradient_norm.is_finite()) {
            return Err(LanguageError::Diverged {
                what: "the loss or its gradient",
                found: losses.sum,
                step,
            });
        }
        Ok(SftStep {
            step: step + 1,
            losses,
            gradient_norm,
            learning_rate,
            tokens: examples.iter().map(Example::rows).sum(),
        })
    }

    /// Losses on the crystals that are held out, always written the same way.
    ///
    /// # Errors
    /// As [`Self::step`].
    pub fn validate(&mut self) -> Result<TokenLosses, LanguageError> {
        let writing = self.config.writing;
        let examples = self.validation.iter().enumerate().map(|(draw, row)| {
            writing.example(
                &self.tokenizer,
                row,
                self.config.seed ^ u64::MAX,
                draw as u64,
            )
        });
        let mut examples = examples.collect::<Result<Vec<_>, _>>()?;
        examples.sort_by_key(Example::rows);
        self.losses(&examples, None, None)
    }

    fn losses(
        &mut self,
        examples: &[Example],
        dropout_seed: Option<u64>,
        gradients: Option<&mut [f32]>,
    ) -> Result<TokenLosses, LanguageError> {
        let (model, trainable) = (&self.model, &self.trainable);
        match &mut self.place {
            Place::Processor(work) => {
                completion_losses(model, trainable, examples, *work, dropout_seed, gradients)
            }
            Place::Device(device) => device.losses(trainable, examples, gradients),
        }
    }

    /// Writes all that the next step depends on into a folder.
    ///
    /// # Errors
    /// [`LanguageError::Io`] or [`LanguageError::File`] if it cannot be written.
    pub fn save(&self, folder: &Path) -> Result<(), LanguageError> {
        std::fs::create_dir_all(folder).map_err(|source| LanguageError::io(folder, source))?;
        let [first, second] = self.optimiser.moments();
        let flats = [
            ("trained", self.trainable.values()),
            ("exp_avg", first),
            ("exp_avg_sq", second),
        ];
        write_state(&folder.join(NUMBERS), &self.trainable, &flats)?;
        let saved = SavedSft {
            version: 1,
            config: self.config.clone(),
            steps: self.steps(),
            crystals: self.train.len(),
        };
        let path = folder.join(SAVED);
        let text =
            serde_json::to_vec_pretty(&saved).map_err(|error| LanguageError::file(&path, error))?;
        crystalgym_crystal::write_atomically(&path, &text)
            .map_err(|source| LanguageError::io(&path, source))
    }

    /// Goes on from what [`Self::save`] wrote of a fine-tuning of the same settings and crystals.
    ///
    /// # Errors
    /// [`LanguageError::Io`] or [`LanguageError::File`] if it is none.
    pub fn restore(&mut self, folder: &Path) -> Result<(), LanguageError> {
        let path = folder.join(SAVED);
        let text = crystalgym_crystal::read_bytes(&path)
            .map_err(|source| LanguageError::io(&path, source))?;
        let saved: SavedSft =
            serde_json::from_slice(&text).map_err(|error| LanguageError::file(&path, error))?;
        if saved.version != 1 || saved.config != self.config || saved.crystals != self.train.len() {
            let message = "it is of other settings or other crystals";
            return Err(LanguageError::file(&path, message));
        }
        let path = folder.join(NUMBERS);
        let mut files = SafetensorsFiles::open_one(&path)?;
        let mut read = |prefix: &str| {
            let mut flat = self.trainable.clone();
            let name = |name: &str| format!("{prefix}.{name}");
            read_tensors(&path, &mut files, &mut flat, &name, "\0")?;
            Ok::<_, LanguageError>(flat)
        };
        let trained = read("trained")?;
        let moments = [read("exp_avg")?, read("exp_avg_sq")?].map(|flat| flat.values().to_vec());
        self.optimiser.restore(saved.steps, moments)?;
        self.trainable = trained;
        Ok(())
    }
}
