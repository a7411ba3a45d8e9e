//! `crystalgym table`: every filling of a skeleton computed once.

mod build;
mod names;

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
}

pub(crate) fn run(arguments: &TableArguments) -> anyhow::Result<ExitCode> {
    match &arguments.command {
        TableCommand::Build(arguments) => build::run(arguments),
    }
}
