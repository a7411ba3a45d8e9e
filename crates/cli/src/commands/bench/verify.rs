//! `crystalgym bench verify`: computes crystals of a result again, and trains some jobs again.

use std::{
    hash::{BuildHasher, Hasher, RandomState},
    io::{self, Write},
    path::PathBuf,
    process::ExitCode,
    time::Duration,
};

use anyhow::bail;
use clap::Args;
use crystalgym_benchmark::{
    Check, Choice, Found, ResultFile, Verdict, Verification, VerifyOptions, chance_of_missing,
    verify,
};
use crystalgym_evaluation::{CalculatorConfig, CalculatorError};
use crystalgym_training::ConfigLayers;

use crate::{signals::StopFlag, terminal};

/// Arguments of `crystalgym bench verify`.
#[derive(Debug, Args)]
pub(crate) struct VerifyArguments {
    /// The result, .json or .json.gz.
    file: PathBuf,
    /// Only so many of the crystals that ranked numbers depend on, best first; all by default. With
    /// fewer the verification is one in part, which no leaderboard counts.
    #[arg(long)]
    top: Option<usize>,
    /// Other crystals of each calculator that are computed again, drawn at random; all where that
    /// takes no time. Fewer than by default are a verification in part.
    #[arg(long, default_value_t = Verification::SAMPLE)]
    sample: usize,
    /// Jobs of each row of a leaderboard that are trained again from the file's values, to see that
    /// the agent made the crystals. Networks do so to the last bit on the kind of processor on which
    /// they learned; 0 leaves it open, and a leaderboard says so.
    #[arg(long, default_value_t = 1)]
    replay: usize,
    /// What is drawn, to repeat a verification; by default another each time, so that who made the
    /// file cannot know.
    #[arg(long)]
    seed: Option<u64>,
    /// Longest time for one crystal, in seconds.
    #[arg(long, default_value_t = 3600)]
    limit: u64,
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
        replays: arguments.replay,
        // The hasher's keys are the system's random numbers.
        seed: (arguments.seed).unwrap_or_else(|| RandomState::new().build_hasher().finish()),
        limit: Duration::from_secs(arguments.limit),
        calculator: &calculator,
        cancel: &cancel,
        report: &|check| println!("{}", line(check)),
    };
    let Some(record) = verify(&result, &options)? else {
        bail!("stopped before the end: nothing is written");
    };
    let written = record.write(&result)?;
    show(&record)?;
    match written {
        Some(path) => eprintln!("the record is {}", path.display()),
        None => eprintln!("the record of the complete verification is kept"),
    }
    Ok(match record.holds && record.is_complete() {
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
        Choice::Ranked => "ranked",
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
    let mut out = terminal::stdout();
    for problem in &record.problems {
        writeln!(out, "{problem}")?;
    }
    for replay in &record.replays {
        match &replay.difference {
            None => writeln!(out, "{}: trained again, all the same", replay.job)?,
            Some(difference) => writeln!(
                out,
                "{}: trained again, DOES NOT HOLD: {difference} (an agent with networks is the same \
                 to the last bit on one kind of processor only; --replay 0 leaves it open)",
                replay.job
            )?,
        }
    }
    let (ranked, others) = (record.ranked, record.others);
    writeln!(
        out,
        "computed again: {} of {} crystals that ranked numbers depend on, {} of {} others; seed {}",
        ranked.computed, ranked.all, others.computed, others.all, record.seed
    )?;
    if others.computed < others.all {
        let tenth = others.all.div_ceil(10);
        writeln!(
            out,
            "edits of {tenth} of the others would be missed with a chance of {:.2e}",
            chance_of_missing(others.all, tenth, others.computed)
        )?;
    }
    let held = (record.checks.iter())
        .filter(|check| check.verdict.holds())
        .count();
    let all = record.checks.len();
    match (record.holds, record.problems.len()) {
        (true, _) if record.is_complete() => writeln!(
            out,
            "holds: all {all} crystals that were computed again agree"
        ),
        (true, _) => writeln!(
            out,
            "holds as far as it was looked at: a verification in part, which no leaderboard counts"
        ),
        (false, 0) if held < all => {
            writeln!(out, "does not hold: {held} of {all} crystals agree")
        }
        (false, 0) => writeln!(
            out,
            "does not hold: an agent does not make what the file says"
        ),
        (false, problems) => writeln!(out, "does not hold: {problems} problems"),
    }
}
