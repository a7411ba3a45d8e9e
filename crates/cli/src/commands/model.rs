//! `crystalgym model`: installs pretrained models, and says which are there.

use std::{io::Write, path::PathBuf, process::ExitCode};

use clap::{Args, Subcommand};
use crystalgym_potential::{PotentialError, model};

use crate::terminal;

/// Arguments of `crystalgym model`.
#[derive(Debug, Args)]
pub(crate) struct ModelArguments {
    #[command(subcommand)]
    command: ModelCommand,
}

#[derive(Debug, Subcommand)]
enum ModelCommand {
    /// Install a model from the package that its authors publish.
    Install {
        /// Name of the model: chgnet.
        name: String,
        /// The package's folder, its wheel, or the file of weights; by default the package that the
        /// Python at hand has installed.
        #[arg(long)]
        from: Option<PathBuf>,
        /// Folder to install into; the user's data folder by default.
        #[arg(long)]
        folder: Option<PathBuf>,
    },
    /// List the models that there are and whether they are installed.
    List,
}

pub(crate) fn run(arguments: &ModelArguments) -> anyhow::Result<ExitCode> {
    match &arguments.command {
        ModelCommand::Install { name, from, folder } => install(name, from, folder),
        ModelCommand::List => list(),
    }
}

fn install(
    name: &str,
    from: &Option<PathBuf>,
    folder: &Option<PathBuf>,
) -> anyhow::Result<ExitCode> {
    if name != model::CHGNET {
        return Err(PotentialError::UnknownModel {
            name: name.to_owned(),
            expected: model::CHGNET.to_owned(),
        }
        .into());
    }
    let folder = match folder {
        Some(folder) => folder.clone(),
        None => model::chgnet_folder()?,
    };
    let report = model::install_chgnet(from.as_deref(), &folder)?;
    let mut out = terminal::stdout();
    let folder = report.folder.display();
    match &report.source {
        Some(source) => writeln!(
            out,
            "installed {name} from {} in {folder}",
            source.display()
        )?,
        None => writeln!(out, "{folder} is installed and complete")?,
    }
    Ok(ExitCode::SUCCESS)
}

fn list() -> anyhow::Result<ExitCode> {
    let mut out = terminal::stdout();
    for found in model::list()? {
        let state = match &found.state {
            Ok(()) => "installed".to_owned(),
            Err(PotentialError::NotInstalled { .. }) => "not installed".to_owned(),
            Err(error) => format!("damaged: {error}"),
        };
        let (name, version) = (found.name, found.version);
        writeln!(
            out,
            "{name}  {version}  {state}  {}",
            found.folder.display()
        )?;
    }
    Ok(ExitCode::SUCCESS)
}
