use std::{path::PathBuf, process::ExitCode};

use clap::Args;
use crystalgym_benchmark::{ResultFile, problems, write_result};

/// Arguments of `crystalgym bench submit`.
#[derive(Debug, Args)]
pub(crate) struct SubmitArguments {
    /// Folder of the benchmark.
    folder: PathBuf,
    /// Whose result it is, as a leaderboard is to show it.
    #[arg(long)]
    name: String,
    /// File to write, packed if it ends in .gz; result.json in the folder by default.
    #[arg(long)]
    output: Option<PathBuf>,
}

pub(crate) fn run(arguments: &SubmitArguments) -> anyhow::Result<ExitCode> {
    let file = match &arguments.output {
        Some(file) => file.clone(),
        None => arguments.folder.join("result.json"),
    };
    let written = write_result(&arguments.folder, &arguments.name, &file)?;
    for job in &written.left_out {
        eprintln!("left out: {}: {}", job.folder.display(), job.reason);
    }
    for problem in problems(&ResultFile::read(&file)?.file) {
        eprintln!("bench verify will refuse it: {problem}");
    }
    let file = file.display();
    eprintln!(
        "{file}: {} jobs, {} episodes",
        written.jobs, written.episodes
    );
    eprintln!("before it is published: crystalgym bench verify {file}");
    Ok(ExitCode::SUCCESS)
}
