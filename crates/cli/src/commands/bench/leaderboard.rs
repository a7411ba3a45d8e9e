//! `crystalgym bench leaderboard`: ranks the verified results of a folder.

use std::{io::Write as _, path::PathBuf, process::ExitCode};

use anyhow::Context as _;
use clap::{Args, ValueEnum};
use crystalgym_benchmark::{Leaderboard, LeaderboardRow, csv_row, markdown};
use crystalgym_crystal::write_atomically;

use crate::terminal;

/// Arguments of `crystalgym bench leaderboard`.
#[derive(Debug, Args)]
pub(crate) struct LeaderboardArguments {
    /// Folder of results with the records of `bench verify` beside them.
    folder: PathBuf,
    /// Form of the table.
    #[arg(long, value_enum, default_value_t = Form::Markdown)]
    format: Form,
    /// File to write; standard output by default.
    #[arg(long)]
    output: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Form {
    Markdown,
    Csv,
    Json,
}

pub(crate) fn run(arguments: &LeaderboardArguments) -> anyhow::Result<ExitCode> {
    let board = Leaderboard::read(&arguments.folder)?;
    let text = match arguments.format {
        Form::Markdown => as_markdown(&board),
        Form::Csv => as_csv(&board.rows),
        Form::Json => terminal::json(&board)? + "\n",
    };
    match &arguments.output {
        None => terminal::stdout().write_all(text.as_bytes())?,
        Some(file) => write_atomically(file, text.as_bytes())
            .with_context(|| format!("cannot write {}", file.display()))?,
    }
    for file in &board.left_out {
        eprintln!("not ranked: {}: {}", file.folder.display(), file.reason);
    }
    Ok(ExitCode::SUCCESS)
}

fn as_markdown(board: &Leaderboard) -> String {
    let mut text = String::from("# Leaderboard\n\n");
    for table in board.tables() {
        text += &table.markdown();
        text.push('\n');
    }
    if board.rows.is_empty() {
        text += "No verified result.\n\n";
    }
    if !board.left_out.is_empty() {
        text += "### Not ranked\n\n";
        for file in &board.left_out {
            let name = file
                .folder
                .file_name()
                .unwrap_or_default()
                .to_string_lossy();
            text += &format!("- {}: {}\n", markdown(&name), markdown(&file.reason));
        }
    }
    text
}

fn as_csv(rows: &[LeaderboardRow]) -> String {
    let mut text = csv_row(&[
        "experiment",
        "property",
        "skeletons",
        "scale",
        "calculator",
        "rank",
        "name",
        "algorithm",
        "seeds",
        "interquartile_mean",
        "interval_low",
        "interval_high",
        "held_out",
        "calculations_per_job",
        "jobs",
        "jobs_trained_again",
        "file",
    ]);
    for row in rows {
        let number = |value: Option<f64>| value.map_or_else(String::new, |x| x.to_string());
        text += &csv_row(&[
            row.experiment.clone(),
            row.property.clone(),
            row.skeletons.clone(),
            row.scale.clone(),
            row.calculator.clone(),
            row.rank.to_string(),
            row.name.clone(),
            row.algorithm.clone(),
            row.seeds.to_string(),
            row.interquartile_mean.to_string(),
            number(row.interval.map(|(low, _)| low)),
            number(row.interval.map(|(_, high)| high)),
            number(row.held_out),
            row.calculations_per_job.to_string(),
            row.replayed.1.to_string(),
            row.replayed.0.to_string(),
            row.file.clone(),
        ]);
    }
    text
}
