use std::{path::PathBuf, process::ExitCode};

use anyhow::bail;
use clap::Args;
use crystalgym_benchmark::{FormationOptions, formation_energies};

use crate::{signals::StopFlag, trust::TrustArguments};

/// Arguments of `crystalgym bench formation`.
#[derive(Debug, Args)]
pub(crate) struct FormationArguments {
    /// Folder of the benchmark.
    folder: PathBuf,
    /// The store of the benchmark, if it is no longer where its jobs say.
    #[arg(long)]
    store: Option<PathBuf>,
    /// The crystals of training too, not only those of the final rollouts.
    #[arg(long)]
    training: bool,
    #[command(flatten)]
    trust: TrustArguments,
}

pub(crate) fn run(arguments: &FormationArguments) -> anyhow::Result<ExitCode> {
    let options = FormationOptions {
        store: arguments.store.as_deref(),
        training: arguments.training,
        trust: arguments.trust.without_asking(),
        cancel: &StopFlag::install()?.cancel_token(),
        report: &|job, count| eprintln!("{job}: {count} crystals"),
    };
    let Some(summary) = formation_energies(&arguments.folder, &options)? else {
        bail!("stopped; the same command goes on with what is left");
    };
    for job in &summary.left_out {
        eprintln!("left out: {}: {}", job.folder.display(), job.reason);
    }
    for (element, reason) in &summary.missing {
        eprintln!("no energy of elemental {element}: {reason}");
    }
    eprintln!(
        "{} jobs, {} crystals with a formation energy, {} whose evaluation failed; they are in \
         jobs/*/formation_energies.csv",
        summary.jobs, summary.crystals, summary.without_energy
    );
    Ok(match summary.missing.is_empty() {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    })
}
