//! `crystalgym table`: every filling of a skeleton computed once.

mod build;
mod export;
mod names;
mod show;
mod verify;

use std::process::ExitCode;

use clap::{Args, Subcommand};

/// Arguments of `crystalgym table`.
#[derive(Debug, Args)]
pub(crate) struct TableArguments {
    #[command(subcommand)]
    command: TableCommand,
}

#[derive(Debug, Subcommand)]
enum TableCommand {
    /// Compute every filling of a skeleton that the store lacks; goes on where it was stopped.
    Build(build::BuildArguments),
    /// Counts, a histogram, and what lies near a target.
    Show(show::ShowArguments),
    /// Write a whole table as a parquet file with its data card.
    Export(export::ExportArguments),
    /// Compute a random sample of the rows again.
    Verify(verify::VerifyArguments),
}

pub(crate) fn run(arguments: &TableArguments) -> anyhow::Result<ExitCode> {
    match &arguments.command {
        TableCommand::Build(arguments) => build::run(arguments),
        TableCommand::Show(arguments) => show::run(arguments),
        TableCommand::Export(arguments) => export::run(arguments),
        TableCommand::Verify(arguments) => verify::run(arguments),
    }
}
