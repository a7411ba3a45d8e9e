//! `crystalgym store`: counts, checks, copies and exports the results of a store.

use std::{
    io::Write,
    path::{Path, PathBuf},
    process::ExitCode,
    str::FromStr,
};

use anyhow::Context;
use clap::{Args, Subcommand};
use crystalgym_crystal::write_atomically;
use crystalgym_dataset::{DatasetDescription, write_dataset, write_parquet};
use crystalgym_evaluation::{
    DamagedResult, ExportFormat, Property, ResultStore, StoredResult, is_on_a_server,
};
use crystalgym_training::default_store_path;

use crate::hint::UsageError;

/// Arguments of `crystalgym store`.
#[derive(Debug, Args)]
pub(crate) struct StoreArguments {
    /// The store, a file or postgres://…; the user's own one by default.
    #[arg(long, global = true)]
    store: Option<PathBuf>,
    #[command(subcommand)]
    command: StoreCommand,
}

#[derive(Debug, Subcommand)]
enum StoreCommand {
    /// Copy every result of one store to another, files or servers; what that has already stands.
    Copy {
        /// The store to read.
        from: PathBuf,
        /// The store to add to; it is made if need be.
        to: PathBuf,
    },
    /// Let the calculations of a server's queue that were set aside be tried again.
    Release,
    /// Count results by calculator, property and outcome.
    Stats,
    /// Verify the file and every result in it.
    Check,
    /// Write all results to standard output or a file.
    Export {
        /// csv, jsonl, extxyz or parquet.
        #[arg(long, default_value = "csv")]
        format: Form,
        /// Only this property.
        #[arg(long)]
        property: Option<Property>,
        /// File to write; standard output by default.
        #[arg(long)]
        output: Option<PathBuf>,
    },
    /// Write a folder that others can use and cite: parquet, extxyz, data card, checksums.
    Dataset {
        /// Folder to write into.
        #[arg(long)]
        output: PathBuf,
        /// Only this property.
        #[arg(long)]
        property: Option<Property>,
        /// Title of the data card.
        #[arg(long)]
        title: Option<String>,
        /// Licence identifier; the lattices of C1 to C7 are CC BY 4.0.
        #[arg(long)]
        license: Option<String>,
    },
}

/// A form in which results leave the store.
#[derive(Debug, Clone, Copy)]
enum Form {
    Text(ExportFormat),
    Parquet,
}

impl FromStr for Form {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        match name {
            "parquet" => Ok(Self::Parquet),
            _ => name.parse().map(Self::Text).map_err(|_: String| {
                format!("unknown export format '{name}': expected csv, jsonl, extxyz or parquet")
            }),
        }
    }
}

impl Form {
    fn write_all(
        self,
        results: &[StoredResult],
        out: &mut (dyn Write + Send),
    ) -> anyhow::Result<()> {
        match self {
            Self::Text(format) => StoredResult::write_all(results, format, &mut Box::new(out))?,
            Self::Parquet => write_parquet(results, out)?,
        }
        Ok(())
    }
}

pub(crate) fn run(arguments: &StoreArguments) -> anyhow::Result<ExitCode> {
    if let StoreCommand::Copy { from, to } = &arguments.command {
        return copy(from, to);
    }
    let path = match &arguments.store {
        Some(path) => path.clone(),
        None => default_store_path()?,
    };
    let store = match arguments.command {
        StoreCommand::Release => ResultStore::open(&path)?,
        _ => open_existing(&path)?,
    };
    let mut out = crate::terminal::stdout();
    match &arguments.command {
        // Done above, without a store of one's own.
        StoreCommand::Copy { .. } => {}
        StoreCommand::Release => {
            let released = store.release_set_aside()?;
            writeln!(out, "{released} calculations are tried again")?;
        }
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
            let results = readable(&store, *property)?;
            match output {
                None => match format {
                    // Text that is often looked at in a terminal by way of another program.
                    Form::Text(ExportFormat::Csv | ExportFormat::ExtXyz) => {
                        let mut text = Vec::new();
                        format.write_all(&results, &mut text)?;
                        out.write_all(&text)?;
                    }
                    _ => format.write_all(&results, &mut crate::terminal::data())?,
                },
                Some(file) => {
                    let mut data = Vec::new();
                    format.write_all(&results, &mut data)?;
                    write_atomically(file, &data)
                        .with_context(|| format!("cannot write {}", file.display()))?;
                }
            }
        }
        StoreCommand::Dataset {
            output,
            property,
            title,
            license,
        } => {
            let defaults = DatasetDescription::default();
            let description = DatasetDescription {
                title: title.clone().unwrap_or(defaults.title),
                license: license.clone().unwrap_or(defaults.license),
            };
            let results = readable(&store, *property)?;
            write_dataset(&results, &description, output)?;
            eprintln!("{}: {} results", output.display(), results.len());
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Looking into a store must neither create nor change one.
fn open_existing(path: &Path) -> anyhow::Result<ResultStore> {
    let can_exist = path.as_os_str().is_empty() || is_on_a_server(path) || path.exists();
    if !can_exist {
        let message = format!("no store at {} (choose one with --store)", path.display());
        return Err(UsageError(message).into());
    }
    Ok(ResultStore::open_read_only(path)?)
}

/// Copies results and says what became of them.
fn copy(from: &Path, to: &Path) -> anyhow::Result<ExitCode> {
    let source = open_existing(from)?;
    let copied = source.copy_to(&ResultStore::open(to)?)?;
    let to = to.display();
    eprintln!(
        "{to}: {} results added, {} were there",
        copied.added, copied.known
    );
    if let Some(DamagedResult { key, problem }) = copied.damaged.first() {
        let count = copied.damaged.len();
        eprintln!("warning: {count} damaged results were left out, the first {key}: {problem}");
        return Ok(ExitCode::FAILURE);
    }
    Ok(ExitCode::SUCCESS)
}

/// All results that can be read, and a word about damaged ones.
fn readable(store: &ResultStore, property: Option<Property>) -> anyhow::Result<Vec<StoredResult>> {
    let (results, damaged) = store.results_and_damage(property)?;
    if let Some(DamagedResult { key, problem }) = damaged.first() {
        eprintln!(
            "warning: {} results are damaged (`store check` names them), the first {key}: \
             {problem}; those that cannot be read are left out",
            damaged.len(),
        );
    }
    Ok(results)
}
