//! What decides a fine-tuning run, as `settings.toml` keeps it.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use crystalgym_crystal::write_atomically;
use crystalgym_language::{
    CrystalFile, CrystalRow, CrystalTokenizer, Llama, Precision, Sft, SftConfig, Work,
};
use serde::{Deserialize, Serialize};

/// Everything that decides a fine-tuning run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SftSettings {
    pub(super) model: PathBuf,
    pub(super) data: Vec<PathBuf>,
    pub(super) precision: Precision,
    pub(super) most_sites: usize,
    pub(super) threads: usize,
    pub(super) micro_batch_tokens: usize,
    pub(super) checkpointing: bool,
    pub(super) validate_every: u64,
    pub(super) checkpoint_every: u64,
    pub(super) sft: SftConfig,
}

const FILE: &str = "settings.toml";

impl SftSettings {
    pub(super) fn read(run: &Path) -> anyhow::Result<Self> {
        let path = run.join(FILE);
        let text = std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
        toml::from_str(&text).with_context(|| path.display().to_string())
    }

    pub(super) fn write(&self, run: &Path) -> anyhow::Result<String> {
        let text = toml::to_string_pretty(self)?;
        write_atomically(&run.join(FILE), text.as_bytes())?;
        Ok(text)
    }

    /// The fine-tuning at its beginning; tells what was read.
    pub(super) fn begin(&self) -> anyhow::Result<Sft> {
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
        let work = Work {
            micro_batch_tokens: self.micro_batch_tokens,
            checkpointing: self.checkpointing,
            threads: self.threads,
        };
        Ok(Sft::new(model, tokenizer, rows, self.sft.clone(), work)?)
    }
}
