//! `crystalgym bench report`: the page of one or several benchmark folders, and its gist in the terminal.

use std::{
    io::{self, Write},
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::Context as _;
use clap::Args;
use crystalgym_benchmark::{Standing, TaskVerdict};
use crystalgym_crystal::EnclosedFolder;
use crystalgym_report::{Reference, ReportData, write_report};

use crate::terminal::{self, Shown};

/// Arguments of `crystalgym bench report`.
#[derive(Debug, Args)]
pub(crate) struct ReportArguments {
    /// Folders of benchmarks, several as if they were one; tables, figures and the page go into
    /// report/ in the first.
    #[arg(required = true)]
    folders: Vec<PathBuf>,
    /// Known compositions, one formula a line: a composition is new if it is not among them. By
    /// default, those of the seven materials that C1 to C7 come from.
    #[arg(long, value_name = "FILE")]
    reference: Option<PathBuf>,
    /// Print all tables, in Markdown, instead of the verdict.
    #[arg(long)]
    tables: bool,
}

pub(crate) fn run(arguments: &ReportArguments) -> anyhow::Result<ExitCode> {
    let folders: Vec<&Path> = arguments.folders.iter().map(PathBuf::as_path).collect();
    let mut data = ReportData::of_benchmarks(&folders)?;
    if let Some(path) = &arguments.reference {
        data.reference = Reference::read(path)?;
    }
    let folder = EnclosedFolder::at(folders[0])
        .make_subfolder("report")
        .with_context(|| format!("{}", folders[0].join("report").display()))?;
    let written = write_report(&data, folder.path())?;
    let mut out = terminal::stdout();
    if arguments.tables {
        for table in &data.tables.tables {
            writeln!(out, "{}", table.markdown())?;
        }
    } else {
        summary(&mut out, &data)?;
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

/// Where rewards come from, and the verdict on each task.
fn summary<W: Write>(out: &mut Shown<W>, data: &ReportData) -> io::Result<()> {
    let jobs = data.jobs.len();
    out.strong(&data.title)?;
    writeln!(out, ": {jobs} finished jobs, {}", data.stamp)?;
    for (source, properties) in data.reward_sources() {
        let properties: Vec<&str> = properties.into_iter().collect();
        writeln!(out, "Rewards of {}:", properties.join(", "))?;
        writeln!(out, "  {}", source.text)?;
    }
    for verdict in &data.verdicts {
        writeln!(out)?;
        out.strong(&format!("{}: {}", verdict.experiment, verdict.task))?;
        writeln!(out)?;
        task(out, verdict)?;
    }
    Ok(())
}

fn task<W: Write>(out: &mut Shown<W>, verdict: &TaskVerdict) -> io::Result<()> {
    for (heading, standings) in [
        ("greedy policies", &verdict.policies),
        ("best finds of searches", &verdict.searches),
    ] {
        if !standings.is_empty() {
            writeln!(out, "  {heading}")?;
        }
        for standing in standings {
            writeln!(out, "    {}", line(standing))?;
        }
    }
    if !verdict.policies.is_empty() {
        writeln!(out, "  {}", verdict.certainty.text())?;
    }
    for crystal in &verdict.crystals {
        writeln!(out, "  {crystal}")?;
    }
    Ok(())
}

/// `ppo            0.981  0.950 to 0.993  6 jobs`
fn line(standing: &Standing) -> String {
    format!("{:<14} {}", standing.algorithm.name(), standing.text())
}
