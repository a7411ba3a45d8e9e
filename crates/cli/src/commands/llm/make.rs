//! `crystalgym llm new`: a small model with random weights.

use std::{path::PathBuf, process::ExitCode};

use clap::Args;
use crystalgym_crystal::EnclosedFolder;
use crystalgym_language::{CrystalTokenizer, Llama, LlamaConfig, memory, write_model};

use super::contents::names_in;
use crate::hint::UsageError;

/// Arguments of `crystalgym llm new`.
#[derive(Debug, Args)]
pub(crate) struct NewArguments {
    /// Folder of the model.
    #[arg(long)]
    output: PathBuf,
    /// Width.
    #[arg(long, default_value_t = 128)]
    hidden: usize,
    /// Width inside of the feed-forward blocks.
    #[arg(long, default_value_t = 384)]
    inner: usize,
    /// Layers.
    #[arg(long, default_value_t = 4)]
    layers: usize,
    /// Heads of the queries.
    #[arg(long, default_value_t = 4)]
    heads: usize,
    /// Heads of keys and values.
    #[arg(long, default_value_t = 2)]
    key_heads: usize,
    /// Seed of the weights.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

pub(crate) fn run(arguments: &NewArguments) -> anyhow::Result<ExitCode> {
    if !names_in(&EnclosedFolder::at(&arguments.output))?.is_empty() {
        let folder = arguments.output.display();
        let message = format!("{folder} holds files, expected a new or empty folder");
        return Err(UsageError(message).into());
    }
    let tokenizer = CrystalTokenizer::of_bytes()?;
    let config = LlamaConfig {
        hidden_size: arguments.hidden,
        intermediate_size: arguments.inner,
        num_hidden_layers: arguments.layers,
        num_attention_heads: arguments.heads,
        num_key_value_heads: arguments.key_heads,
        head_dim: arguments.hidden / arguments.heads.max(1),
        vocab_size: tokenizer.vocabulary() as usize,
        rms_norm_eps: 1e-5,
        rope_theta: 10_000.0,
        rope_scaling: None,
        tie_word_embeddings: true,
        max_position_embeddings: 2048,
    };
    let model = Llama::random(config, arguments.seed)?;
    write_model(&arguments.output, &model, &tokenizer)?;
    let weights = memory::weight_count(model.config());
    eprintln!("{weights} weights in {}", arguments.output.display());
    Ok(ExitCode::SUCCESS)
}
