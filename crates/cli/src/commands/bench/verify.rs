use std::{
    io::{self, Write},
    path::PathBuf,
    process::ExitCode,
};

use anyhow::bail;
use clap::Args;
use crystalgym_benchmark::{
    Check, Choice, Found, ResultFile, Verdict, Verification, VerifyOptions, verify,
};
use crystalgym_evaluation::{CalculatorConfig, CalculatorError};
use crystalgym_training::ConfigLayers;

use crate::signals::StopFlag;

/// Arguments of `crystalgym bench verify`.
#[derive(Debug, Args)]
pub(crate) struct VerifyArguments {
    /// The result, .json or .json.gz.
    file: PathBuf,
    /// Best crystals of each experiment and property that are computed again.
    #[arg(long, default_value_t = 5)]
    top: usize,
    /// Other crystals of each property that are computed again, drawn by the file's checksum.
    #[arg(long, default_value_t = 5)]
    sample: usize,
    /// The pseudopotentials on this machine: a folder or an installed family; by default an
    /// installed family of the name that the file gives.
    #[arg(long)]
    pseudo: Option<String>,
    /// A setting of this machine, such as calculator.qe.command=["mpirun","pw.x"].
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
}

pub(crate) fn run(arguments: &VerifyArguments) -> anyhow::Result<ExitCode> {
    let mut layers = ConfigLayers::default();
    for assignment in &arguments.set {
        layers.add_assignment(assignment)?;
    }
    let result = ResultFile::read(&arguments.file)?;
    let calculator = |config: &CalculatorConfig| {
        let mut config = config.clone();
        if config.pseudopotentials.is_some() && arguments.pseudo.is_some() {
            config.pseudopotentials.clone_from(&arguments.pseudo);
        }
        let local = layers.resolve_table("calculator", &config);
        let local: CalculatorConfig = local.map_err(|error| CalculatorError {
            calculator: config.name.name().to_owned(),
            message: error.to_string(),
        })?;
        local.build()
    };
    let cancel = StopFlag::install()?.cancel_token();
    let options = VerifyOptions {
        top: arguments.top,
        sample: arguments.sample,
        calculator: &calculator,
        cancel: &cancel,
        report: &|check| println!("{}", line(check)),
    };
    let Some(record) = verify(&result, &options)? else {
        bail!("stopped before the end: nothing is written");
    };
    let path = record.write(&arguments.file)?;
    show(&record)?;
    eprintln!("the record is {}", path.display());
    Ok(match record.holds {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    })
}

fn line(check: &Check) -> String {
    let text = |found: Found| match found {
        Found::Value(value) => format!("{value:.6} {}", check.property.unit()),
        Found::Failure(code) => code.name().to_owned(),
    };
    let verdict = match check.verdict {
        Verdict::Equal => "holds",
        Verdict::WithinTolerance => "holds within the tolerance",
        Verdict::Differs => "DOES NOT HOLD",
        Verdict::NotComputed => "COULD NOT BE COMPUTED",
    };
    let choice = match check.choice {
        Choice::Top => "top",
        Choice::Sample => "sample",
    };
    format!(
        "{choice:<7} {:<13} {:<3} {:<24} claimed {}, found {}: {verdict}",
        check.property.name(),
        check.skeleton,
        check.elements,
        text(check.claimed),
        text(check.found),
    )
}

fn show(record: &Verification) -> io::Result<()> {
    let mut out = io::stdout().lock();
    for problem in &record.problems {
        writeln!(out, "{problem}")?;
    }
    let held = record
        .checks
        .iter()
        .filter(|check| check.verdict.holds())
        .count();
    let all = record.checks.len();
    match (record.holds, record.problems.is_empty()) {
        (true, _) => writeln!(
            out,
            "holds: all {all} crystals that were computed again agree"
        ),
        (false, true) => writeln!(out, "does not hold: {held} of {all} crystals agree"),
        (false, false) => writeln!(out, "does not hold: {} problems", record.problems.len()),
    }
}
