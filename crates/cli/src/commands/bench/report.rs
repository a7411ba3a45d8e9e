use std::{io::Write, path::PathBuf, process::ExitCode};

use anyhow::Context as _;
use clap::Args;
use crystalgym_crystal::EnclosedFolder;
use crystalgym_report::{Reference, ReportData, write_report};

use crate::terminal;

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
    let folder = EnclosedFolder::at(&arguments.folder)
        .make_subfolder("report")
        .with_context(|| format!("{}", arguments.folder.join("report").display()))?;
    let written = write_report(&data, folder.path())?;
    let mut out = terminal::stdout();
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
