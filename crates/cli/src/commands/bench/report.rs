use std::{
    io::{self, Write},
    path::PathBuf,
    process::ExitCode,
};

use clap::Args;
use crystalgym_benchmark::{Tables, read_jobs};

/// Arguments of `crystalgym bench report`.
#[derive(Debug, Args)]
pub(crate) struct ReportArguments {
    /// Folder of the benchmark; the tables go into report/ there.
    folder: PathBuf,
}

pub(crate) fn run(arguments: &ReportArguments) -> anyhow::Result<ExitCode> {
    let tables = Tables::of(&read_jobs(&arguments.folder)?);
    let folder = arguments.folder.join("report");
    tables.write(&folder)?;
    let mut out = io::stdout().lock();
    for table in &tables.tables {
        writeln!(out, "{}", table.markdown())?;
    }
    for (folder, reason) in &tables.left_out {
        eprintln!("left out: {}: {reason}", folder.display());
    }
    eprintln!("the tables are in {}", folder.display());
    Ok(ExitCode::SUCCESS)
}
