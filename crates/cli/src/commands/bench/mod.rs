//! `crystalgym bench`: measurements that anybody can repeat.

mod agents;
mod coverage;
mod dft;

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
    /// Random crystals: how many can be computed, why the others fail, and how long it takes.
    Coverage(coverage::CoverageArguments),
    /// The plane-wave engine and pw.x side by side: values, times and their ratios.
    Dft(dft::DftArguments),
}

pub(crate) fn run(arguments: &BenchArguments) -> anyhow::Result<ExitCode> {
    match &arguments.command {
        BenchCommand::Agents(arguments) => agents::run(arguments),
        BenchCommand::Coverage(arguments) => coverage::run(arguments),
        BenchCommand::Dft(arguments) => dft::run(arguments),
    }
}
