//! `crystalgym llm sft`: fine-tuning on crystals written as text.

use std::{
    io::Write,
    path::{Path, PathBuf},
    process::ExitCode,
    time::Instant,
};

use anyhow::{Context, bail};
use clap::{Args, ValueEnum};
use crystalgym_crystal::{EnclosedFolder, EntryKind, is_unfinished_write};
use crystalgym_language::{
    Baselines, Condition, LoraConfig, Precision, Sft, SftConfig, SftStep, TokenLosses, TrainedPart,
    Writing, write_trained,
};
use crystalgym_training::{EventWriter, RunFolder};
use serde::{Deserialize, Serialize};

use super::{
    contents::names_in,
    settings::{DeviceName, SftSettings},
};
use crate::{hint::UsageError, progress::CountBar, signals::StopFlag, terminal};

/// Arguments of `crystalgym llm sft`.
#[derive(Debug, Args)]
pub(crate) struct SftArguments {
    /// The base model: a folder as Hugging Face lays it out, or a GGUF file.
    #[arg(long, required_unless_present = "resume")]
    model: Option<PathBuf>,
    /// Crystals: CSV in the columns of MP-20, plain or gzipped; may be given more than once.
    #[arg(long, num_args = 1.., required_unless_present = "resume")]
    data: Vec<PathBuf>,
    /// Folder of the run.
    #[arg(long, required_unless_present = "resume")]
    output: Option<PathBuf>,
    /// Go on with the run in this folder.
    #[arg(long, value_name = "RUN", conflicts_with_all = ["model", "data", "output"])]
    resume: Option<PathBuf>,
    /// Write crystals as published: no property in the prompt, sites in the order of the file.
    #[arg(long)]
    published: bool,
    /// Property that prompts tell.
    #[arg(long, value_enum, default_value = "density")]
    condition: ConditionName,
    /// Train every weight instead of low-rank additions.
    #[arg(long)]
    whole: bool,
    /// Rank of the additions.
    #[arg(long, default_value_t = 8)]
    rank: usize,
    /// α of the additions.
    #[arg(long, default_value_t = 32.0)]
    alpha: f64,
    /// Share of the inputs that the additions do not see.
    #[arg(long, default_value_t = 0.05)]
    dropout: f64,
    /// Leave the rows of the elements' tokens as their symbols' pieces are.
    #[arg(long)]
    fixed_rows: bool,
    /// Hold the frozen weights in 8 bits, unless the file has blocks of fewer.
    #[arg(long)]
    eight_bit: bool,
    /// Crystals of an optimiser step.
    #[arg(long, default_value_t = 64)]
    batch: usize,
    /// Times that each crystal is seen.
    #[arg(long, default_value_t = 1.0)]
    epochs: f64,
    /// Highest learning rate.
    #[arg(long, default_value_t = 5e-4)]
    learning_rate: f64,
    /// Optimiser steps in which the rate rises.
    #[arg(long, default_value_t = 10)]
    warm_up: u64,
    /// Weight decay.
    #[arg(long, default_value_t = 0.0)]
    weight_decay: f64,
    /// Crystals that are held out.
    #[arg(long, default_value_t = 200)]
    validation: usize,
    /// Sites of the largest crystal.
    #[arg(long, default_value_t = 20)]
    most_sites: usize,
    /// Seed of everything random.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Where losses and gradients are computed (cpu, or that of the run that is gone on with).
    #[arg(long, value_enum)]
    device: Option<DeviceName>,
    /// Threads; the results are the same for any number.
    #[arg(long, default_value_t = 2)]
    threads: usize,
    /// Tokens that a thread, or the GPU, works on at a time (1024, on a GPU 16384).
    #[arg(long)]
    micro_batch_tokens: Option<usize>,
    /// Compute activations again in the backward pass instead of keeping them.
    #[arg(long)]
    checkpointing: bool,
    /// Steps between validations.
    #[arg(long, default_value_t = 20)]
    validate_every: u64,
    /// Steps between checkpoints.
    #[arg(long, default_value_t = 20)]
    checkpoint_every: u64,
    /// Stop after so many steps, to go on later.
    #[arg(long)]
    stop_after: Option<u64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum ConditionName {
    None,
    Density,
    #[value(name = "band_gap")]
    BandGap,
}

impl SftArguments {
    fn settings(&self, model: &Path) -> SftSettings {
        let writing = match self.published {
            true => Writing::published(),
            false => Writing {
                condition: match self.condition {
                    ConditionName::None => Condition::None,
                    ConditionName::Density => Condition::Density,
                    ConditionName::BandGap => Condition::BandGap,
                },
                ..Writing::default()
            },
        };
        let trained = match self.whole {
            true => TrainedPart::Whole,
            false => TrainedPart::Lora(LoraConfig {
                rank: self.rank,
                alpha: self.alpha,
                dropout: self.dropout,
                train_rows: !self.fixed_rows,
                ..LoraConfig::default()
            }),
        };
        let mut sft = SftConfig {
            trained,
            writing,
            batch: self.batch,
            epochs: self.epochs,
            learning_rate: self.learning_rate,
            warm_up: self.warm_up,
            validation: self.validation,
            seed: self.seed,
            ..SftConfig::default()
        };
        sft.optimiser.weight_decay = self.weight_decay;
        let device = self.device.unwrap_or_default();
        let tokens = self.micro_batch_tokens;
        SftSettings {
            model: model.to_owned(),
            data: self.data.clone(),
            precision: match self.eight_bit {
                true => Precision::EightBit,
                false => Precision::AsStored,
            },
            most_sites: self.most_sites,
            device,
            threads: self.threads.max(1),
            micro_batch_tokens: tokens.unwrap_or(device.micro_batch_tokens()).max(1),
            checkpointing: self.checkpointing,
            validate_every: self.validate_every.max(1),
            checkpoint_every: self.checkpoint_every.max(1),
            sft,
        }
    }
}

/// The newest checkpoint of a run, and how far its curves were by then.
#[derive(Debug, Serialize, Deserialize)]
struct Latest {
    folder: String,
    events: String,
    events_bytes: u64,
}

const LATEST: &str = "latest.json";
/// What the names of checkpoints begin with.
const CHECKPOINT: &str = "checkpoint-";
/// The subfolder of what was trained.
const ADAPTER: &str = "adapter";

/// Most bytes of the files beside a run's numbers.
const MOST_BYTES: u64 = 1 << 20;

struct Run {
    folder: EnclosedFolder,
    /// The checkpoint that was gone on from.
    begun_from: Option<String>,
    settings: SftSettings,
    sft: Sft,
    events: EventWriter,
}

pub(crate) fn run(arguments: &SftArguments) -> anyhow::Result<ExitCode> {
    let stop = StopFlag::install()?;
    let mut run = match (&arguments.resume, &arguments.model, &arguments.output) {
        (Some(folder), _, _) => resume(folder, arguments.device)?,
        (None, Some(model), Some(output)) => start(arguments.settings(model), output)?,
        _ => bail!("--model, --data and --output, or --resume"),
    };
    let mut out = terminal::stdout();
    let (train, held_out) = run.sft.crystals();
    let baselines = Baselines::new(
        run.settings.sft.writing,
        train,
        held_out,
        run.settings.sft.seed,
    );
    writeln!(
        out,
        "{} crystals to learn from, {} held out; elements right without looking: most frequent {:.3}, \
         most frequent follower {:.3}",
        train.len(),
        held_out.len(),
        baselines.most_frequent,
        baselines.follower
    )?;
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(run.settings.threads)
        .build()?;
    let total = run.sft.total_steps();
    let last = arguments.stop_after.map_or(total, |stop| stop.min(total));
    let bar = CountBar::new("steps");
    let start = run.sft.steps();
    if start == 0 || start == total {
        let losses = pool.install(|| run.sft.validate())?;
        run.validated(&losses, &mut out)?;
    }
    while run.sft.steps() < last && !stop.is_set() {
        let start = Instant::now();
        let step = pool.install(|| run.sft.step())?;
        let speed = step.tokens as f64 / start.elapsed().as_secs_f64();
        run.stepped(&step, speed)?;
        let loss = step.losses.sum / step.losses.tokens as f64;
        let line = format!("loss {loss:.3}, {speed:.0} tokens/s");
        bar.report(step.step as usize, total as usize, &line);
        let ends = step.step == total;
        if ends || step.step % run.settings.validate_every == 0 {
            let losses = pool.install(|| run.sft.validate())?;
            run.validated(&losses, &mut out)?;
        }
        if ends || step.step % run.settings.checkpoint_every == 0 {
            run.save()?;
        }
    }
    bar.finish();
    run.save()?;
    let folder = run.folder.path().display();
    match run.sft.steps() == total {
        true => eprintln!("done; what was trained is in {folder}/{ADAPTER}"),
        false => eprintln!("stopped; go on with: crystalgym llm sft --resume {folder}"),
    }
    Ok(ExitCode::SUCCESS)
}

fn start(settings: SftSettings, folder: &Path) -> anyhow::Result<Run> {
    check_free(&EnclosedFolder::at(folder))?;
    let sft = settings.begin()?;
    std::fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
    let folder = EnclosedFolder::at(folder);
    let text = settings.write(&folder)?;
    let mut run = Run {
        events: EventWriter::create(&RunFolder::at(folder.path()), &text)?,
        folder,
        begun_from: None,
        settings,
        sft,
    };
    run.save()?;
    Ok(run)
}

/// Refuses a folder that holds a run, or anything but what a run leaves that was killed before its first
/// checkpoint.
fn check_free(folder: &EnclosedFolder) -> anyhow::Result<()> {
    let names = names_in(folder)?;
    if names.is_empty() {
        return Ok(());
    }
    let path = folder.path().display();
    if folder.kind(LATEST)? != EntryKind::Missing {
        bail!("{path} holds a run: go on with --resume, or name another");
    }
    let first = format!("{CHECKPOINT}0");
    let is_left = |name: &String| match folder.kind(name) {
        Ok(EntryKind::File) => {
            let mut written = [SftSettings::FILE, LATEST].into_iter();
            name == SftSettings::FILE
                || name.starts_with(RunFolder::EVENTS_PREFIX)
                || written.any(|file| is_unfinished_write(name, file))
        }
        Ok(EntryKind::Folder) => *name == first,
        _ => false,
    };
    match names.iter().all(is_left) {
        true => Ok(()),
        false => {
            let message = format!("{path} holds other files, expected a new or empty folder");
            Err(UsageError(message).into())
        }
    }
}

/// Goes on with a run, on another device if one is named. What lies in the folder is reached by names and
/// never through links: it may come from somebody else.
fn resume(folder: &Path, device: Option<DeviceName>) -> anyhow::Result<Run> {
    let folder = EnclosedFolder::at(folder);
    let path = folder.join(LATEST);
    let shown = || path.display().to_string();
    let text = folder.read(LATEST, MOST_BYTES).with_context(shown)?;
    let latest: Latest = serde_json::from_slice(&text).with_context(shown)?;
    if !latest.folder.starts_with(CHECKPOINT) {
        bail!("{}: {:?} is no checkpoint", path.display(), latest.folder);
    }
    let checkpoint = plain_folder(&folder, &latest.folder)?
        .with_context(|| format!("{}: there is no {}", path.display(), latest.folder))?;
    plain_folder(&folder, ADAPTER)?;
    let mut settings = SftSettings::read(&folder)?;
    if let Some(device) = device.filter(|device| *device != settings.device) {
        settings.device = device;
        settings.micro_batch_tokens = device.micro_batch_tokens();
        settings.write(&folder)?;
    }
    let mut sft = settings.begin()?;
    sft.restore(checkpoint.path())?;
    Ok(Run {
        events: EventWriter::reopen(
            &RunFolder::at(folder.path()),
            &latest.events,
            latest.events_bytes,
        )?,
        folder,
        begun_from: Some(latest.folder),
        settings,
        sft,
    })
}

/// The folder of this name in a run, if there is one; it and what it holds are no links.
fn plain_folder(run: &EnclosedFolder, name: &str) -> anyhow::Result<Option<EnclosedFolder>> {
    let shown = || run.join(name).display().to_string();
    let Some(found) = run.subfolder(name).with_context(shown)? else {
        return Ok(None);
    };
    for inner in found.names().with_context(shown)? {
        if found.kind(&inner)? != EntryKind::File {
            bail!("{}: no regular file", found.join(&inner).display());
        }
    }
    Ok(Some(found))
}

impl Run {
    fn stepped(&mut self, step: &SftStep, speed: f64) -> anyhow::Result<()> {
        let tokens = step.losses.tokens as f64;
        for (tag, value) in [
            ("train/loss", step.losses.sum / tokens),
            ("train/elements_right", step.losses.right as f64 / tokens),
            ("train/gradient_norm", step.gradient_norm),
            ("train/learning_rate", step.learning_rate),
            ("charts/tokens_per_second", speed),
        ] {
            self.events.scalar(tag, step.step, value)?;
        }
        Ok(self.events.flush()?)
    }

    fn validated(&mut self, losses: &TokenLosses, out: &mut impl Write) -> anyhow::Result<()> {
        let step = self.sft.steps();
        if losses.tokens == 0 {
            return Ok(());
        }
        let tokens = losses.tokens as f64;
        let (loss, right) = (losses.sum / tokens, losses.right as f64 / tokens);
        self.events.scalar("validation/loss", step, loss)?;
        self.events
            .scalar("validation/elements_right", step, right)?;
        self.events.flush()?;
        writeln!(
            out,
            "step {step}: validation loss {loss:.4}, elements right {right:.3} of {}",
            losses.tokens
        )?;
        Ok(out.flush()?)
    }

    /// Writes a checkpoint beside the last one, makes it the newest in one step, and removes the last.
    fn save(&mut self) -> anyhow::Result<()> {
        let name = format!("{CHECKPOINT}{}", self.sft.steps());
        // What the run was gone on from is whole, and would not be while it is written again.
        if self.begun_from.as_ref() != Some(&name) {
            self.folder.remove(&name)?;
            self.sft.save(&self.folder.join(&name))?;
        }
        let latest = Latest {
            folder: name.clone(),
            events: self.events.name().to_owned(),
            events_bytes: self.events.sync()?,
        };
        let text = serde_json::to_vec_pretty(&latest)?;
        self.folder.write(LATEST, &text)?;
        let base = self.settings.model.display().to_string();
        write_trained(
            &self.folder.join(ADAPTER),
            self.sft.model(),
            self.sft.tokenizer(),
            self.sft.trainable(),
            self.settings.sft.writing,
            &base,
        )?;
        for old in self.folder.names()? {
            if old.starts_with(CHECKPOINT) && old != name {
                self.folder.remove(&old)?;
            }
        }
        // What processes that were killed have left half written.
        self.folder.sweep(SftSettings::FILE)?;
        self.folder.sweep(LATEST)?;
        let adapter = EnclosedFolder::at(self.folder.join(ADAPTER));
        for written in adapter.names()? {
            adapter.sweep(&written)?;
        }
        self.begun_from = Some(name);
        Ok(())
    }
}
