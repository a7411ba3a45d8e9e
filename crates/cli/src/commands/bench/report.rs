use std::{
    io::{self, Write},
    path::PathBuf,
    process::ExitCode,
};

use clap::Args;
use crystalgym_report::{Reference, ReportData, write_report};

/// Arguments of `crystalgym bench report`.
#[derive(Debug, Args)]
pub(crate) struct ReportArguments {
    /// Folder of the benchmark; tables, figures and the page go into report/ there.
    folder: PathBuf,
    /// Known compositions, one formula a line: a composition is new if it is not among them. By
    /// default, those of the seven materials that C1 to C7 come from.
    #[arg(long, value_name = "FILE")]
    reference: Option<PathBuf>,
}

pub(crate) fn run(arguments: &ReportArguments) -> anyhow::Result<ExitCode> {
    let mut data = ReportData::of_benchmark(&arguments.folder)?;
    if let Some(path) = &arguments.reference {
        data.reference = Reference::read(path)?;
    }
    let written = write_report(&data, &arguments.folder.join("report"))?;
    let mut out = io::stdout().lock();
    for table in &data.tables.tables {
        writeln!(out, "{}", table.markdown())?;
    }
    for (folder, reason) in &data.tables.left_out {
        eprintln!("left out: {}: {reason}", folder.display());
    }
    eprintln!(
        "{} figures and tables; open {}",
        written.figures,
        written.page.display()
    );
    Ok(ExitCode::SUCCESS)
}
