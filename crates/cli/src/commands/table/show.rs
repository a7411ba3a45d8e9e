//! `crystalgym table show`: a table in numbers.

use std::{io::Write, process::ExitCode};

use clap::Args;
use crystalgym_environment::{Difficulty, published_target};
use crystalgym_evaluation::{ResultTable, SHIPPED_TABLES};
use crystalgym_table::{Summary, hit_tolerance};

use super::names::open;
use crate::{terminal, trust::TrustArguments};

/// Fillings that are listed for each target.
const LISTED: usize = 5;
/// Characters of the longest bar.
const LONGEST_BAR: usize = 40;

/// Arguments of `crystalgym table show`.
#[derive(Debug, Args)]
pub(crate) struct ShowArguments {
    /// A table that comes with the program, a parquet file, or a table that is being made; without,
    /// the names of those that come with the program.
    name: Option<String>,
    /// Targets to look around, separated by commas; the published ones of the property by default.
    #[arg(long, value_delimiter = ',')]
    target: Vec<f64>,
    /// How far from a target counts as near, in the property's unit; 0.1 eV for gaps and 5 % of the
    /// target for all else by default.
    #[arg(long)]
    tolerance: Option<f64>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    trust: TrustArguments,
}

pub(crate) fn run(arguments: &ShowArguments) -> anyhow::Result<ExitCode> {
    let mut out = terminal::stdout();
    let Some(name) = &arguments.name else {
        for table in SHIPPED_TABLES {
            writeln!(out, "{:<24} {:>8} bytes", table.name, table.data.len())?;
        }
        return Ok(ExitCode::SUCCESS);
    };
    let table = open(name, &arguments.trust)?;
    let of = table.description();
    let summary = Summary::of(table.rows());
    let targets = match arguments.target.is_empty() {
        false => arguments.target.clone(),
        true => Difficulty::ALL
            .into_iter()
            .filter_map(|difficulty| published_target(of.property, difficulty))
            .collect(),
    };
    if arguments.json {
        let value = json(&table, &summary, &targets, arguments.tolerance);
        writeln!(out, "{}", terminal::json(&value)?)?;
        return Ok(ExitCode::SUCCESS);
    }
    let symbols: Vec<&str> = of.elements.iter().map(|e| e.symbol()).collect();
    writeln!(
        out,
        "{} of {} with {} elements ({}), by {}",
        of.property,
        of.skeleton.label,
        of.elements.len(),
        symbols.join(" "),
        of.calculator_name
    )?;
    writeln!(
        out,
        "{} of {} fillings{}",
        table.rows().len(),
        of.fillings,
        match table.is_whole() {
            true => "",
            false => ", not whole yet",
        }
    )?;
    for (outcome, count) in &summary.counts {
        writeln!(out, "  {outcome:<24} {count:>8}")?;
    }
    let histogram = summary.histogram();
    let longest = histogram.iter().map(|bar| bar.rows).max().unwrap_or(0);
    if let (Some((least, most)), Some(median)) = (summary.range(), summary.median()) {
        let unit = &of.unit;
        writeln!(out, "\n{least:.4} to {most:.4} {unit}, median {median:.4}")?;
    }
    for bar in histogram {
        let length = (bar.rows * LONGEST_BAR).div_ceil(longest.max(1));
        writeln!(
            out,
            "  {:>9.3} {:>7}  {}",
            bar.from,
            bar.rows,
            "█".repeat(length)
        )?;
    }
    for target in targets {
        let tolerance = (arguments.tolerance).unwrap_or_else(|| hit_tolerance(of.property, target));
        let around = summary.around(target, tolerance, LISTED);
        writeln!(
            out,
            "\ntarget {target} {}: {} rows within {tolerance}, which stand for {} fillings",
            of.unit, around.within, around.fillings_within
        )?;
        for (value, row) in around.nearest {
            let symbols: Vec<&str> = row.elements.iter().map(|e| e.symbol()).collect();
            writeln!(out, "  {value:>10.5}  {}", symbols.join(" "))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn json(
    table: &ResultTable,
    summary: &Summary<'_>,
    targets: &[f64],
    tolerance: Option<f64>,
) -> serde_json::Value {
    let of = table.description();
    let around = targets.iter().map(|&target| {
        let tolerance = tolerance.unwrap_or_else(|| hit_tolerance(of.property, target));
        let around = summary.around(target, tolerance, LISTED);
        serde_json::json!({
            "target": target,
            "tolerance": tolerance,
            "rows_within": around.within,
            "fillings_within": around.fillings_within,
            "nearest": around.nearest.iter().map(|(value, row)| serde_json::json!({
                "value": value,
                "elements": row.elements,
            })).collect::<Vec<_>>(),
        })
    });
    serde_json::json!({
        "description": of,
        "rows": table.rows().len(),
        "is_whole": table.is_whole(),
        "range": summary.range(),
        "median": summary.median(),
        "histogram": summary.histogram().iter().map(|bar| {
            serde_json::json!({ "from": bar.from, "to": bar.to, "rows": bar.rows })
        }).collect::<Vec<_>>(),
        "targets": around.collect::<Vec<_>>(),
    })
}
