//! `crystalgym table export`: a whole table as a file with its data card.

use std::{path::PathBuf, process::ExitCode};

use anyhow::Context as _;
use clap::Args;
use crystalgym_table::write_table;

use super::names::open;
use crate::trust::TrustArguments;

/// Arguments of `crystalgym table export`.
#[derive(Debug, Args)]
pub(crate) struct ExportArguments {
    /// A table that was built, or one that comes with the program.
    name: String,
    /// The parquet file to write, with a data card (.md) beside it; NAME.parquet by default.
    #[arg(long)]
    output: Option<PathBuf>,
    #[command(flatten)]
    trust: TrustArguments,
}

pub(crate) fn run(arguments: &ExportArguments) -> anyhow::Result<ExitCode> {
    let table = open(&arguments.name, &arguments.trust)?;
    let file = match &arguments.output {
        Some(file) => file.clone(),
        None => {
            let name = PathBuf::from(&arguments.name);
            let stem = name.file_stem().context("the table has no name")?;
            let mut file = stem.to_owned();
            file.push(".parquet");
            file.into()
        }
    };
    let card = write_table(&table, &file)?;
    let of = table.description();
    eprintln!(
        "{}: {} fillings, {} of {}; {}",
        file.display(),
        of.fillings,
        of.property,
        of.skeleton.label,
        card.display()
    );
    Ok(ExitCode::SUCCESS)
}
