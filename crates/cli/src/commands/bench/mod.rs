//! `crystalgym bench`: measurements that anybody can repeat.

mod agents;
mod coverage;
mod dft;
mod formation;
mod genbench;
mod leaderboard;
mod report;
mod run;
mod submit;
mod verdicts;
mod verify;

use std::process::ExitCode;

use clap::{Args, Subcommand};

/// Arguments of `crystalgym bench`.
///
/// Without a command: `run`, with the experiments named by `--preset`.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct BenchArguments {
    #[command(subcommand)]
    command: Option<BenchCommand>,
    /// Experiments, such as paper-exp1, separated by commas.
    #[arg(long = "preset", value_name = "EXPERIMENT", value_delimiter = ',')]
    experiments: Vec<String>,
    #[command(flatten)]
    options: run::RunOptionArguments,
}

#[derive(Debug, Subcommand)]
enum BenchCommand {
    /// Episodes until agents come near an optimum known by enumeration (rigid densities, no DFT).
    Agents(agents::AgentsArguments),
    /// Random crystals: how many can be computed, why the others fail, and how long it takes.
    Coverage(coverage::CoverageArguments),
    /// The plane-wave engine and pw.x side by side: values, times and their ratios.
    Dft(dft::DftArguments),
    /// The experiments of the paper as resumable jobs over one store of results.
    Run(run::RunArguments),
    /// Tables, figures and the page of a benchmark.
    Report(report::ReportArguments),
    /// Formation energies of the crystals that the trained agents of a benchmark made.
    Formation(formation::FormationArguments),
    /// The crystals of a benchmark judged as those of a generative model (paper, Table 6).
    Genbench(genbench::GenBenchArguments),
    /// One file with all that a benchmark found, for others to verify.
    Submit(submit::SubmitArguments),
    /// Look whether a result holds: check it, and compute its best crystals and a sample again.
    Verify(verify::VerifyArguments),
    /// Rank the verified results of a folder.
    Leaderboard(leaderboard::LeaderboardArguments),
}

pub(crate) fn run(arguments: &BenchArguments) -> anyhow::Result<ExitCode> {
    match &arguments.command {
        None => run::run(&arguments.experiments, &arguments.options),
        Some(BenchCommand::Agents(arguments)) => agents::run(arguments),
        Some(BenchCommand::Coverage(arguments)) => coverage::run(arguments),
        Some(BenchCommand::Dft(arguments)) => dft::run(arguments),
        Some(BenchCommand::Run(arguments)) => run::run(&arguments.experiments, &arguments.options),
        Some(BenchCommand::Report(arguments)) => report::run(arguments),
        Some(BenchCommand::Formation(arguments)) => formation::run(arguments),
        Some(BenchCommand::Genbench(arguments)) => genbench::run(arguments),
        Some(BenchCommand::Submit(arguments)) => submit::run(arguments),
        Some(BenchCommand::Verify(arguments)) => verify::run(arguments),
        Some(BenchCommand::Leaderboard(arguments)) => leaderboard::run(arguments),
    }
}
