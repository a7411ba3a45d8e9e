//! The `crystalgym` command.
//!
//! Data go to standard output, everything else to standard error. Exit status: 0 done, 1 done but
//! the answer is a failure (or something went wrong on the way), 2 wrong usage.
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command line prints"
)]

#[macro_use]
mod terminal;

mod commands;
mod hint;
mod progress;
mod signals;
mod trust;

use std::{
    ffi::OsString,
    io::{self, Write as _},
    process::ExitCode,
};

use clap::{Parser, Subcommand, error::ErrorKind};
use crystalgym_benchmark::visible_lines;

/// Crystal design by reinforcement learning, with rewards from density functional theory.
#[derive(Debug, Parser)]
#[command(name = "crystalgym", version, arg_required_else_help = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Train an agent; ends with its best crystals.
    Train(commands::train::TrainArguments),
    /// Let the agent of a run make crystals, also on held-out skeletons, and compute them.
    Rollout(commands::rollout::RolloutArguments),
    /// Compute one property of one crystal.
    Evaluate(commands::evaluate::EvaluateArguments),
    /// The band structure of a crystal along its high-symmetry path.
    Bands(commands::bands::BandsArguments),
    /// The electronic density of states of a crystal.
    Dos(commands::dos::DosArguments),
    /// How a property of a crystal changes with cutoff and mesh, and which settings reach a tolerance.
    Converge(commands::convergence::ConvergeArguments),
    /// Search the elements of chosen sites of a structure of your own.
    Search(commands::search::SearchArguments),
    /// List skeletons, action sets, tasks, calculators, failure and warning codes, potentials.
    List(commands::list::ListArguments),
    /// Check and install pseudopotential families.
    Pseudo(commands::pseudo::PseudoArguments),
    /// Install pretrained models, and say which are.
    Model(commands::model::ModelArguments),
    /// Fine-tune language models on crystals.
    Llm(commands::llm::LlmArguments),
    /// Relax a crystal by a potential, and say how stable it is.
    Relax(commands::relax::RelaxArguments),
    /// Look into the store of results, or export it.
    Store(commands::store::StoreArguments),
    /// Compute every filling of a skeleton once: build, show, export and verify such a table.
    Table(Box<commands::table::TableArguments>),
    /// Convert a structure between CIF, POSCAR, extxyz and JSON.
    Convert(commands::convert::ConvertArguments),
    /// Measure how well things work.
    Bench(Box<commands::bench::BenchArguments>),
    /// Show a benchmark or a training run in the browser while it goes on.
    Watch(commands::watch::WatchArguments),
    /// Compute what waits in the queue of a PostgreSQL store.
    Worker(commands::worker::WorkerArguments),
    /// Submit a command with workers to Slurm; show and cancel such jobs.
    Cluster(Box<commands::cluster::ClusterArguments>),
}

/// Runs the command with these arguments, the first of which is the name of the program.
///
/// Wrong usage ends with status 2, as a command line does.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let arguments = match Arguments::try_parse_from(arguments) {
        Ok(arguments) => arguments,
        Err(error) => return usage(&error),
    };
    let result = match arguments.command {
        Command::Train(arguments) => commands::train::run(&arguments),
        Command::Rollout(arguments) => commands::rollout::run(&arguments),
        Command::Evaluate(arguments) => commands::evaluate::run(&arguments),
        Command::Bands(arguments) => commands::bands::run(&arguments),
        Command::Dos(arguments) => commands::dos::run(&arguments),
        Command::Converge(arguments) => commands::convergence::run(&arguments),
        Command::Search(arguments) => commands::search::run(&arguments),
        Command::List(arguments) => commands::list::run(&arguments),
        Command::Pseudo(arguments) => commands::pseudo::run(&arguments),
        Command::Model(arguments) => commands::model::run(&arguments),
        Command::Llm(arguments) => commands::llm::run(&arguments),
        Command::Relax(arguments) => commands::relax::run(&arguments),
        Command::Store(arguments) => commands::store::run(&arguments),
        Command::Table(arguments) => commands::table::run(&arguments),
        Command::Convert(arguments) => commands::convert::run(&arguments),
        Command::Bench(arguments) => commands::bench::run(&arguments),
        Command::Watch(arguments) => commands::watch::run(&arguments),
        Command::Worker(arguments) => commands::worker::run(&arguments),
        Command::Cluster(arguments) => commands::cluster::run(&arguments),
    };
    match result {
        Ok(code) => code,
        // The reader of a pipe has seen enough: that is not our failure.
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {}", terminal::error_text(&error));
            if let Some(hint) = hint::hint_for(&error) {
                eprintln!("hint: {hint}");
            }
            ExitCode::from(hint::exit_status(&error))
        }
    }
}

/// Help and version as `clap` prints them; what quotes the user goes through the terminal's function.
fn usage(error: &clap::Error) -> ExitCode {
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
            // A reader who has seen enough is no failure.
            let _ = error.print();
            ExitCode::SUCCESS
        }
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            let _ = error.print();
            ExitCode::from(hint::USAGE)
        }
        _ => {
            let text = error.render().to_string();
            let _ = io::stderr().write_all(visible_lines(&text).as_bytes());
            ExitCode::from(hint::USAGE)
        }
    }
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        cause
            .downcast_ref::<io::Error>()
            .is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
    })
}
