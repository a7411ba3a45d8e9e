use std::{
    io::{self, Write},
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::Context;
use clap::{Args, Subcommand};
use crystalgym_crystal::write_atomically;
use crystalgym_evaluation::{ExportFormat, Property, ResultStore, StoredResult};
use crystalgym_training::default_store_path;

use crate::hint::UsageError;

/// Arguments of `crystalgym store`.
#[derive(Debug, Args)]
pub(crate) struct StoreArguments {
    /// The store; the user's own one by default.
    #[arg(long, global = true)]
    store: Option<PathBuf>,
    #[command(subcommand)]
    command: StoreCommand,
}

#[derive(Debug, Subcommand)]
enum StoreCommand {
    /// Count results by calculator, property and outcome.
    Stats,
    /// Verify the file.
    Check,
    /// Write all results to standard output or a file.
    Export {
        /// csv, jsonl or extxyz.
        #[arg(long, default_value = "csv")]
        format: ExportFormat,
        /// Only this property.
        #[arg(long)]
        property: Option<Property>,
        /// File to write; standard output by default.
        #[arg(long)]
        output: Option<PathBuf>,
    },
}

pub(crate) fn run(arguments: &StoreArguments) -> anyhow::Result<ExitCode> {
    let path = match &arguments.store {
        Some(path) => path.clone(),
        None => default_store_path()?,
    };
    let store = open_existing(&path)?;
    let mut out = io::stdout().lock();
    match &arguments.command {
        StoreCommand::Stats => {
            writeln!(out, "{}", path.display())?;
            for (calculator, property, outcome, count) in store.statistics()? {
                writeln!(
                    out,
                    "{calculator:<12} {property:<14} {outcome:<24} {count:>8}"
                )?;
            }
        }
        StoreCommand::Check => {
            store.check()?;
            writeln!(out, "{}: ok", path.display())?;
        }
        StoreCommand::Export {
            format,
            property,
            output,
        } => {
            let results = store.results(*property)?;
            match output {
                None => StoredResult::write_all(&results, *format, &mut out)?,
                Some(file) => {
                    let mut data = Vec::new();
                    StoredResult::write_all(&results, *format, &mut data)?;
                    write_atomically(file, &data)
                        .with_context(|| format!("cannot write {}", file.display()))?;
                }
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Looking into a store must not create one.
fn open_existing(path: &Path) -> anyhow::Result<ResultStore> {
    if !path.exists() {
        let message = format!("no store at {} (choose one with --store)", path.display());
        return Err(UsageError(message).into());
    }
    Ok(ResultStore::open(path)?)
}
