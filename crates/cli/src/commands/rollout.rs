//! `crystalgym rollout`: crystals that a trained agent makes.

use std::{io::Write, path::PathBuf, process::ExitCode};

use clap::Args;
use crystalgym_training::{PolicyEvaluation, TrainedAgent};

use crate::{terminal, trust::TrustArguments};

/// Arguments of `crystalgym rollout`.
#[derive(Debug, Args)]
pub(crate) struct RolloutArguments {
    /// Folder of a run.
    run: PathBuf,
    /// Other skeletons than those of the training, such as held-out ones, separated by commas.
    #[arg(long, value_delimiter = ',')]
    skeletons: Vec<String>,
    /// Another target than that of the training, in the property's unit.
    #[arg(long)]
    target: Option<f64>,
    /// Number of crystals.
    #[arg(long, default_value_t = 5)]
    rollouts: usize,
    /// Draw actions as the agent does while it learns, instead of taking the best one.
    #[arg(long)]
    sampled: bool,
    /// Seed of the traversals and draws.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    #[command(flatten)]
    trust: TrustArguments,
}

pub(crate) fn run(arguments: &RolloutArguments) -> anyhow::Result<ExitCode> {
    let evaluation = PolicyEvaluation {
        skeletons: arguments.skeletons.clone(),
        target: arguments.target,
        rollouts: arguments.rollouts,
        sampled: arguments.sampled,
        seed: arguments.seed,
    };
    let agent = TrainedAgent::load(&arguments.run)?;
    for note in &agent.notes {
        eprintln!("warning: {note}");
    }
    let rollouts = (arguments.trust).with(|trust| agent.evaluate(&evaluation, trust))?;
    let mut out = terminal::stdout();
    writeln!(
        out,
        "return    value      skeleton  crystal (elements in site order)"
    )?;
    for rollout in &rollouts {
        let value = match (rollout.outcome.value(), rollout.outcome.failure()) {
            (Some(value), _) => format!("{value:.5}"),
            (None, Some(failure)) => failure.code.name().to_owned(),
            (None, None) => String::new(),
        };
        let elements = rollout.crystal.elements().iter();
        let symbols: Vec<&str> = elements.map(|element| element.symbol()).collect();
        writeln!(
            out,
            "{:<8.5}  {value:<9}  {:<8}  {} ({})",
            rollout.reward,
            rollout.crystal.skeleton().label,
            rollout.crystal.formula(),
            symbols.join(" ")
        )?;
    }
    let failures = rollouts.iter().filter(|r| r.outcome.failure().is_some());
    let sum: f64 = rollouts.iter().map(|rollout| rollout.reward).sum();
    writeln!(
        out,
        "\nmean return {:.5} of {} rollouts, {} of them failures",
        sum / rollouts.len().max(1) as f64,
        rollouts.len(),
        failures.count()
    )?;
    Ok(ExitCode::SUCCESS)
}
