//! Asking before something is done that somebody else's folder names.

use std::io::{self, BufRead, IsTerminal, Write};

use clap::Args;
use crystalgym_training::{TrainingError, Trust};

/// The option of every command that acts on the configuration in a folder.
#[derive(Debug, Args)]
pub(crate) struct TrustArguments {
    /// Use the programs, variables and places to write that the folder's configuration names, without
    /// asking.
    #[arg(long)]
    trust: bool,
}

impl TrustArguments {
    /// What the option says, for a command that does not ask.
    pub(crate) fn without_asking(&self) -> Trust<'static> {
        match self.trust {
            true => Trust::All,
            false => Trust::Innocent,
        }
    }

    /// Does something with as much trust as there is. If the folder names what the user has not
    /// given, a user at a terminal is shown it and asked.
    pub(crate) fn with<T>(
        &self,
        act: impl Fn(Trust<'_>) -> Result<T, TrainingError>,
    ) -> anyhow::Result<T> {
        if self.trust {
            return Ok(act(Trust::All)?);
        }
        match act(Trust::Innocent) {
            Err(TrainingError::Untrusted { path, named }) => {
                let at_terminal = io::stdin().is_terminal() && io::stderr().is_terminal();
                if at_terminal && agreed(&path.display().to_string(), &named)? {
                    return Ok(act(Trust::All)?);
                }
                Err(TrainingError::Untrusted { path, named }.into())
            }
            other => Ok(other?),
        }
    }
}

fn agreed(path: &str, named: &[String]) -> io::Result<bool> {
    let mut out = io::stderr().lock();
    writeln!(out, "{} names:", path.escape_debug())?;
    for line in named {
        writeln!(out, "  {line}")?;
    }
    write!(out, "Use it? [y/N] ")?;
    out.flush()?;
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer)?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}
