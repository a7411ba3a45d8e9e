//! The `crystalgym` command.
//!
//! Data go to standard output, everything else to standard error. Exit status: 0 done, 1 done but
//! the answer is a failure (or something went wrong on the way), 2 wrong usage.
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command line prints"
)]

mod commands;
mod hint;
mod progress;
mod signals;
mod trust;

use std::{ffi::OsString, io, process::ExitCode};

use clap::{Parser, Subcommand};

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
    /// List skeletons, action sets, tasks, calculators or failure codes.
    List(commands::list::ListArguments),
    /// Check and install pseudopotential families.
    Pseudo(commands::pseudo::PseudoArguments),
    /// Look into the store of results, or export it.
    Store(commands::store::StoreArguments),
    /// Convert a structure between CIF, POSCAR, extxyz and JSON.
    Convert(commands::convert::ConvertArguments),
    /// Measure how well things work.
    Bench(Box<commands::bench::BenchArguments>),
    /// Show a benchmark or a training run in the browser while it goes on.
    Watch(commands::watch::WatchArguments),
}

/// Runs the command with these arguments, the first of which is the name of the program.
///
/// Wrong usage ends the process with status 2, as a command line does.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let result = match Arguments::parse_from(arguments).command {
        Command::Train(arguments) => commands::train::run(&arguments),
        Command::Rollout(arguments) => commands::rollout::run(&arguments),
        Command::Evaluate(arguments) => commands::evaluate::run(&arguments),
        Command::List(arguments) => commands::list::run(&arguments),
        Command::Pseudo(arguments) => commands::pseudo::run(&arguments),
        Command::Store(arguments) => commands::store::run(&arguments),
        Command::Convert(arguments) => commands::convert::run(&arguments),
        Command::Bench(arguments) => commands::bench::run(&arguments),
        Command::Watch(arguments) => commands::watch::run(&arguments),
    };
    match result {
        Ok(code) => code,
        // The reader of a pipe has seen enough: that is not our failure.
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {}", message(&error));
            if let Some(hint) = hint::hint_for(&error) {
                eprintln!("hint: {hint}");
            }
            ExitCode::from(hint::exit_status(&error))
        }
    }
}

/// What is wrong and why; a cause that is said already, as many errors do of the system's, is not
/// said again.
fn message(error: &anyhow::Error) -> String {
    let mut text = String::new();
    for cause in error.chain().map(ToString::to_string) {
        if text.ends_with(&cause) {
            continue;
        }
        if !text.is_empty() {
            text += ": ";
        }
        text += &cause;
    }
    text
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        cause
            .downcast_ref::<io::Error>()
            .is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
    })
}
