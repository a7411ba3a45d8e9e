//! `crystalgym bench`: measurements that anybody can repeat.

mod agents;

use std::process::ExitCode;

use clap::{Args, Subcommand};

/// Arguments of `crystalgym bench`.
#[derive(Debug, Args)]
pub(crate) struct BenchArguments {
    #[command(subcommand)]
    command: BenchCommand,
}

#[derive(Debug, Subcommand)]
enum BenchCommand {
    /// Episodes until agents come near an optimum known by enumeration (rigid densities, no DFT).
    Agents(agents::AgentsArguments),
}

pub(crate) fn run(arguments: &BenchArguments) -> anyhow::Result<ExitCode> {
    match &arguments.command {
        BenchCommand::Agents(arguments) => agents::run(arguments),
    }
}
