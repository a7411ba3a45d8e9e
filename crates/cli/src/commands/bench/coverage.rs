//! `crystalgym bench coverage`: how often a calculator gives a value for random crystals.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    io::{self, Write},
    path::PathBuf,
    process::ExitCode,
    sync::Arc,
    thread,
    time::Duration,
};

use clap::Args;
use crystalgym_crystal::{Crystal, Element, Skeleton, write_atomically};
use crystalgym_environment::{ActionSet, random::uniform_below};
use crystalgym_evaluation::{
    Calculator, CancelToken, Evaluation, Outcome, Property, ResultStore, evaluate,
};
use crystalgym_training::open_store;
use rand::SeedableRng;
use rand_pcg::Pcg64;

use super::verdicts::{Verdict, read_verdicts, write_comparison};
use crate::{commands::evaluate::CalculatorArguments, signals::StopFlag, terminal};

/// Arguments of `crystalgym bench coverage`.
#[derive(Debug, Args)]
pub(crate) struct CoverageArguments {
    /// Random crystals.
    #[arg(long, default_value_t = 300)]
    count: usize,
    /// Seed of the draws.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Skeletons to draw from, separated by commas.
    #[arg(long, value_delimiter = ',', default_value = "C1,C2,C3,C4,C5,C6,C7")]
    skeleton: Vec<String>,
    /// `small`, `medium` or `large`.
    #[arg(long, default_value = "small")]
    actions: String,
    /// A property, as `crystalgym list properties` names them.
    #[arg(long, default_value = "band_gap")]
    property: Property,
    #[command(flatten)]
    calculator: CalculatorArguments,
    /// Wall time of one evaluation in seconds.
    #[arg(long, default_value_t = 600.0)]
    time_limit: f64,
    /// `default`, `none`, or the file of a store. What it holds is not computed again, so that a
    /// stopped measurement goes on where it was.
    #[arg(long, default_value = "default")]
    store: String,
    /// Write one row a crystal into this CSV file.
    #[arg(long)]
    csv: Option<PathBuf>,
    /// Compare with the CSV file of another calculator on the same crystals: how often the verdicts
    /// agree, and where they differ.
    #[arg(long, value_name = "CSV")]
    against: Option<PathBuf>,
}

/// A crystal and what came of it.
struct Row {
    crystal: Crystal,
    evaluation: Evaluation,
}

pub(crate) fn run(arguments: &CoverageArguments) -> anyhow::Result<ExitCode> {
    let stop = StopFlag::install()?;
    let others = match &arguments.against {
        Some(path) => Some(read_verdicts(path)?),
        None => None,
    };
    let crystals = draw(arguments)?;
    let limit = format!(
        "{}.time_limit_seconds={:?}",
        arguments.calculator.name(),
        arguments.time_limit
    );
    let calculator = arguments.calculator.config(&[limit])?.build()?;
    let mut elements: Vec<Element> = crystals
        .iter()
        .flat_map(|crystal| crystal.elements().iter().copied())
        .collect();
    elements.sort_unstable();
    elements.dedup();
    calculator.check(&elements, arguments.property)?;
    let store = open_store(&arguments.store, calculator.as_ref())?;
    let mut rows = Vec::with_capacity(crystals.len());
    for crystal in crystals {
        let evaluation = evaluate_until(
            &stop,
            calculator.as_ref(),
            store.as_ref(),
            &crystal,
            arguments.property,
        )?;
        if stop.is_set() {
            break;
        }
        eprintln!("{:>5}  {}", rows.len() + 1, one_line(&crystal, &evaluation));
        rows.push(Row {
            crystal,
            evaluation,
        });
    }
    if let Some(path) = &arguments.csv {
        write_atomically(path, csv(&rows).as_bytes())?;
    }
    let mut out = terminal::stdout();
    write_summary(&mut out, &rows)?;
    if let Some(others) = &others {
        write_comparison(&mut out, &verdicts(&rows), others)?;
    }
    if stop.is_set() {
        eprintln!("stopped; the same command goes on from the store");
        return Ok(ExitCode::FAILURE);
    }
    Ok(ExitCode::SUCCESS)
}

/// Every skeleton and every element equally likely, as a random policy fills crystals.
fn draw(arguments: &CoverageArguments) -> anyhow::Result<Vec<Crystal>> {
    let actions = ActionSet::published(&arguments.actions)?;
    let skeletons = arguments
        .skeleton
        .iter()
        .map(|name| Skeleton::builtin(name))
        .collect::<Result<Vec<_>, _>>()?;
    let mut rng = Pcg64::seed_from_u64(arguments.seed);
    (0..arguments.count)
        .map(|_| {
            let skeleton = &skeletons[uniform_below(&mut rng, skeletons.len())];
            let elements = (0..skeleton.sites())
                .map(|_| actions.elements()[uniform_below(&mut rng, actions.len())])
                .collect();
            Ok(Crystal::new(Arc::clone(skeleton), elements)?)
        })
        .collect()
}

/// Evaluates on another thread, so that a signal cancels it.
pub(super) fn evaluate_until(
    stop: &StopFlag,
    calculator: &dyn Calculator,
    store: Option<&ResultStore>,
    crystal: &Crystal,
    property: Property,
) -> anyhow::Result<Evaluation> {
    let cancel = CancelToken::default();
    thread::scope(|scope| {
        let worker = scope.spawn(|| evaluate(calculator, store, crystal, property, &cancel));
        while !worker.is_finished() {
            if stop.is_set() {
                cancel.cancel();
            }
            thread::sleep(Duration::from_millis(2));
        }
        worker.join()
    })
    .map_err(|_| anyhow::anyhow!("the evaluation panicked"))
}

fn verdicts(rows: &[Row]) -> Vec<Verdict> {
    rows.iter()
        .map(|row| Verdict {
            skeleton: row.crystal.skeleton().label.clone(),
            elements: symbols(&row.crystal),
            outcome: verdict(&row.evaluation.outcome).to_owned(),
            value: row.evaluation.outcome.value(),
        })
        .collect()
}

fn symbols(crystal: &Crystal) -> String {
    let symbols: Vec<&str> = crystal.elements().iter().map(|e| e.symbol()).collect();
    symbols.join(" ")
}

fn one_line(crystal: &Crystal, evaluation: &Evaluation) -> String {
    let result = match &evaluation.outcome {
        Outcome::Success(values) => format!("{:.4}", values.value),
        Outcome::Failure(failure) => format!("{} ({})", failure.code, failure.message),
    };
    format!(
        "{} {}: {result}, {:.1} s, {}",
        crystal.skeleton().label,
        symbols(crystal),
        evaluation.outcome.seconds(),
        evaluation.source.name()
    )
}

/// The outcome in one word.
fn verdict(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Success(_) => "success",
        Outcome::Failure(failure) => failure.code.name(),
    }
}

fn scf_iterations(outcome: &Outcome) -> u32 {
    match outcome {
        Outcome::Success(values) => values.scf_iterations,
        Outcome::Failure(failure) => failure.scf_iterations,
    }
}

fn csv(rows: &[Row]) -> String {
    let mut text = String::from("number,skeleton,elements,outcome,value,scf_iterations,seconds\n");
    for (index, row) in rows.iter().enumerate() {
        let outcome = &row.evaluation.outcome;
        let value = outcome.value().map_or_else(String::new, |v| v.to_string());
        // Labels, symbols, codes and numbers: nothing that needs quotes. Writing to a string
        // cannot fail.
        let _ = writeln!(
            text,
            "{},{},{},{},{value},{},{:.3}",
            index + 1,
            row.crystal.skeleton().label,
            symbols(&row.crystal),
            verdict(outcome),
            scf_iterations(outcome),
            outcome.seconds()
        );
    }
    text
}

fn write_summary(out: &mut dyn Write, rows: &[Row]) -> io::Result<()> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for row in rows {
        *counts.entry(verdict(&row.evaluation.outcome)).or_default() += 1;
    }
    writeln!(out, "| outcome | crystals | share |\n|---|---|---|")?;
    for (name, count) in counts {
        let share = 100.0 * count as f64 / rows.len() as f64;
        writeln!(out, "| {name} | {count} | {share:.1} % |")?;
    }
    writeln!(
        out,
        "\n| of those that were computed | crystals | min s | median s | p90 s | max s | \
         median iterations | max iterations |\n|---|---|---|---|---|---|---|---|"
    )?;
    type Choice = fn(&Outcome) -> bool;
    let choices: [(&str, Choice); 3] = [
        ("all", |_| true),
        ("success", |outcome| outcome.value().is_some()),
        ("failure", |outcome| outcome.value().is_none()),
    ];
    for (name, is_chosen) in choices {
        let computed: Vec<&Outcome> = rows
            .iter()
            .map(|row| &row.evaluation.outcome)
            .filter(|outcome| scf_iterations(outcome) > 0 && is_chosen(outcome))
            .collect();
        let seconds = sorted(computed.iter().map(|outcome| outcome.seconds()));
        let iterations = sorted(computed.iter().map(|o| f64::from(scf_iterations(o))));
        let (Some(least), Some(most)) = (seconds.first(), seconds.last()) else {
            continue;
        };
        writeln!(
            out,
            "| {name} | {} | {least:.2} | {:.2} | {:.2} | {most:.2} | {:.0} | {:.0} |",
            computed.len(),
            quantile(&seconds, 0.5),
            quantile(&seconds, 0.9),
            quantile(&iterations, 0.5),
            quantile(&iterations, 1.0),
        )?;
    }
    let settings = rows.iter().find_map(|row| match &row.evaluation.outcome {
        Outcome::Success(values) => values.settings.as_ref(),
        Outcome::Failure(_) => None,
    });
    if let Some(settings) = settings {
        writeln!(out, "\nthe first success computed with {settings}")?;
    }
    Ok(())
}

fn sorted(values: impl Iterator<Item = f64>) -> Vec<f64> {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values
}

/// The smallest value that at least this share of the sorted values does not exceed.
fn quantile(sorted: &[f64], share: f64) -> f64 {
    let rank = (share * sorted.len() as f64).ceil() as usize;
    let index = rank.clamp(1, sorted.len().max(1)) - 1;
    sorted.get(index).copied().unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Oracle: nearest ranks of ten numbers by hand.
    #[test]
    fn quantiles_are_values_of_the_sample() {
        let values = sorted((1..=10).rev().map(f64::from));
        assert_eq!(quantile(&values, 0.5), 5.0);
        assert_eq!(quantile(&values, 0.9), 9.0);
        assert_eq!(quantile(&values, 1.0), 10.0);
        assert_eq!(quantile(&values[..1], 0.5), 1.0);
    }
}
