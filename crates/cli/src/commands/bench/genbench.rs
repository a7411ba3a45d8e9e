//! `crystalgym bench genbench`: the crystals of a benchmark judged as those of a generative model.

use std::{io::Write, path::PathBuf, process::ExitCode};

use anyhow::{Context as _, bail};
use clap::Args;
use crystalgym_benchmark::{BenchmarkFolder, GenBench, GenBenchOptions, genbench};
use crystalgym_crystal::EnclosedFolder;
use crystalgym_evaluation::{CalculatorConfig, CalculatorName, ResultStore};
use crystalgym_stability::ReferenceSet;
use crystalgym_training::ConfigLayers;

use crate::{signals::StopFlag, terminal};

/// Arguments of `crystalgym bench genbench`.
#[derive(Debug, Args)]
pub(crate) struct GenBenchArguments {
    /// Folder of the benchmark.
    folder: PathBuf,
    /// CSV file of formation energies, or of total energies by CHGNet: what stability is measured from,
    /// and what a composition is new to.
    #[arg(long)]
    references: PathBuf,
    /// none, or own: crystals come to rest by CHGNet first.
    #[arg(long, default_value = "none")]
    relaxation: String,
    /// The crystals of training too, not only those of the final rollouts.
    #[arg(long)]
    training: bool,
}

pub(crate) fn run(arguments: &GenBenchArguments) -> anyhow::Result<ExitCode> {
    let references = ReferenceSet::from_csv(&arguments.references)?;
    let mut layers = ConfigLayers::default();
    layers.set("calculator.name", CalculatorName::Chgnet.name());
    layers.set("calculator.relaxation", arguments.relaxation.as_str());
    let path = arguments.references.to_string_lossy();
    layers.set("calculator.stability.references", path.as_ref());
    let config = layers.resolve_table("calculator", &CalculatorConfig::default())?;
    let calculator = config.build()?;
    let store = ResultStore::open(&BenchmarkFolder::at(&arguments.folder).store()?)?;
    let options = GenBenchOptions {
        training: arguments.training,
        calculator: calculator.as_ref(),
        store: Some(&store),
        references: &references,
        cancel: &StopFlag::install()?.cancel_token(),
    };
    let Some(table) = genbench(&arguments.folder, &options)? else {
        bail!("stopped; the same command goes on with what is left");
    };
    for (name, text) in [
        (GenBench::CRYSTALS_FILE, table.to_csv()),
        (GenBench::TABLE_FILE, table.to_markdown()),
    ] {
        let folder = EnclosedFolder::at(&arguments.folder);
        folder
            .write(name, text.as_bytes())
            .with_context(|| format!("file {}", folder.join(name).display()))?;
    }
    write!(terminal::stdout(), "{}", table.to_markdown())?;
    Ok(ExitCode::SUCCESS)
}
