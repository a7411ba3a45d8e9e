//! `crystalgym table verify`: computes a sample of a table's rows again.

use std::{io::Write, process::ExitCode, sync::Arc, thread};

use clap::Args;
use crystalgym_crystal::Skeleton;
use crystalgym_environment::find_skeleton;
use crystalgym_evaluation::{CalculatorConfig, Outcome};
use crystalgym_table::{RowCheck, RowVerdict, VerifyOptions, verify_rows};
use crystalgym_training::ConfigLayers;

use super::names::open;
use crate::{hint::UsageError, signals::StopFlag, terminal, trust::TrustArguments};

/// Arguments of `crystalgym table verify`.
#[derive(Debug, Args)]
pub(crate) struct VerifyArguments {
    /// A table that comes with the program, a parquet file, or a table that is being made.
    name: String,
    /// Rows that are computed again, drawn at random.
    #[arg(long, default_value_t = 20)]
    sample: usize,
    /// Seed of the draw.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Calculations at the same time; as many as there are cores by default.
    #[arg(long)]
    workers: Option<usize>,
    /// The skeleton of the table, where that is a structure file.
    #[arg(long)]
    skeleton: Option<String>,
    /// The pseudopotentials on this machine: a folder or an installed family; by default an
    /// installed family of the name that the table gives.
    #[arg(long)]
    pseudo: Option<String>,
    /// A setting of this machine, such as calculator.qe.command=["mpirun","pw.x"].
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
    #[command(flatten)]
    trust: TrustArguments,
}

pub(crate) fn run(arguments: &VerifyArguments) -> anyhow::Result<ExitCode> {
    let table = open(&arguments.name, &arguments.trust)?;
    let of = table.description();
    let skeleton: Arc<Skeleton> = match &arguments.skeleton {
        Some(name) => find_skeleton(name)?,
        None => Skeleton::builtin(&of.skeleton.label)?,
    };
    if !of.skeleton.is_that_of(&skeleton) {
        let message = format!("{} is not the skeleton of the table", skeleton.label);
        return Err(UsageError(message).into());
    }
    let mut layers = ConfigLayers::default();
    for assignment in &arguments.set {
        layers.add_assignment(assignment)?;
    }
    let mut config = CalculatorConfig::of_table(&table)?;
    if config.pseudopotentials.is_some() && arguments.pseudo.is_some() {
        config.pseudopotentials.clone_from(&arguments.pseudo);
    }
    let config: CalculatorConfig = layers.resolve_table("calculator", &config)?;
    let calculator = config.build()?;
    let stop = StopFlag::install()?;
    let unit = of.property.unit();
    let checks = verify_rows(
        &table,
        &skeleton,
        &calculator,
        &VerifyOptions {
            sample: arguments.sample,
            seed: arguments.seed,
            workers: (arguments.workers).unwrap_or(thread::available_parallelism()?.get()),
            stop: &|| stop.is_set(),
            report: &|check| println!("{}", line(check, unit)),
        },
    )?;
    let mut out = terminal::stdout();
    let Some(checks) = checks else {
        eprintln!("stopped before the end");
        return Ok(ExitCode::FAILURE);
    };
    let held = checks.iter().filter(|check| check.verdict.holds()).count();
    let all = checks.len();
    let holds = held == all && table.is_whole();
    writeln!(
        out,
        "{}: {held} of {all} rows that were computed again agree; {} of {} fillings are there",
        match holds {
            true => "holds",
            false => "does not hold",
        },
        table.rows().len(),
        of.fillings
    )?;
    Ok(match holds {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    })
}

/// `Na Mg Na Si             0.123456 eV, found 0.123456 eV: holds`
fn line(check: &RowCheck, unit: &str) -> String {
    let text = |outcome: &Outcome| match outcome {
        Outcome::Success(values) => format!("{:.6} {unit}", values.value),
        Outcome::Failure(failure) => failure.code.name().to_owned(),
    };
    let symbols: Vec<&str> = check.row.elements.iter().map(|e| e.symbol()).collect();
    let verdict = match check.verdict {
        RowVerdict::Equal => "holds",
        RowVerdict::WithinTolerance => "holds within the tolerance",
        RowVerdict::Differs => "DOES NOT HOLD",
        RowVerdict::NotComputed => "COULD NOT BE COMPUTED",
    };
    format!(
        "{:<24} {}, found {}: {verdict}",
        symbols.join(" "),
        text(&check.row.outcome),
        text(&check.found)
    )
}
