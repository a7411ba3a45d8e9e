//! What decides a fine-tuning run, as `settings.toml` keeps it.

use std::path::PathBuf;

use anyhow::{Context, bail};
use clap::ValueEnum;
use crystalgym_crystal::EnclosedFolder;
use crystalgym_language::{
    Accelerator, CrystalFile, CrystalRow, CrystalTokenizer, LanguageError, Llama, Precision, Sft,
    SftConfig, Trainable, Work,
};
use crystalgym_language_cuda::CudaAccelerator;
use serde::{Deserialize, Serialize};

/// Where losses and gradients are computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "snake_case")]
pub(super) enum DeviceName {
    /// The processor, in f32.
    #[default]
    Cpu,
    /// An NVIDIA GPU, with products in brain floats.
    Cuda,
}

impl DeviceName {
    /// Tokens that are worked on at a time unless it is said: a GPU wants many.
    pub(super) fn micro_batch_tokens(self) -> usize {
        match self {
            Self::Cpu => 1024,
            Self::Cuda => 16_384,
        }
    }
}

/// Everything that decides a fine-tuning run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SftSettings {
    pub(super) model: PathBuf,
    pub(super) data: Vec<PathBuf>,
    pub(super) precision: Precision,
    pub(super) most_sites: usize,
    #[serde(default)]
    pub(super) device: DeviceName,
    pub(super) threads: usize,
    pub(super) micro_batch_tokens: usize,
    pub(super) checkpointing: bool,
    pub(super) validate_every: u64,
    pub(super) checkpoint_every: u64,
    pub(super) sft: SftConfig,
}

/// Most bytes of a file of settings.
const MOST_BYTES: u64 = 1 << 20;

impl SftSettings {
    /// The file in a run's folder.
    pub(super) const FILE: &'static str = "settings.toml";

    pub(super) fn read(run: &EnclosedFolder) -> anyhow::Result<Self> {
        let shown = || run.join(Self::FILE).display().to_string();
        let text = run.read_text(Self::FILE, MOST_BYTES).with_context(shown)?;
        toml::from_str(&text).with_context(shown)
    }

    pub(super) fn write(&self, run: &EnclosedFolder) -> anyhow::Result<String> {
        let text = toml::to_string_pretty(self)?;
        run.write(Self::FILE, text.as_bytes())
            .with_context(|| run.join(Self::FILE).display().to_string())?;
        Ok(text)
    }

    /// The fine-tuning at its beginning; tells what was read.
    pub(super) fn begin(&self) -> anyhow::Result<Sft> {
        self.check()?;
        let model = Llama::read(&self.model, self.precision)?;
        let tokenizer = CrystalTokenizer::read(&self.model, model.config())?;
        let mut rows: Vec<CrystalRow> = Vec::new();
        for path in &self.data {
            let file = CrystalFile::read(path, self.most_sites)?;
            eprintln!(
                "{}: {} crystals, {} rows skipped",
                path.display(),
                file.rows.len(),
                file.skipped_rows
            );
            for why in &file.skipped {
                eprintln!("  {}", why.escape_debug());
            }
            if file.skipped_rows > file.skipped.len() {
                eprintln!("  and {} more", file.skipped_rows - file.skipped.len());
            }
            rows.extend(file.rows);
        }
        if rows.is_empty() {
            bail!("no crystals: name files with --data");
        }
        let config = self.sft.clone();
        Ok(match self.device {
            DeviceName::Cpu => {
                let work = Work {
                    micro_batch_tokens: self.micro_batch_tokens,
                    checkpointing: self.checkpointing,
                    threads: self.threads,
                };
                Sft::new(model, tokenizer, rows, config, work)?
            }
            DeviceName::Cuda => {
                let open = |model: &Llama, trainable: &Trainable| self.open_gpu(model, trainable);
                Sft::on_device(model, tokenizer, rows, config, open)?
            }
        })
    }

    /// Ranges of what [`SftConfig`] does not know of.
    fn check(&self) -> Result<(), LanguageError> {
        let whole = |field, found: u64, most: u64| match (1..=most).contains(&found) {
            true => Ok(()),
            false => Err(LanguageError::Setting {
                field,
                found: found.to_string(),
                expected: format!("1 to {most}"),
            }),
        };
        whole("threads", self.threads as u64, 1024)?;
        whole(
            "micro_batch_tokens",
            self.micro_batch_tokens as u64,
            1 << 24,
        )?;
        whole("validate_every", self.validate_every, u64::MAX)?;
        whole("checkpoint_every", self.checkpoint_every, u64::MAX)
    }

    fn open_gpu(
        &self,
        model: &Llama,
        trainable: &Trainable,
    ) -> Result<Box<dyn Accelerator>, LanguageError> {
        use crystalgym_language_cuda::Precision::Bf16;
        let opened = CudaAccelerator::open(model, trainable, Bf16, self.micro_batch_tokens);
        let opened = opened.map_err(|error| LanguageError::Device(Box::new(error)))?;
        eprintln!("on {}", opened.name());
        Ok(Box::new(opened))
    }
}
