//! `crystalgym llm`: language models that learn to name the elements of crystals.

mod contents;
mod make;
mod settings;
mod sft;

use std::process::ExitCode;

use clap::{Args, Subcommand};

/// Arguments of `crystalgym llm`.
#[derive(Debug, Args)]
pub(crate) struct LlmArguments {
    #[command(subcommand)]
    command: LlmCommand,
}

#[derive(Debug, Subcommand)]
enum LlmCommand {
    /// Fine-tune a model on crystals written as text, or go on with that.
    Sft(Box<sft::SftArguments>),
    /// Make a small model with random weights, to be trained from nothing.
    New(make::NewArguments),
}

pub(crate) fn run(arguments: &LlmArguments) -> anyhow::Result<ExitCode> {
    match &arguments.command {
        LlmCommand::Sft(arguments) => sft::run(arguments),
        LlmCommand::New(arguments) => make::run(arguments),
    }
}
